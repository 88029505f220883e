"""Mails as people write them, of a few words of an order: for emulators of mailboxes."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

# Python folds long ids into encoded words, which mail servers do not.
UNFOLDED = policy.default.clone(max_line_length=998)


def internet_id_of(word: str) -> str:
    """Return the Message-ID of a mail named by a word, or as it is."""
    return word if "@" in word else f"{word}@customers.example"


def written(item: Mapping[str, Any], internet_id: str, address: str) -> tuple[datetime, bytes]:
    """
    Write a mail.

    Args:
        item: ``from``, ``to``, ``subject``, ``text``, ``files`` (``name``, ``mime``, ``body`` in Base64), ``reply_to``
            and ``at``, all of them optional.
        internet_id: Its Message-ID.
        address: Whom it goes to where nobody is named.

    Returns:
        When it arrived, and its bytes.
    """
    mime = EmailMessage(UNFOLDED)
    mime["From"], mime["To"] = item.get("from", "nadia@customers.example"), item.get("to", address)
    mime["Subject"] = item.get("subject", "Question")
    mime["Message-ID"] = f"<{internet_id}>"
    received_at = datetime.fromisoformat(item["at"]) if "at" in item else datetime.now(UTC)
    mime["Date"] = format_datetime(received_at)
    if item.get("reply_to"):
        mime["In-Reply-To"] = mime["References"] = f"<{item['reply_to']}>"
    mime.set_content(item.get("text", ""))
    for one in item.get("files", ()):
        main, _, sub = one["mime"].partition("/")
        mime.add_attachment(base64.b64decode(one["body"]), maintype=main, subtype=sub, filename=one["name"])
    return received_at, bytes(mime)
