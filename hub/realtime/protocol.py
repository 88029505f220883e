"""
The socket protocol, version 1, without IO: every frame, the close codes, decoding, and the bytes of a text frame.

These structs are the only definition; docs/protocol.md, the JSON Schema and the TypeScript types follow them. What a
connection may say when is in ``session.py``; sockets are in ``api/ws.py``.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Annotated, Literal
from uuid import UUID

import msgspec

from hub.envelope import Addressing, TemplateUse
from hub.errors import HubError, InvalidInput

PROTOCOL = 1
FRAME_LIMIT_BYTES = 64 * 1024
HEARTBEAT_S = 25
RESUME_LIMIT_EVENTS = 1_000
TYPING_TTL_S = 6

MessageKind = Literal["message", "note"]
GapReason = Literal["slow", "lost", "rights"]
Seq = Annotated[int, msgspec.Meta(ge=0, le=2**53 - 1)]


class CloseCode(IntEnum):
    """4000-4499 mean: come back. 4500-4999 mean: do not."""

    NORMAL = 1000
    GOING_AWAY = 1001
    UNSUPPORTED_DATA = 1003
    INTERNAL = 1011
    DRAIN = 4000
    IDLE = 4001
    TOO_SLOW = 4002
    TOO_MANY = 4003
    MALFORMED = 4500
    NOT_SIGNED_IN = 4501
    NOT_ALLOWED = 4502
    HELLO_LATE = 4503


class ProtocolViolation(HubError):
    """The connection cannot go on; ``close_code`` says why and whether to come back."""

    code = "protocol"

    def __init__(self, close_code: CloseCode, reason: str, *, retry_after_s: float | None = None) -> None:
        super().__init__(reason, retry_after_s=retry_after_s)
        self.close_code = close_code


class Cursor(msgspec.Struct, frozen=True):
    """The last event a client applied; void when ``epoch`` is another."""

    epoch: int
    seq: Seq


class Hello(msgspec.Struct, frozen=True, tag_field="type", tag="hello"):
    """
    Opens the session, or (with ``protocol`` and ``cursor`` only) resumes it in place.

    Attributes:
        protocol: 1.
        ticket: A socket ticket: single use, 30 seconds.
        bearer: A session token of a client without a cookie jar.
        resume_ticket: What the newest ``welcome`` or ``head`` brought.
        visitor_token: A live-chat visitor's token.
        workspace_id: Needed with a cookie or a bearer token.
        cursor: Where to go on; None asks for ``recovered: false``.
        client: Name and version, for the operator's logs.
    """

    protocol: int
    ticket: str | None = None
    bearer: str | None = None
    resume_ticket: str | None = None
    visitor_token: str | None = None
    workspace_id: Annotated[int, msgspec.Meta(ge=1, le=2**63 - 1)] | None = None
    cursor: Cursor | None = None
    client: Annotated[str, msgspec.Meta(max_length=100)] = ""


class Send(msgspec.Struct, frozen=True, tag_field="type", tag="send"):
    """
    Queue a message or add a note.

    Attributes:
        seen_seq: The newest seq shown in this conversation.
        reply_to: The message it answers, on channels that show quotes.
    """

    client_message_id: UUID
    text: Annotated[str, msgspec.Meta(max_length=20_000)]
    conversation_id: UUID | None = None
    kind: MessageKind = "message"
    attachments: tuple[UUID, ...] = ()
    seen_seq: Seq | None = None
    addressing: Addressing | None = None
    reply_to: UUID | None = None
    template: TemplateUse | None = None


class Read(msgspec.Struct, frozen=True, tag_field="type", tag="read"):
    """Everything up to ``seq`` is read; a lower one marks it unread. A visitor leaves ``conversation_id`` out."""

    seq: Seq
    conversation_id: UUID | None = None


class Typing(msgspec.Struct, frozen=True, tag_field="type", tag="typing"):
    """Somebody types, or stopped; the same shape in both directions, ``member_id`` only from the hub."""

    on: bool
    conversation_id: UUID | None = None
    kind: MessageKind = "message"


class Viewing(msgspec.Struct, frozen=True, tag_field="type", tag="viewing"):
    """Which conversation is on screen, None for none; sent again every 20 s."""

    conversation_id: UUID | None


class Ping(msgspec.Struct, frozen=True, tag_field="type", tag="ping"):
    """Answered by ``head``; ``cursor`` is the client's newest seq."""

    cursor: Seq | None = None


ClientFrame = Hello | Send | Read | Typing | Viewing | Ping


class Welcome(msgspec.Struct, frozen=True, tag_field="type", tag="welcome", kw_only=True):
    """The session is open; ``recovered`` says whether the events after the cursor follow."""

    connection_id: str
    epoch: int
    head: int
    recovered: bool
    resume_ticket: str
    protocol: int = PROTOCOL
    heartbeat_s: int = HEARTBEAT_S
    member_id: UUID | None = None
    conversation_id: UUID | None = None


class Event(msgspec.Struct, frozen=True, tag_field="type", tag="event"):
    """
    One event of the log.

    Attributes:
        prev: The seq before this one that the same audience may see.
        event: ``{"type": …}``, the object as the room that made it wrote it.
    """

    seq: int
    prev: int
    event: msgspec.Raw


class Ack(msgspec.Struct, frozen=True, tag_field="type", tag="ack"):
    """A ``send`` is committed."""

    client_message_id: UUID
    message_id: UUID
    seq: int


class Error(msgspec.Struct, frozen=True, tag_field="type", tag="error"):
    """What was sent last is refused; the connection stays."""

    code: str
    message: str
    field: str | None = None
    retry_after_s: float | None = None
    client_message_id: UUID | None = None


class Head(msgspec.Struct, frozen=True, tag_field="type", tag="head", omit_defaults=True):
    """The newest seq this audience may see; ``resume_ticket`` comes along when the last one grew old."""

    seq: int
    resume_ticket: str | None = None


class Gap(msgspec.Struct, frozen=True, tag_field="type", tag="gap"):
    """Something was not sent: say hello again (after a snapshot, where the reason is ``rights``)."""

    reason: GapReason


class TypingShown(msgspec.Struct, frozen=True, tag_field="type", tag="typing"):
    """Somebody else types; ``member_id`` None is the contact. Void after 6 s without repetition."""

    conversation_id: UUID
    member_id: UUID | None
    on: bool
    kind: MessageKind


class ViewingShown(msgspec.Struct, frozen=True, tag_field="type", tag="viewing"):
    """Who has the conversation on screen; None: unknown."""

    conversation_id: UUID
    member_ids: tuple[UUID, ...] | None


class PresenceShown(msgspec.Struct, frozen=True, tag_field="type", tag="presence"):
    """Which members are online; None: unknown, or too many to name, never "nobody"."""

    member_ids: tuple[UUID, ...] | None


class PresenceChanged(msgspec.Struct, frozen=True, tag_field="type", tag="presence_changed"):
    """Who came online and who went, since the last frame of either kind; only where many are online."""

    came: tuple[UUID, ...]
    went: tuple[UUID, ...]


class NoticeShown(msgspec.Struct, frozen=True, tag_field="type", tag="notice"):
    """This member was told something new; None: they marked something elsewhere. The list is read over HTTP."""

    notice_id: UUID | None


class Bye(msgspec.Struct, frozen=True, tag_field="type", tag="bye"):
    """The close frame follows."""

    code: int
    reason: str
    retry_after_s: float | None = None


HubFrame = (
    Welcome
    | Event
    | Ack
    | Error
    | Head
    | Gap
    | TypingShown
    | ViewingShown
    | PresenceShown
    | PresenceChanged
    | NoticeShown
    | Bye
)


class _Envelope(msgspec.Struct):
    type: str = ""
    client_message_id: object = None


_FRAMES: msgspec.json.Decoder[ClientFrame] = msgspec.json.Decoder(ClientFrame)
_ENVELOPE = msgspec.json.Decoder(_Envelope)
_ENCODER = msgspec.json.Encoder()
# Nesting without end comes as RecursionError: it is the sender's fault, not ours.
_NOT_JSON = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)


def decode(text: bytes) -> ClientFrame:
    """
    Read one text frame of a client.

    Args:
        text: The payload, 64 KiB at most.

    Returns:
        The frame; fields we do not know are ignored.

    Raises:
        ProtocolViolation: It is not a JSON object with a ``type``.
        InvalidInput: The type is unknown, or the named field is missing or wrong.
    """
    try:
        frame = _FRAMES.decode(text)
    except msgspec.ValidationError as error:
        raise _refused(text, str(error)) from error
    except _NOT_JSON as error:
        raise ProtocolViolation(CloseCode.MALFORMED, "not JSON") from error
    # Only an escape can bring NUL in: JSON forbids raw control characters.
    if b"\\u0000" in text:
        _refuse_nul(frame)
    if isinstance(frame, Send) and not (frame.text or frame.attachments):
        raise InvalidInput("text", "Write something, or add a file.")
    return frame


def _refused(text: bytes, explanation: str) -> HubError:
    """Say what a frame costs whose shape is wrong; what comes behind the wrong field may not even be JSON."""
    try:
        kind = _ENVELOPE.decode(text).type
    except (msgspec.ValidationError, *_NOT_JSON):
        kind = ""
    if not kind:
        return ProtocolViolation(CloseCode.MALFORMED, "not a JSON object with a type")
    if kind == "hello":
        return ProtocolViolation(CloseCode.MALFORMED, f"hello: {explanation}"[:120])
    return InvalidInput(_field_of(explanation), explanation)


def _refuse_nul(frame: ClientFrame) -> None:
    for name in frame.__struct_fields__:
        if _holds_nul(msgspec.to_builtins(getattr(frame, name))):
            if isinstance(frame, Hello):
                raise ProtocolViolation(CloseCode.MALFORMED, f"hello: {name}: no NUL")
            raise InvalidInput(name, "This text holds the character NUL, which cannot be stored.")


def _holds_nul(value: object) -> bool:
    if isinstance(value, str):
        return "\x00" in value
    if isinstance(value, dict):
        return any(_holds_nul(item) for item in value.values())
    return isinstance(value, list | tuple) and any(_holds_nul(item) for item in value)


def client_message_id_of(text: bytes) -> UUID | None:
    """Find the ``client_message_id`` in a frame that was refused, so that the error can name it."""
    try:
        return UUID(str(_ENVELOPE.decode(text).client_message_id))
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return None


def encode(frame: HubFrame) -> bytes:
    """Write a frame of ours as one WebSocket text frame."""
    return text_frame(_ENCODER.encode(frame))


def encode_event(seq: int, prev: int, data: bytes) -> bytes:
    """Splice an event's JSON object into an ``event`` frame without reading it; returns one WebSocket frame."""
    return text_frame(b'{"type":"event","seq":%d,"prev":%d,"event":%b}' % (seq, prev, data))


def text_frame(payload: bytes) -> bytes:
    """
    Put the header of an unfragmented, unmasked text frame before a payload.

    Source:
        RFC 6455 section 5.2 (December 2011).
    """
    size = len(payload)
    if size < 126:
        return b"\x81" + size.to_bytes(1, "big") + payload
    if size < 1 << 16:
        return b"\x81\x7e" + size.to_bytes(2, "big") + payload
    return b"\x81\x7f" + size.to_bytes(8, "big") + payload


def refusal(error: HubError, client_message_id: UUID | None = None) -> Error:
    """Say an error of ours in the protocol's words."""
    return Error(
        code=error.code,
        message=error.message,
        field=error.field,
        retry_after_s=error.retry_after_s,
        client_message_id=client_message_id,
    )


def _field_of(explanation: str) -> str:
    """Name the field from msgspec's words: ``… - at `$.cursor.seq` `` or ``… required field `text` ``."""
    if "`$." in explanation:
        return explanation.rsplit("`$.", 1)[1].rstrip("`")
    if "required field `" in explanation:
        return explanation.rsplit("`", 2)[1]
    return "type"
