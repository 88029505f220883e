"""Every change of a person that holds in all of their workspaces: name, time zone, language, picture."""

from __future__ import annotations

import re
import secrets
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import actions, people_store, store
from hub.accounts.model import MemberChanged
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, ActorKind, Entry
from hub.errors import InvalidInput
from hub.events import store as events

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from hub.accounts.model import Membership
    from hub.accounts.people import Profile, ProfileChange
    from hub.db import TenantConn

# A picture of 320 pixels a side is far below; the table takes no more.
AVATAR_BYTES: Final = 256 * 1024
# Region/City, and the few names without a region; not the database's own posix/… and localtime.
_ZONE: Final = re.compile(r"[A-Z][A-Za-z0-9_+-]{0,30}(?:/[A-Z][A-Za-z0-9_+-]{0,30}){0,2}")
# Language, script and region of BCP 47, as browsers send them.
_LOCALE: Final = re.compile(r"[a-z]{2,3}(?:-[A-Z][a-z]{3})?(?:-(?:[A-Z]{2}|[0-9]{3}))?")


async def change_profile(
    conn: TenantConn, login_id: UUID, joined: Sequence[Membership], change: ProfileChange
) -> Profile:
    """
    Change what a person says of themselves; their name changes in all of their workspaces.

    Args:
        conn: A fresh transaction that named those workspaces.
        login_id: Whose.
        joined: Their memberships.
        change: What.

    Raises:
        InvalidInput: A name, time zone or locale that is none.

    Source:
        RFC 5646 section 2.1 (2009): language tags. IANA time zone database: names of zones.
    """
    heads = await events.lock(conn, [one.workspace_id for one in joined])
    before = await people_store.login_profile(conn, login_id)
    after = msgspec.structs.replace(
        before,
        name=before.name if change.name is None else actions.clean_name("name", change.name),
        time_zone=before.time_zone if change.time_zone is None else await _time_zone(conn, change.time_zone),
        locale=before.locale if change.locale is None else _locale(change.locale),
    )
    await people_store.change_profile(conn, login_id, after)
    await _record(conn, login_id, "profile.changed")
    if after.name != before.name:
        await _tell(conn, heads, joined, name=after.name)
    return after


async def set_avatar(conn: TenantConn, login_id: UUID, joined: Sequence[Membership], webp: bytes) -> Profile:
    """
    Give a person a picture at a new address; the old address is gone.

    Args:
        conn: A fresh transaction that named their workspaces.
        login_id: Whose.
        joined: Their memberships.
        webp: Made by us from what they sent; empty takes the picture away.
    """
    if len(webp) > AVATAR_BYTES:
        raise InvalidInput("picture", "This picture cannot be made small enough.")
    heads = await events.lock(conn, [one.workspace_id for one in joined])
    before = await people_store.login_profile(conn, login_id)
    after = msgspec.structs.replace(before, avatar=secrets.token_hex(16) if webp else "")
    if webp:
        await people_store.put_avatar(conn, login_id, after.avatar, webp, clock.now())
    else:
        await people_store.drop_avatar(conn, login_id)
    await people_store.change_profile(conn, login_id, after)
    await _record(conn, login_id, "profile.picture_changed")
    await _tell(conn, heads, joined, avatar=after.avatar)
    return after


async def _tell(conn: TenantConn, heads: dict[int, int], joined: Sequence[Membership], **changed: str) -> None:
    for one in joined:
        before = await store.get_member(conn, one.workspace_id, one.member_id)
        after = msgspec.structs.replace(before, **changed, version=heads[one.workspace_id] + 1)
        await store.change_member(conn, one.workspace_id, after)
        event = actions.member_event(one.workspace_id, MemberChanged(after), one.member_id)
        await events.append(conn, heads, [event])


async def _record(conn: TenantConn, login_id: UUID, action: str) -> None:
    """Of the installation: no single workspace owns a person."""
    entry = Entry(
        workspace_id=INSTALLATION,
        action=action,
        actor_kind=ActorKind.LOGIN,
        actor_id=login_id,
        target_kind="login",
        target_id=str(login_id),
    )
    await audit.record(conn, entry)


async def _time_zone(conn: TenantConn, name: str) -> str:
    if name and not (_ZONE.fullmatch(name) and await people_store.is_time_zone(conn, name)):
        raise InvalidInput("time_zone", "Choose a time zone such as Europe/Vienna.")
    return name


def _locale(text: str) -> str:
    if text and not _LOCALE.fullmatch(text):
        raise InvalidInput("locale", "Use a language such as en or de-AT.")
    return text
