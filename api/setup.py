"""The first screen: makes the workspace and its owner, once. The token comes with the address printed at start."""

from __future__ import annotations

import hmac
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from api.session import answer_with_cookie
from hub.accounts import actions, sessions, store
from hub.accounts.model import SetUp
from hub.audit.model import ActorKind, Caller
from hub.errors import Conflict, Forbidden

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.call import Call


class SetUpState(msgspec.Struct, frozen=True):
    needs_setup: bool


class SetUpRequest(SetUp, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the first screen sends: the owner's answers, and the token of the address that was printed."""

    token: str


class SetUpDone(msgspec.Struct, frozen=True):
    workspace_id: int
    member_id: UUID


async def read(call: Call) -> SetUpState:
    """Say whether this hub still waits for its owner."""
    async with call.resources.database.across() as conn:
        return SetUpState(needs_setup=not await store.has_owner(conn))


async def create(call: Call) -> Response:
    """Make the workspace and its owner, and sign the owner in."""
    wanted = await call.decode(SetUpRequest)
    await _require_open(call, wanted.token)
    parts = call.resources
    # Whoever holds the printed token is the operator.
    caller = Caller(ActorKind.OPERATOR, address=call.address)
    owner = await actions.set_up(parts.database, parts.passwords, wanted, caller)
    async with parts.database.across() as conn:
        new = await sessions.start(conn, owner.login_id, user_agent=call.request.headers.get("user-agent", ""))
    return answer_with_cookie(call, SetUpDone(owner.workspace_id, owner.member_id), new.token)


async def _require_open(call: Call, token: str) -> None:
    """An installation with an owner says so before it looks at the token: an old printed address is no mystery."""
    async with call.resources.database.across() as conn:
        if await store.has_owner(conn):
            raise Conflict("This hub is set up already. Sign in instead.")
    wanted = call.resources.setup_token
    if not wanted or not hmac.compare_digest(wanted.encode(), token.encode()):
        raise Forbidden("This set-up address is not valid any more. Open the newest one the hub printed.")
