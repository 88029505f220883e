"""What a mail says about its conversation: proved ids, references, subject. The store decides. Pure."""

from __future__ import annotations

import hashlib

from connectors.mime.headers import Headers, read_ids
from connectors.mime.model import SUBJECT_LIMIT_CHARS
from connectors.mime.reports import TOKEN_HEADER
from connectors.mime.tokens import TokenKey, Tokens, read_tokens
from hub.envelope import ThreadHints
from hub.subjects import normalise_subject

_REFERENCES_LIMIT = 50
_RECIPIENT_FIELDS = ("to", "cc", "delivered-to", "x-original-to", "envelope-to", "x-forwarded-to")


def read_hints(headers: Headers, key: TokenKey, own_id: str, texts: tuple[str, ...]) -> tuple[ThreadHints, Tokens]:
    """
    Collect the hints of one mail.

    Args:
        headers: Of the mail.
        key: Of the account, to check signatures.
        own_id: Message-ID of the mail, or its dedupe key.
        texts: Text and HTML, quoted parts included.

    Returns:
        The hints, and what our signatures in the mail's own id prove (for echoes of our mails).
    """
    references = read_references(headers, own_id)
    recipients = [value for name in _RECIPIENT_FIELDS for value in headers.raw_all(name)]
    proved = read_tokens(key, addresses=recipients, message_ids=references, texts=texts)
    own = read_tokens(key, message_ids=(own_id, headers.raw(TOKEN_HEADER)))
    subject, is_answer = normalise_subject(headers.text("subject")[:SUBJECT_LIMIT_CHARS])
    hints = ThreadHints(
        root=thread_root(own_id),
        conversation_ids=tuple(dict.fromkeys((*proved.conversation_ids, *own.conversation_ids))),
        references=tuple(references),
        subject=subject if is_answer else "",
    )
    return hints, own


def read_references(headers: Headers, own_id: str = "") -> list[str]:
    """Return ids of earlier mails, newest first: In-Reply-To, then References from the right; at most 50."""
    ids = read_ids(headers.raw("in-reply-to")) + read_ids(headers.raw("references"))[::-1]
    return [one for one in dict.fromkeys(ids) if one != own_id][:_REFERENCES_LIMIT]


def thread_root(own_id: str) -> str:
    """Return the thread key of the conversation a mail would open: 24 hexadecimal digits."""
    return hashlib.sha256(own_id.encode("utf-8", "replace")).hexdigest()[:24]
