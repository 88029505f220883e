"""A person's own page: name, time zone, language, picture; the same in all of their workspaces."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from api.call import required
from hub.accounts import people_store, profile, store
from hub.accounts.people import Profile, ProfileChange
from hub.contacts import profiles
from hub.errors import InvalidInput, NotFound
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import Call, SessionCall

UPLOAD_BYTES: Final = 8 * 1024 * 1024
# A member's picture; a contact's has its workspace before it.
_TOKEN: Final = re.compile(r"(?:([0-9]{1,18})-)?([0-9a-f]{32})")


class ProfileView(msgspec.Struct, frozen=True):
    profile: Profile


async def read(call: SessionCall) -> ProfileView:
    """Return the caller's profile."""
    async with call.resources.database.across() as conn:
        return ProfileView(await people_store.login_profile(conn, call.signed_in.login_id))


async def change(call: SessionCall) -> ProfileView:
    """Change the caller's name, time zone or language."""
    wanted = await call.decode(ProfileChange)
    login_id = call.signed_in.login_id
    async with call.resources.database.across() as conn:
        joined = await store.memberships(conn, login_id)
    async with call.resources.database.transaction([one.workspace_id for one in joined]) as conn:
        return ProfileView(await profile.change_profile(conn, login_id, joined, wanted))


async def put_avatar(call: SessionCall) -> ProfileView:
    """Take a JPEG, PNG, GIF or WebP as the caller's picture; it is made anew, small and without its EXIF."""
    key = f"avatar:login:{call.signed_in.login_id}"
    await call.resources.throttle.take((Allowance(key, times=20, window_s=3600),))
    drawn = await required(call.resources.keeper, "file store").draw_thumbnail(await call.body(UPLOAD_BYTES))
    if drawn is None:
        raise InvalidInput("picture", "Send a picture: JPEG, PNG, GIF or WebP.")
    return await _set_avatar(call, drawn)


async def remove_avatar(call: SessionCall) -> ProfileView:
    """Take the caller's picture away."""
    return await _set_avatar(call, b"")


async def read_avatar(call: Call) -> Response:
    """Answer a member's or contact's picture by its address, which nobody guesses; it changes with the picture."""
    named = _TOKEN.fullmatch(call.path["token"])
    if named is None:
        raise NotFound("picture")
    workspace, token = named.groups()
    if workspace is None:
        async with call.resources.database.across() as conn:
            webp = await people_store.read_avatar(conn, token)
    else:
        async with call.resources.database.transaction([int(workspace)]) as conn:
            webp = await profiles.read_avatar(conn, int(workspace), token)
    if webp is None:
        raise NotFound("picture")
    # A contact may be erased; browsers then forget the picture within a day.
    kept = "max-age=31536000, immutable" if workspace is None else "max-age=86400"
    headers = {"cache-control": f"private, {kept}", "content-disposition": "inline"}
    return Response(webp, media_type="image/webp", headers=headers)


async def _set_avatar(call: SessionCall, webp: bytes) -> ProfileView:
    login_id = call.signed_in.login_id
    async with call.resources.database.across() as conn:
        joined = await store.memberships(conn, login_id)
    async with call.resources.database.transaction([one.workspace_id for one in joined]) as conn:
        return ProfileView(await profile.set_avatar(conn, login_id, joined, webp))
