"""Makes the calls of one message of Messenger or Instagram, and says what they take from the rate buckets. Pure."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

import msgspec

from connectors.base import Account, Act, Call, Charge, Limit
from connectors.meta.product import Product
from hub.envelope import OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SEND: Final = "messages"
UPLOAD: Final = "message_attachments"
# Stands in a rendered call until the file is uploaded; ids of Meta's are digits.
FILE_PLACE: Final = "uploaded-file"
# What a call says while the ordinary window is open; ``tagged`` puts the tag of people's late answers in its place.
_RESPONSE: Final = '"messaging_type":"RESPONSE"'
_HUMAN_AGENT: Final = '"messaging_type":"MESSAGE_TAG","tag":"HUMAN_AGENT"'
_KINDS: Final = {"image": "image", "video": "video", "audio": "audio"}
_ZWJ: Final = "\u200d"


class Person(msgspec.Struct, frozen=True):
    id: str


class Payload(msgspec.Struct, frozen=True, omit_defaults=True):
    attachment_id: str = ""
    url: str = ""


class File(msgspec.Struct, frozen=True):
    type: Literal["image", "video", "audio", "file"]
    payload: Payload


class Body(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    text: str = ""
    attachment: File | None = None
    metadata: str = ""


class Quoted(msgspec.Struct, frozen=True):
    mid: str


class Message(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """``POST /{page}/messages``; ``messaging_type`` is always written."""

    recipient: Person
    messaging_type: Literal["RESPONSE"] | None = None
    message: Body
    reply_to: Quoted | None = None


class Reacted(msgspec.Struct, frozen=True, omit_defaults=True):
    message_id: str
    reaction: str = ""


class Action(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    recipient: Person
    sender_action: Literal["react", "unreact", "mark_seen"]
    payload: Reacted | None = None


def render(message: OutboundMessage, account: Account, product: Product, limit_chars: int) -> Sequence[Call]:
    """
    Make the requests that send a message: the text, in as many parts as it needs, then each file.

    Args:
        message: Text of at most ``limit_chars``.
        account: Whose page sends.
        product: Which of the two.
        limit_chars: Longest text.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text, ``RECIPIENT`` for somebody of another channel.
    """
    if not message.text.strip() and not message.attachments:
        raise _content("empty", "The message has no text.")
    if len(message.text) > limit_chars:
        raise _content(
            "too_long", f"The text has {len(message.text):,} characters; {product.vendor} takes {limit_chars:,}."
        )
    if message.to.scheme != product.scheme or not message.to.value.isalnum():
        raise ConnectorError(
            ConnectorErrorInfo(ErrorClass.RECIPIENT, "recipient", f"This is nobody on {product.vendor}.")
        )
    calls = [_call(account, product, message, Body(text=part)) for part in _parts(message.text, product)]
    calls += [_file(account, product, message, one) for one in message.attachments]
    return calls


def tagged(body: str) -> str:
    """Return the body of a call as what a person answered later than the ordinary window."""
    return body.replace(_RESPONSE, _HUMAN_AGENT, 1)


def render_act(wanted: Act) -> bytes:
    """Make the body of a reaction, of one taken back, or of "seen"."""
    recipient = Person(wanted.to.value)
    if wanted.kind == "mark_read":
        return msgspec.json.encode(Action(recipient=recipient, sender_action="mark_seen"))
    kind: Literal["react", "unreact"] = "react" if wanted.kind == "react" else "unreact"
    reacted = Reacted(wanted.external_id, wanted.emoji if kind == "react" else "")
    return msgspec.json.encode(Action(recipient=recipient, sender_action=kind, payload=reacted))


def charges(
    account: Account, message: OutboundMessage, product: Product, limits: Mapping[str, tuple[Limit, ...]]
) -> Sequence[Charge]:
    """
    Say what a message takes: of the page's rate for text, for files, and of what one person is sent.

    Args:
        account: Whose page sends.
        message: What is sent.
        product: Which of the two.
        limits: The manifest's, by name.
    """
    texts = float(len(list(_parts(message.text, product))))
    files = float(len(message.attachments))
    wanted = [
        (bucket(account, product, "text"), "text", texts),
        (bucket(account, product, "media"), "media", files),
        (f"{product.channel}:thread:{_ours(account, product)}:{message.to.value}", "thread", texts + files),
    ]
    return [Charge(key=key, limits=limits[name], cost=cost) for key, name, cost in wanted if cost > 0]


def bucket(account: Account, product: Product, kind: str) -> str:
    """Return the key of a bucket of our page."""
    return f"{product.channel}:{kind}:{_ours(account, product)}"


def _ours(account: Account, product: Product) -> str:
    return account.settings.get(product.account_setting, "")


def _call(account: Account, product: Product, message: OutboundMessage, body: Body) -> Call:
    body = msgspec.structs.replace(body, metadata=message.message_id)
    quoted = Quoted(message.quoted_external_id) if message.quoted_external_id else None
    sent = Message(recipient=Person(message.to.value), messaging_type="RESPONSE", message=body, reply_to=quoted)
    return Call(operation=SEND, fields={"page": _ours(account, product), "body": msgspec.json.encode(sent).decode()})


def _file(account: Account, product: Product, message: OutboundMessage, file: OutboundAttachment) -> Call:
    kind = _KINDS.get(file.kind, "file")
    by_address = bool(product.part_bytes)
    if by_address and not file.url:
        words = f"{product.vendor} fetches files from us: that needs a public address (HUB_PUBLIC_URL)."
        raise _content("no_address", words)
    payload = Payload(url=file.url) if by_address else Payload(attachment_id=FILE_PLACE)
    call = _call(account, product, message, Body(attachment=File(kind, payload)))  # type: ignore[arg-type]  # one of the four
    if by_address:
        return call
    about = {"file": file.id, "filename": file.filename, "mime": file.mime, "kind": kind}
    return Call(operation=UPLOAD, fields={**call.fields, **about})


def _parts(text: str, product: Product) -> Iterator[str]:
    """Cut a text at characters as people see them, and at spaces where there is one."""
    text = text.strip()
    if not product.part_bytes:
        if text:
            yield text
        return
    while text:
        cut = _cut(text, product.part_bytes)
        yield text[:cut].rstrip() or text[:cut]
        text = text[cut:].lstrip()


def _cut(text: str, most_bytes: int) -> int:
    """Return how many characters go into a part: at least one as people see it, however long it is."""
    if len(text.encode()) <= most_bytes:
        return len(text)
    size, last, space = 0, 0, 0
    for place, character in enumerate(text):
        if place and _begins(text, place):
            last = place
            space = place if text[place - 1].isspace() else space
        size += len(character.encode("utf-8", "surrogatepass"))
        if size > most_bytes and last:
            break
    # A word longer than half of a part is cut like any other text.
    return space if space > last // 2 else last or len(text)


def _begins(text: str, place: int) -> bool:
    """Say whether a character begins a new one as people see it: no mark, joined emoji or second half of a flag."""
    here, before = text[place], text[place - 1]
    if unicodedata.combining(here) or unicodedata.category(here) in ("Mn", "Me") or _ZWJ in (here, before):
        return False
    is_tone = "\U0001f3fb" <= here <= "\U0001f3ff"
    return not is_tone and not (_is_flag(here) and _is_flag(before))


def _is_flag(character: str) -> bool:
    return "\U0001f1e6" <= character <= "\U0001f1ff"


def _content(code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(ErrorClass.CONTENT, code, words))
