"""What a workspace may use, and what ``HUB_LIMITS`` says for those without own limits. Called by ``config``."""

from __future__ import annotations

import re
from typing import Annotated, Final

import msgspec

from hub.errors import ConfigurationError

Most = Annotated[int, msgspec.Meta(ge=0, le=2**53)]
Some = Annotated[int, msgspec.Meta(ge=1, le=2**53)]
Calls = Annotated[int, msgspec.Meta(ge=1, le=1_000_000)]
_AT: Final = re.compile(r"at `\$\.(\w+)`")
_LEAST_ONE: Final = ("members", "sockets", "workspace_calls_per_minute")
_UNKNOWN: Final = re.compile(r"unknown field `(.*?)`", re.DOTALL)


class Limits(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Most a workspace may have; None is no limit, or in a workspace's own row the installation's default.

    Attributes:
        members: Active ones and open invitations together.
        channel_accounts: Those not removed.
        storage_bytes: Of all files kept.
        sockets: Members' open ones, over all processes.
        messages_per_day: Sent by members, in one day of UTC; what comes in is never refused.
        workspace_calls_per_minute: Of the API, all callers together; 20,000 where None.
    """

    members: Some | None = None
    channel_accounts: Most | None = None
    storage_bytes: Most | None = None
    sockets: Some | None = None
    messages_per_day: Most | None = None
    workspace_calls_per_minute: Calls | None = None


def read_limits(text: str) -> Limits:
    """
    Read the installation's default limits.

    Args:
        text: ``HUB_LIMITS``: a JSON object with fields of ``Limits``; empty sets none.

    Raises:
        ConfigurationError: It is no such object; the text names the limit that is wrong.
    """
    try:
        return msgspec.json.decode(text, type=Limits) if text.strip() else Limits()
    except msgspec.DecodeError as error:
        raise ConfigurationError(_words(str(error)), field="HUB_LIMITS") from None


def _words(said: str) -> str:
    if unknown := _UNKNOWN.search(said):
        names = ", ".join(Limits.__struct_fields__)
        return f"HUB_LIMITS has no limit {unknown[1][:40]!r}. There are: {names}."
    if wrong := _AT.search(said):
        least = int(wrong[1] in _LEAST_ONE)
        most = "1,000,000" if wrong[1] == "workspace_calls_per_minute" else f"{2**53:,}"
        return f"HUB_LIMITS: {wrong[1]} must be a whole number from {least} to {most}, or null."
    return 'HUB_LIMITS must be a JSON object such as {"members": 5}.'
