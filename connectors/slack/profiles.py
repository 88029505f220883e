"""Asks Slack what a member is called: events carry ids only."""

from __future__ import annotations

import msgspec

from connectors.base import Account, Profile
from connectors.slack.client import ask_as, read
from hub.envelope import Identity


class _Shown(msgspec.Struct):
    display_name: str = ""
    real_name: str = ""
    image_192: str = ""
    image_72: str = ""


class _Member(msgspec.Struct):
    name: str = ""
    profile: _Shown = msgspec.field(default_factory=_Shown)


class _Found(msgspec.Struct):
    user: _Member


async def profile_of(account: Account, identity: Identity) -> Profile:
    """
    Ask for a member's name and picture; also of other organisations in shared channels.

    Raises:
        ConnectorError: ``PERMISSION`` without the scope users:read, ``RECIPIENT`` for a member nobody knows.

    Source:
        docs.slack.dev/reference/methods/users.info and its answer as @slack/web-api types it, read 2026-11-23.
    """
    answer = await ask_as(account, lambda client: client.users_info(user=identity.value))
    found = read(answer, _Found).user
    shown = found.profile
    return Profile(
        name=shown.display_name.strip() or shown.real_name.strip(),
        handle=found.name or None,
        avatar_url=shown.image_192 or shown.image_72 or None,
    )
