"""How an operator's stay in a workspace ends, by whatever call. Called by ``session.py`` and ``operator.py``."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from api import auth
from hub.accounts import sessions, store
from hub.audit.model import INSTALLATION, ActorKind, Caller
from hub.installation import entering

if TYPE_CHECKING:
    from uuid import UUID

    from api.call import Call
    from hub.accounts.model import Entered


async def end_stay(call: Call, entered: Entered, session_id: UUID) -> None:
    """End a stay, note it in both logs, and close its sockets; one that had ended is fine."""
    caller = Caller(ActorKind.LOGIN, entered.operator_id, call.address)
    async with call.resources.database.transaction([INSTALLATION, entered.workspace_id]) as conn:
        await entering.leave(conn, caller, entered.workspace_id, session_id)
    if call.resources.realtime is not None:
        call.resources.realtime.announce_revocation([entered.workspace_id])


async def end_stay_of_browser(call: Call) -> None:
    """End the stay whose cookie came with a call: whoever signs in or out here has left it."""
    edge = cast("auth.Edge", call.request.app.state.edge)
    token = call.request.cookies.get(auth.entered_name(edge.cookie_name))
    if not token:
        return
    async with call.resources.database.across() as conn:
        signed_in = await store.find_session(conn, sessions.token_hash(token))
    if signed_in is None:
        return
    entered = await store.find_entered(call.resources.database, signed_in.session_id)
    if entered is not None:
        await end_stay(call, entered, signed_in.session_id)
