"""Exports, erasures, retention and consents as members see them, and how a person is recognised in raw bytes. Pure."""

from __future__ import annotations

import hashlib
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final, Literal
from urllib.parse import quote
from uuid import UUID

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.envelope import Party
    from hub.inbox.model import MessageHeaders

EXPORT_KEPT: Final = timedelta(days=7)
RETENTION_EVERY: Final = timedelta(days=1)
# Shorter addresses would be found inside anything.
NEEDLE_CHARS: Final = 6

ExportState = Literal["queued", "running", "ready", "failed"]
ErasureState = Literal["queued", "running", "done"]
Phase = Literal["conversations", "shared", "traces", "contact", "log", "files", "done"]
PHASES: Final[tuple[Phase, ...]] = ("conversations", "shared", "traces", "contact", "log", "files", "done")
ConsentState = Literal["given", "withdrawn"]
Basis = Literal["consent", "contract", "legal_obligation", "vital_interests", "public_task", "legitimate_interests"]


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """
    What is known of one person, as a file that is made in the background.

    Attributes:
        requested_by: The member who asked; nobody else may fetch it.
        done: Files and pages written so far, of ``total``.
        size_bytes: Of the zip, once it is ready.
        expires_at: It is removed then.
    """

    id: UUID
    contact_id: UUID
    requested_by: UUID
    state: ExportState
    done: int
    total: int
    size_bytes: int
    created_at: datetime
    finished_at: datetime | None
    expires_at: datetime


class Extent(msgspec.Struct, frozen=True):
    """How much would go: conversations, messages in them, their files, and conversations of others to be redacted."""

    conversations: int
    messages: int
    files: int
    shared_conversations: int = 0

    def digest(self) -> str:
        """Return what a confirmation must repeat: it changes when something more would go."""
        return hashlib.sha256(msgspec.json.encode(self)).hexdigest()[:16]


class Erasure(msgspec.Struct, frozen=True, kw_only=True):
    """
    An erasure and how far it is; once it is done ids and counts are all that is kept.

    Attributes:
        kind: ``contact`` for a person, ``retention`` for what a policy does not keep.
        progress: Phases done, of 6.
    """

    id: UUID
    kind: Literal["contact", "retention"]
    contact_ids: tuple[UUID, ...]
    policy_id: UUID | None
    phase: Phase
    conversations: int
    messages: int
    files: int
    requested_by: UUID | None
    created_at: datetime
    finished_at: datetime | None

    @property
    def state(self) -> ErasureState:
        """Whether it waits, runs or is done."""
        if self.phase == "done":
            return "done"
        return "queued" if self.phase == "conversations" and not self.conversations else "running"

    @property
    def progress(self) -> int:
        """How many of its six phases are done."""
        return PHASES.index(self.phase)


class ErasureWork(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure as the job that does it needs it."""

    workspace_id: int
    id: UUID
    kind: Literal["contact", "retention"]
    contact_ids: tuple[UUID, ...]
    policy_id: UUID | None
    older_than: datetime | None
    phase: Phase
    addresses: tuple[str, ...]
    since: datetime
    log_seq: int
    requested_by: UUID | None


class RetentionPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """
    How long conversations of an inbox or a channel account are kept; exactly one of the two is named.

    Attributes:
        days: Since the last activity, 1-36500.
        closed_only: Whether open ones stay however old they are.
        next_run_at: When it is looked at next.
    """

    id: UUID
    inbox_id: UUID | None
    channel_account_id: UUID | None
    days: int
    closed_only: bool
    created_at: datetime
    next_run_at: datetime


class Consent(msgspec.Struct, frozen=True, kw_only=True):
    """
    One entry of a person's consents; the newest of a purpose and channel is what holds.

    Attributes:
        purpose: What for, e.g. ``newsletter``.
        channel: Kind of channel; empty for any.
        basis: Of GDPR Art. 6(1).
        source: Where it was said.
        occurred_at: When it was said; ``recorded_at`` is when we were told.
    """

    id: UUID
    contact_id: UUID
    purpose: str
    channel: str
    state: ConsentState
    basis: Basis
    source: str
    occurred_at: datetime
    recorded_by: UUID | None
    recorded_at: datetime


def needles_of(addresses: Sequence[str]) -> tuple[bytes, ...]:
    """
    Return the ways in which addresses may stand in bytes that a vendor sent.

    Args:
        addresses: Values of identities.

    Returns:
        Lower case: as they are, quoted as in a form, and a telephone number without its plus; none under 6 characters.
    """
    found: set[bytes] = set()
    for one in addresses:
        plain = one.lower()
        for form in (plain, quote(plain, safe="").lower(), plain.removeprefix("+")):
            if len(form) >= NEEDLE_CHARS:
                found.add(form.encode())
    return tuple(sorted(found))


def names_one(haystack: bytes, needles: Sequence[bytes]) -> bool:
    """Say whether some bytes hold one of the needles, in upper or lower case."""
    lowered = haystack.lower()
    return any(needle in lowered for needle in needles)


def without_parties(headers: MessageHeaders, addresses: frozenset[str]) -> MessageHeaders:
    """Return a message's headers without the people of these addresses (lower case)."""

    def others(parties: tuple[Party, ...]) -> tuple[Party, ...]:
        return tuple(one for one in parties if one.address.lower() not in addresses)

    sender = headers.sender
    return msgspec.structs.replace(
        headers,
        sender=None if sender is not None and sender.address.lower() in addresses else sender,
        to=others(headers.to),
        cc=others(headers.cc),
        bcc=others(headers.bcc),
    )
