"""An operator enters a workspace as one of its members: said why, for an hour at most, told to its owners."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import sessions
from hub.accounts import store as accounts
from hub.accounts.model import StartedSession
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION
from hub.errors import Forbidden, InvalidInput, NotFound
from hub.events import store as events
from hub.installation import store
from hub.installation.actions import check_reason
from hub.installation.model import MOST_ENTERED, EnteredRow
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template
from hub.notices import actions as notices
from hub.notices.model import Kind, News, Telling

if TYPE_CHECKING:
    from uuid import UUID

    from hub.audit.model import Caller
    from hub.db import TenantConn

_AGENT: Final = "Operator of this hub"


class Entering(msgspec.Struct, frozen=True, kw_only=True):
    """
    What an operator asks for.

    Attributes:
        member_id: As whom; None takes the workspace's oldest owner.
        reason: 3-500 characters; the owners read it.
        minutes: 1-60.
    """

    workspace_id: int
    operator_id: UUID
    member_id: UUID | None
    reason: str
    minutes: int = 60


class NewEntered(msgspec.Struct, frozen=True):
    """A stay that began; ``token`` is the session's secret."""

    token: str
    row: EnteredRow


async def enter(conn: TenantConn, caller: Caller, wanted: Entering) -> NewEntered:
    """
    Begin an operator's stay.

    Args:
        conn: A fresh transaction of the workspace and of the installation.
        caller: The operator.
        wanted: Where, as whom, why, for how long.

    Raises:
        InvalidInput: No reason, or too long a time.
        NotFound: There is no such workspace or member.
        Forbidden: The workspace's owners do not let operators in.
    """
    reason = check_reason("reason", wanted.reason)
    if not 1 <= wanted.minutes <= MOST_ENTERED.total_seconds() // 60:
        raise InvalidInput("minutes", "Stay for 1 to 60 minutes.")
    if wanted.workspace_id not in await events.lock(conn, [wanted.workspace_id]):
        raise NotFound("workspace")
    if not await store.lets_operators_in(conn, wanted.workspace_id):
        raise Forbidden("The owners of this workspace let no operator in. Ask them to change it in their settings.")
    owners = await store.owners(conn, wanted.workspace_id)
    member_id = wanted.member_id or (owners[0].id if owners else None)
    if member_id is None:
        raise NotFound("member")
    login_id = await store.login_of_member(conn, wanted.workspace_id, member_id)
    token, now = clock.new_token(), clock.now()
    row = EnteredRow(
        session_id=clock.new_id(),
        operator_id=wanted.operator_id,
        member_id=member_id,
        reason=reason,
        began_at=now,
        expires_at=now + timedelta(minutes=wanted.minutes),
        ended_at=None,
    )
    session = StartedSession(
        id=row.session_id,
        login_id=login_id,
        made_at=now,
        expires_at=row.expires_at,
        user_agent=_AGENT,
        address=caller.address,
    )
    await accounts.add_session(conn, sessions.token_hash(token), session)
    await store.add_entered(conn, wanted.workspace_id, row)
    await _record(conn, caller, wanted.workspace_id, "workspace.entered", row)
    await _tell(conn, wanted.workspace_id, row, owners)
    return NewEntered(token, row)


async def leave(conn: TenantConn, caller: Caller, workspace_id: int, session_id: UUID) -> bool:
    """
    End an operator's stay, by the operator or by an owner.

    Args:
        conn: A transaction of the workspace and of the installation.
        caller: Who ends it.
        workspace_id: Tenant.
        session_id: Of the stay.

    Returns:
        False where it had ended.
    """
    ended = await store.end_entered(conn, workspace_id, session_id, clock.now())
    if ended:
        details = {"session_id": str(session_id)}
        for place in (INSTALLATION, workspace_id):
            entry = audit.made_by(caller, place, "workspace.left", ("workspace", workspace_id), details)
            await audit.record(conn, entry)
    return ended


async def _record(conn: TenantConn, caller: Caller, workspace_id: int, action: str, row: EnteredRow) -> None:
    details = {
        "operator_id": str(row.operator_id),
        "as_member": str(row.member_id),
        "reason": row.reason,
        "session_id": str(row.session_id),
        "until": row.expires_at.isoformat(),
    }
    for place in (INSTALLATION, workspace_id):
        await audit.record(conn, audit.made_by(caller, place, action, ("workspace", workspace_id), details))


async def _tell(conn: TenantConn, workspace_id: int, row: EnteredRow, owners: list[store.Owner]) -> None:
    telling = Telling(
        kind=Kind.SECURITY,
        subject=f"entered:{row.session_id}",
        at=row.began_at,
        member_ids=frozenset(one.id for one in owners),
        detail=News.OPERATOR_ENTERED.value,
    )
    await notices.tell(conn, workspace_id, [telling])
    name = (await accounts.get_workspace(conn, workspace_id)).name
    for owner in owners:
        login = await accounts.get_login(conn, owner.login_id)
        fields = {
            "name": owner.name,
            "workspace": name,
            "reason": row.reason,
            "at": f"{row.began_at:%Y-%m-%d %H:%M} UTC",
            "until": f"{row.expires_at:%Y-%m-%d %H:%M} UTC",
        }
        mail = Mail(to=owner.email, template=Template.OPERATOR_ENTERED, fields=fields, locale=login.locale or "en")
        await mailer.queue(conn, mail)
