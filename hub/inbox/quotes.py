"""Messages as those that answer them show them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.inbox.files import describe
from hub.inbox.marks import Quote
from hub.inbox.model import make_preview

if TYPE_CHECKING:
    from hub.inbox.rows import MessageRow


def make_quote(message: MessageRow) -> Quote:
    """Return a message as those that answer it show it."""
    text = make_preview(message.text or describe(message.attachments) or message.unreadable)
    return Quote(message.id, message.author_kind.value, message.author_name, text)
