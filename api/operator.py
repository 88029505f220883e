"""The operator's panel: workspaces, their limits and flags, suspending and entering them, health."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast
from uuid import UUID

import msgspec
from starlette.responses import Response

from api import auth
from api.auth import workspace_id_of
from api.call import required
from api.stays import end_stay
from hub import clock
from hub.accounts import store as accounts
from hub.audit.model import INSTALLATION, ActorKind, Caller
from hub.doctor.examine import examine
from hub.doctor.model import Finding, Patient
from hub.errors import InvalidInput, NotFound
from hub.installation import actions, entering, store
from hub.installation.entering import Entering
from hub.installation.model import EnteredRow, Flag, FlagState, Usage, WorkspaceRow, resolve
from hub.limit_settings import Limits
from hub.limits import actions as limits
from hub.limits import store as limit_store
from hub.limits.model import OwnLimits
from hub.migrations.head import head_revision

if TYPE_CHECKING:
    from api.call import SessionCall


class WorkspacePage(msgspec.Struct, frozen=True):
    """Newest first; ``next`` goes into ``before``."""

    workspaces: tuple[WorkspaceRow, ...]
    next: str | None


class LimitsView(msgspec.Struct, frozen=True):
    """
    What a workspace may use.

    Attributes:
        own: Its own limits, with the version a change has to name.
        defaults: The installation's, which count where its own say nothing.
    """

    own: OwnLimits
    defaults: Limits


class PersonView(msgspec.Struct, frozen=True):
    """Somebody an operator may enter as."""

    id: UUID
    name: str


class WorkspaceDetail(msgspec.Struct, frozen=True, kw_only=True):
    workspace: WorkspaceRow
    usage: Usage
    limits: LimitsView
    flags: tuple[FlagState, ...]
    entered: tuple[EnteredRow, ...]
    owners: tuple[PersonView, ...]


class LimitsRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``version`` is the one the limits were read with; 0 where none were set yet."""

    limits: Limits
    version: int


class SuspensionRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    why: str


class FlagRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """``is_on`` null takes the setting back."""

    is_on: bool | None


class FlagsView(msgspec.Struct, frozen=True):
    flags: tuple[FlagState, ...]


class EnterRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``member_id`` null enters as the oldest owner."""

    reason: str
    member_id: UUID | None = None
    minutes: int = 60


class EnteredView(msgspec.Struct, frozen=True):
    entered: EnteredRow


class HealthView(msgspec.Struct, frozen=True, kw_only=True):
    """What the doctor found: stores, streams, dead letters, jobs, disk and mail, with what to do about each."""

    findings: tuple[Finding, ...]
    schema: str


async def read_workspaces(call: SessionCall) -> WorkspacePage:
    """List the workspaces of this installation."""
    limit = call.query_int("limit", 50, low=1, high=200)
    before = call.query.get("before", "")
    if before and (not before.isdigit() or len(before) > 18):
        raise InvalidInput("before", "Use the ``next`` of the page before.")
    text = call.query.get("q", "").strip()[:200]
    part = f"%{accounts.escaped_like(text)}%" if text else None
    async with call.resources.database.across() as conn:
        rows = await store.list_workspaces(conn, part, int(before) if before else None, limit + 1)
    shown = rows[:limit]
    return WorkspacePage(tuple(shown), str(shown[-1].id) if len(rows) > limit else None)


async def read_workspace(call: SessionCall) -> WorkspaceDetail:
    """Read one workspace: what it uses and may use, its flags, and who of the operators was there."""
    workspace_id = _workspace_id(call)
    async with call.resources.database.snapshot([INSTALLATION, workspace_id]) as conn:
        workspace = await store.get_workspace(conn, workspace_id)
        return WorkspaceDetail(
            workspace=workspace,
            usage=await actions.read_usage(conn, workspace_id),
            limits=LimitsView(await limit_store.get_limits(conn, workspace_id), limits.defaults()),
            flags=resolve(await store.flags(conn, [INSTALLATION, workspace_id]), workspace_id),
            entered=tuple(await store.list_entered(conn, workspace_id)),
            owners=tuple(PersonView(one.id, one.name) for one in await store.owners(conn, workspace_id)),
        )


async def set_limits(call: SessionCall) -> LimitsView:
    """Replace what a workspace may use."""
    wanted = await call.decode(LimitsRequest)
    workspace_id = _workspace_id(call)
    async with call.resources.database.transaction([INSTALLATION, workspace_id]) as conn:
        own = await actions.set_limits(conn, _caller(call), workspace_id, wanted.limits, wanted.version)
    return LimitsView(own, limits.defaults())


async def suspend(call: SessionCall) -> WorkspaceDetail:
    """Close a workspace to its members; what customers send is still kept."""
    wanted = await call.decode(SuspensionRequest)
    workspace_id = _workspace_id(call)
    async with call.resources.database.transaction([INSTALLATION, workspace_id]) as conn:
        await actions.suspend(conn, _caller(call), workspace_id, wanted.why)
    return await read_workspace(call)


async def resume(call: SessionCall) -> WorkspaceDetail:
    """Open a suspended workspace again."""
    workspace_id = _workspace_id(call)
    async with call.resources.database.transaction([INSTALLATION, workspace_id]) as conn:
        await actions.resume(conn, _caller(call), workspace_id)
    return await read_workspace(call)


async def read_flags(call: SessionCall) -> FlagsView:
    """Say how every feature flag stands for the installation."""
    async with call.resources.database.snapshot([INSTALLATION]) as conn:
        return FlagsView(resolve(await store.flags(conn, [INSTALLATION]), INSTALLATION))


async def set_flag(call: SessionCall) -> FlagsView:
    """Switch a feature for the whole installation."""
    return await _set_flag(call, await call.decode(FlagRequest), INSTALLATION)


async def set_workspace_flag(call: SessionCall) -> FlagsView:
    """Switch a feature for one workspace."""
    return await _set_flag(call, await call.decode(FlagRequest), _workspace_id(call))


async def health(call: SessionCall) -> HealthView:
    """Look for faults, as the command ``hub doctor`` does."""
    parts = call.resources
    registry = required(parts.registry, "channels")
    patient = Patient(parts.settings, parts.frontend_dir, lambda channel: registry.get(channel).verify is not None)
    return HealthView(findings=tuple(await examine(patient)), schema=head_revision())


async def enter(call: SessionCall) -> Response:
    """Enter a workspace as one of its members, for an hour at most; its owners are told."""
    wanted = await call.decode(EnterRequest)
    workspace_id = _workspace_id(call)
    ask = Entering(
        workspace_id=workspace_id,
        operator_id=call.signed_in.login_id,
        member_id=wanted.member_id,
        reason=wanted.reason,
        minutes=wanted.minutes,
    )
    async with call.resources.database.transaction([INSTALLATION, workspace_id]) as conn:
        new = await entering.enter(conn, _caller(call), ask)
    age_s = max(1, int((new.row.expires_at - clock.now()).total_seconds()))
    cookie = auth.entered_cookie(_edge(call), new.token, age_s)
    return Response(
        msgspec.json.encode(EnteredView(new.row)), 201, headers={"set-cookie": cookie}, media_type="application/json"
    )


async def leave(call: SessionCall) -> Response:
    """Leave the workspace one has entered; one's own session goes on."""
    if call.entered is not None:
        await end_stay(call, call.entered, call.signed_in.session_id)
    return Response(status_code=204, headers={"set-cookie": auth.entered_cookie(_edge(call), "", 0)})


async def _set_flag(call: SessionCall, wanted: FlagRequest, workspace_id: int) -> FlagsView:
    try:
        name = Flag(call.path["name"])
    except ValueError:
        raise NotFound("flag") from None
    ids = sorted({INSTALLATION, workspace_id})
    async with call.resources.database.transaction(ids) as conn:
        await actions.set_flag(conn, _caller(call), workspace_id, name, is_on=wanted.is_on)
        states = resolve(await store.flags(conn, ids), workspace_id)
    if call.resources.flags is not None:
        call.resources.flags.forget()
    return FlagsView(states)


def _workspace_id(call: SessionCall) -> int:
    # Not ``workspace_id``: that name in a path promises a permission in that workspace.
    return workspace_id_of(call.path["id"])


def _caller(call: SessionCall) -> Caller:
    return Caller(ActorKind.LOGIN, call.signed_in.login_id, call.address)


def _edge(call: SessionCall) -> auth.Edge:
    return cast("auth.Edge", call.request.app.state.edge)
