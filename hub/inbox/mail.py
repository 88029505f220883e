"""What a mail looks like as a row: subject and people, text cut to what an event holds, the rest as HTML. Pure."""

from __future__ import annotations

import html

import msgspec

from hub.envelope import Identity, InboundItem, Party, clean_text
from hub.inbox.batch import Formatted, ReceivedItem
from hub.inbox.model import TEXT_LIMIT_CHARS, MessageHeaders
from hub.subjects import normalise_subject

# An event goes out as one frame of at most 64 KiB. Sizes are those of the JSON; what they leave is for the rows around
# the message (conversation, contact, files).
TEXT_LIMIT_BYTES = 30_000
QUOTED_LIMIT_CHARS = 4_000
QUOTED_LIMIT_BYTES = 6_000
HEADERS_LIMIT_BYTES = 9_000
SUBJECT_LIMIT_CHARS = 300
NAME_LIMIT_CHARS = 100
ADDRESS_LIMIT_CHARS = 320
PARTIES_LIMIT = 50
MORE = "…"

_encode = msgspec.json.Encoder().encode


class Content(msgspec.Struct, frozen=True, kw_only=True):
    """
    A message's text in the parts it is kept in.

    Attributes:
        formatted: The HTML to keep beside it: the sender's, or ours where the text had to be cut.
    """

    text: str
    quoted: str = ""
    formatted: Formatted | None = None


def make_content(received: ReceivedItem) -> Content:
    """
    Fit a message's text into its row; nothing of it is lost.

    Args:
        received: The item, its HTML sanitised if it has any.

    Returns:
        At most 20,000 characters (and what one event holds) of text and 4,000 of quoted text. What was cut ends with
        ``…`` and stands whole in the HTML: in the sender's own, else in one made of the text.
    """
    whole, whole_quoted = clean_text(received.item.text), clean_text(received.item.quoted)
    text = cut(whole, TEXT_LIMIT_CHARS, TEXT_LIMIT_BYTES)
    quoted = cut(whole_quoted, QUOTED_LIMIT_CHARS, QUOTED_LIMIT_BYTES)
    formatted = received.formatted
    if formatted is None and (text != whole or quoted != whole_quoted):
        formatted = Formatted(_as_html(whole, whole_quoted))
    if formatted is not None and "\x00" in formatted.html:
        formatted = msgspec.structs.replace(formatted, html=clean_text(formatted.html))
    return Content(text=text, quoted=quoted, formatted=formatted)


def make_headers(item: InboundItem) -> MessageHeaders | None:
    """Return the subject and people of an item; None on channels without them."""
    if item.thread is None and not (item.subject or item.to or item.cc):
        return None
    # An echo's sender field names who received it; that it came from us, its direction says.
    sender = _party(item.sender) if item.sender and item.direction == "inbound" else None
    return fit_headers(
        MessageHeaders(
            subject=clean_text(item.subject),
            sender=sender,
            to=tuple(_party(one) for one in item.to[:PARTIES_LIMIT]),
            cc=tuple(_party(one) for one in item.cc[:PARTIES_LIMIT]),
        )
    )


def fit_headers(headers: MessageHeaders) -> MessageHeaders:
    """Cut headers to what an event holds: a shorter subject, at most 50 people, fewer if their names are long."""
    room = PARTIES_LIMIT
    kept: list[tuple[Party, ...]] = []
    for parties in (headers.to, headers.cc, headers.bcc):
        kept.append(parties[:room])
        room -= len(kept[-1])
    fitted = msgspec.structs.replace(
        headers, subject=cut(headers.subject, SUBJECT_LIMIT_CHARS, 1_200), to=kept[0], cc=kept[1], bcc=kept[2]
    )
    while len(_encode(fitted)) > HEADERS_LIMIT_BYTES:
        kept = [parties[: len(parties) * 3 // 4] for parties in kept]
        fitted = msgspec.structs.replace(fitted, to=kept[0], cc=kept[1], bcc=kept[2])
    return fitted


def cut(text: str, limit_chars: int, limit_bytes: int) -> str:
    """Shorten a text to a number of characters and of bytes as JSON; what was cut ends with ``…``."""
    kept = text[:limit_chars]
    while (size := len(_encode(kept))) > limit_bytes:
        kept = kept[: min(len(kept) - 1, len(kept) * (limit_bytes - 8) // size)]
    return text if len(kept) == len(text) else kept[:-1].rstrip() + MORE


def base_subject(subject: str) -> str:
    """Return a subject as a list shows it: without reply and forward marks, on one line, at most 300 characters."""
    line = cut(" ".join(clean_text(subject).split()), SUBJECT_LIMIT_CHARS, 1_200)
    key = normalise_subject(line)[0]
    # Lower-casing may change a text's length, so the place where the marks end is looked for.
    return next((line[at:] for at in range(len(line) + 1) if line[at:].casefold() == key), line)


def reply_subject(subject: str) -> str:
    """Return the subject of an answer: ``Re:`` exactly once; empty where there is no subject."""
    base = base_subject(subject)
    return f"Re: {base}" if base else ""


def subject_key(subject: str) -> str:
    """Return a subject as it is compared: the same for all answers and forwards, at most 300 characters."""
    return normalise_subject(clean_text(subject))[0][:SUBJECT_LIMIT_CHARS]


def _party(identity: Identity) -> Party:
    name = " ".join(clean_text(identity.display_name or "").split())
    return Party(name=name[:NAME_LIMIT_CHARS], address=clean_text(identity.value)[:ADDRESS_LIMIT_CHARS])


def _as_html(text: str, quoted: str) -> str:
    body = f"<pre>{html.escape(text, quote=False)}</pre>"
    if not quoted:
        return body
    return (
        f'{body}<details class="quoted"><summary>Show quoted text</summary>'
        f"<pre>{html.escape(quoted, quote=False)}</pre></details>"
    )
