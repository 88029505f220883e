"""
Names of conversations and messages: how Slack's channels, threads and timestamps become our keys, and back. Pure.

A message is ``<channel>/<ts>``. A conversation is ``<member>`` for what somebody writes to the app directly,
``<member>/<ts>`` for a thread in there, ``<channel>/<ts>`` for a thread of any other channel.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Final

import msgspec

from hub.errors import MalformedPayload

_ID: Final = re.compile(r"[A-Z0-9]{2,32}")
_TS: Final = re.compile(r"(\d{9,10})\.(\d{1,6})")


class Place(msgspec.Struct, frozen=True):
    """
    Where a message goes.

    Attributes:
        channel: Slack's channel; a member's id (U…, W…) for the direct conversation with them.
        thread_ts: The thread's first message; empty for none.
    """

    channel: str
    thread_ts: str = ""

    @property
    def is_member(self) -> bool:
        return self.channel[:1] in ("U", "W")


def message_key(channel: str, ts: str) -> str:
    """Name a message."""
    return f"{channel}/{ts}"


def read_place(key: str) -> Place:
    """Read a message's or a conversation's name; what is none of Slack's gives an empty channel."""
    channel, _, ts = key.partition("/")
    if not _ID.fullmatch(channel):
        return Place("")
    return Place(channel, ts if _TS.fullmatch(ts) else "")


def require_id(value: str | None, field: str) -> str:
    """Return one of Slack's ids; raise ``MalformedPayload`` for anything else."""
    if value is None or not _ID.fullmatch(value):
        raise MalformedPayload("not an id of Slack's", field=field)
    return value


def require_ts(value: str | None, field: str) -> str:
    """Return one of Slack's timestamps, which are also the names of messages; or raise ``MalformedPayload``."""
    if value is None or not _TS.fullmatch(value):
        raise MalformedPayload("not a timestamp of Slack's", field=field)
    return value


def moment_of(ts: str) -> datetime:
    """Read a timestamp that was required before: seconds since 1970, with microseconds."""
    match = _TS.fullmatch(ts)
    assert match is not None
    return datetime.fromtimestamp(int(match[1]), UTC).replace(microsecond=int(match[2].ljust(6, "0")))
