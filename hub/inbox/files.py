"""Files in messages: what a received item's become, what may be sent where, and how the list names them. Pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub.attachments.kinds import UNKNOWN, clean_mime, declared_kind, kind_of, matches
from hub.attachments.model import COUNT_LIMIT, Attachment, AttachmentRow, clean_filename
from hub.envelope import clean_text
from hub.errors import InvalidInput

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.envelope import AttachmentRef
    from hub.inbox.batch import ReceivedItem
    from hub.inbox.plan import Plan
    from hub.inbox.rows import MessageRow

# An event is one frame of at most 64 KiB, and mail takes most of it: files beyond these are kept, and those that belong
# into the formatted text are shown there.
SHOWN_LIMIT: Final = 25
# Of one received message; a mail with more is no letter.
RECEIVED_LIMIT: Final = 100
_REF_LIMIT_CHARS: Final = 4000
_CID_LIMIT_CHARS: Final = 500
_SHOWN_NAME_CHARS: Final = 100

_WORDS: Final = {"image": "Photo", "video": "Video", "audio": "Audio"}


class FileLimits(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a channel takes.

    Attributes:
        allowed: Whether files go out at all.
        each_bytes: Largest file, 0 for any.
        all_bytes: Largest sum of a message's files, 0 for any.
        count: Most files of a message, 0 for the hub's own limit.
        mimes: What may be sent, e.g. ``image/*``; empty for anything.
    """

    allowed: bool = True
    each_bytes: int = 0
    all_bytes: int = 0
    count: int = 0
    mimes: tuple[str, ...] = ()


# Notes go nowhere.
NOTE_LIMITS: Final = FileLimits()


def plan_attachments(plan: Plan, received: ReceivedItem, message: MessageRow) -> tuple[Attachment, ...]:
    """
    Make the rows of an item's files, to be fetched at once.

    Args:
        plan: Takes the rows.
        received: The item; a visitor's uploads are in the store already.
        message: The message they belong to.

    Returns:
        What the message shows of them, pictures inside a formatted text last.
    """
    if received.uploads:
        return received.uploads
    rows = [
        _make_row(plan, received, message, ref)
        for ref in received.item.attachments[:RECEIVED_LIMIT]
        if len(ref.ref) <= _REF_LIMIT_CHARS
    ]
    plan.writes.attachments.extend(rows)
    ordered = sorted(rows, key=lambda row: row.inline)
    return tuple(_short(row.view()) for row in ordered[:SHOWN_LIMIT])


def file_ids_needed(received: ReceivedItem) -> int:
    """Return how many ids an item's files use up."""
    return min(len(received.item.attachments), RECEIVED_LIMIT)


def describe_received(received: ReceivedItem) -> str:
    """Name an item's files in the list of conversations; empty where it has none."""
    if received.uploads:
        return describe(received.uploads)
    refs = [one for one in received.item.attachments if one.inline_cid is None]
    named = [(_kind(one), clean_filename(clean_text(one.filename or ""))) for one in refs]
    return _describe(named)


def describe(attachments: Sequence[Attachment]) -> str:
    """Name files in the list of conversations, e.g. ``Photo`` or ``3 files``; empty where there are none."""
    return _describe([(one.kind, one.filename) for one in attachments])


def check_sendable(attachments: Sequence[Attachment], limits: FileLimits) -> None:
    """
    Refuse files the channel would refuse, before they are queued.

    Raises:
        InvalidInput: ``attachments``: says which and why.
    """
    if not attachments:
        return
    if not limits.allowed:
        raise InvalidInput("attachments", "This channel takes no files.")
    count = min(limits.count or COUNT_LIMIT, COUNT_LIMIT)
    if len(attachments) > count:
        raise InvalidInput("attachments", f"This channel takes at most {count} files a message.")
    for one in attachments:
        if limits.each_bytes and one.size_bytes > limits.each_bytes:
            words = f"{one.filename} is too large for this channel: at most {_megabytes(limits.each_bytes)}."
            raise InvalidInput("attachments", words)
        if not matches(one.mime, limits.mimes):
            raise InvalidInput("attachments", f"{one.filename} is of a kind this channel does not take ({one.mime}).")
    if limits.all_bytes and sum(one.size_bytes for one in attachments) > limits.all_bytes:
        words = f"These files are too large together: this channel takes {_megabytes(limits.all_bytes)}."
        raise InvalidInput("attachments", words)


def with_changed(shown: tuple[Attachment, ...], row: AttachmentRow) -> tuple[Attachment, ...]:
    """Return a message's files with one as it is now."""
    return tuple(_short(row.view()) if one.id == row.id else one for one in shown)


def _make_row(plan: Plan, received: ReceivedItem, message: MessageRow, ref: AttachmentRef) -> AttachmentRow:
    mime = clean_mime(ref.mime or "")
    kind = _kind(ref)
    return AttachmentRow(
        workspace_id=received.workspace_id,
        id=plan.new_id(),
        message_id=message.id,
        conversation_id=message.conversation_id,
        channel_account_id=received.channel_account_id,
        kind=kind,
        filename=clean_filename(clean_text(ref.filename or ""), mime, kind),
        mime=mime or UNKNOWN,
        size_bytes=max(0, min(ref.size_bytes or 0, 2**40)),
        inline=ref.inline_cid is not None,
        inline_cid=clean_text(ref.inline_cid)[:_CID_LIMIT_CHARS] if ref.inline_cid else None,
        ref=clean_text(ref.ref),
        raw_item_id=received.raw_item_id,
        due_at=plan.now,
        created_at=plan.now,
    )


def _kind(ref: AttachmentRef) -> str:
    if ref.mime:
        return kind_of(clean_mime(ref.mime)) if declared_kind(ref.mime) != "image" else "image"
    return ref.kind if ref.kind in _WORDS else "file"


def _short(view: Attachment) -> Attachment:
    """Events carry a name that fits them; the file itself is saved under the whole one."""
    if len(view.filename) <= _SHOWN_NAME_CHARS:
        return view
    stem, dot, extension = view.filename.rpartition(".")
    tail = f"{dot}{extension}" if dot and len(extension) <= 8 else ""
    room = _SHOWN_NAME_CHARS - len(tail) - 1
    return msgspec.structs.replace(view, filename=f"{(stem if tail else view.filename)[:room]}…{tail}")


def _describe(named: Sequence[tuple[str, str]]) -> str:
    if len(named) != 1:
        return f"{len(named)} files" if named else ""
    kind, filename = named[0]
    return _WORDS.get(kind, filename)


def _megabytes(size_bytes: int) -> str:
    return f"{size_bytes / 1_000_000:.1f}".removesuffix(".0") + " MB"
