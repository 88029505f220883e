"""Names, shapes and counters of the ingress streams. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field

import msgspec

PARTITIONS = 16
GROUP = "intake"
# One consumer name a partition, not one a worker: a lease lets one worker at a time read it, so whoever takes the lease
# finds what the last holder left as its own pending entries at once, in order, instead of waiting for XAUTOCLAIM.
CONSUMER = "leaseholder"
# The one field of an entry: a StreamItem as msgpack (new fields may be added, readers skip what they do not know).
FIELD = b"item"


def partition_of(workspace_id: int) -> int:
    """Return the partition, 0-15, whose leaseholder stores everything of this workspace."""
    return workspace_id % PARTITIONS


def stream_key(partition: int) -> str:
    """Return the stream's key; the braces make a Redis Cluster keep everything of a partition on one node."""
    return f"in:{{{partition}}}"


class Entry(msgspec.Struct, frozen=True):
    """
    One entry of a stream as its consumer got it.

    Attributes:
        id: Redis' id, ``milliseconds-n``.
        payload: Bytes of the StreamItem; None when Redis still lists the entry as pending but has lost its content.
        deliveries: How often Redis handed it out, 1 for the first time.
    """

    id: str
    payload: bytes | None
    deliveries: int = 1


class Claimed(msgspec.Struct, frozen=True):
    """Entries taken over from a silent consumer, and ids whose content is gone: data lost before it was stored."""

    entries: list[Entry]
    lost_ids: list[str]


class Backlog(msgspec.Struct, frozen=True):
    """
    How far behind a partition is.

    Attributes:
        length: Entries held in memory, stored ones included until the next trim.
        undelivered: Entries nobody has read yet; None where Redis cannot tell.
        pending: Entries read, not acknowledged.
    """

    length: int
    undelivered: int | None
    pending: int


@dataclass(slots=True)
class StreamMetrics:
    """
    What this process's streams did; read by /metrics.

    Attributes:
        appended: Items whose durable reply came.
        append_batches: Pipelined writes that carried them.
        append_refused: Items answered with Unavailable.
        groups_missing: Alarm: a consumer group had gone, so entries may be lost.
        entries_lost: Alarm: pending entries whose content had gone.
        trimmed: Stored entries removed.
        backlog: Newest figure by partition.
    """

    appended: int = 0
    append_batches: int = 0
    append_refused: int = 0
    groups_missing: int = 0
    entries_lost: int = 0
    trimmed: int = 0
    backlog: dict[int, Backlog] = field(default_factory=dict)
