"""Ingress streams over the durable Redis: raw items from webhooks and pollers wait here until they are stored."""

from hub.streams.ingress import IngressStreams
from hub.streams.model import GROUP, PARTITIONS, Backlog, Claimed, Entry, StreamMetrics, partition_of, stream_key

__all__ = [
    "GROUP",
    "PARTITIONS",
    "Backlog",
    "Claimed",
    "Entry",
    "IngressStreams",
    "StreamMetrics",
    "partition_of",
    "stream_key",
]
