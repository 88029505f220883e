"""What a person has a right to, over HTTP: exports, erasures, consents; and how long conversations are kept."""

from __future__ import annotations

import hashlib
import hmac
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec
from starlette.responses import StreamingResponse

from api.call import required
from api.paging import decode_cursor, encode_cursor
from hub import clock
from hub.accounts import standing
from hub.contacts import store as contacts
from hub.errors import InvalidInput, NotFound
from hub.privacy import actions, store
from hub.privacy.exporting import Exporting
from hub.privacy.model import (
    Basis,
    Consent,
    ConsentState,
    Erasure,
    ErasureState,
    Export,
    Extent,
    Phase,
    RetentionPolicy,
)
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.call import MemberCall

LINK_S: Final = 15 * 60
_LINK_PURPOSE: Final = "export link"


class ExportView(msgspec.Struct, frozen=True):
    """An export; ``url`` is where the caller may fetch it for 15 minutes, once it is ready and theirs."""

    export: Export
    url: str | None = None


class ExportPage(msgspec.Struct, frozen=True):
    exports: list[Export]
    next: str | None


class PreviewView(msgspec.Struct, frozen=True):
    """What an erasure would take; ``digest`` confirms that it was seen."""

    extent: Extent
    digest: str


class ErasureRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    digest: str


class ErasureView(msgspec.Struct, frozen=True, kw_only=True):
    """An erasure; ``progress`` counts phases done, of 6."""

    id: UUID
    kind: str
    contact_ids: tuple[UUID, ...]
    policy_id: UUID | None
    state: ErasureState
    phase: Phase
    progress: int
    conversations: int
    messages: int
    files: int
    requested_by: UUID | None
    created_at: datetime
    finished_at: datetime | None


class ErasurePage(msgspec.Struct, frozen=True):
    erasures: list[ErasureView]
    next: str | None


class ConsentRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    purpose: str
    state: ConsentState
    basis: Basis
    source: str
    channel: str = ""
    occurred_at: datetime | None = None


class ConsentView(msgspec.Struct, frozen=True):
    consent: Consent


class ConsentPage(msgspec.Struct, frozen=True):
    consents: list[Consent]
    next: str | None


class PolicyRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One of inbox and channel account."""

    days: int
    inbox_id: UUID | None = None
    channel_account_id: UUID | None = None
    closed_only: bool = True


class PolicyPatch(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    days: int | None = None
    closed_only: bool | None = None


class PolicyView(msgspec.Struct, frozen=True):
    policy: RetentionPolicy


class PolicyPage(msgspec.Struct, frozen=True):
    policies: list[RetentionPolicy]
    next: str | None


async def request_export(call: MemberCall) -> ExportView:
    """Ask for everything known of one person as a file, made in the background and kept for seven days."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return ExportView(await actions.request_export(conn, call.actor, call.path_id("contact_id")))


async def read_exports(call: MemberCall) -> ExportPage:
    """List the exports of one person, newest first."""
    workspace_id, (before, limit) = call.actor.workspace_id, _page(call)
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await contacts.get_contact(conn, workspace_id, call.path_id("contact_id"))
        found = await store.list_exports(conn, workspace_id, call.path_id("contact_id"), before, limit)
    return ExportPage(found, _next(found, limit))


async def read_export(call: MemberCall) -> ExportView:
    """Return one export and, for the member who asked for it, where the file is fetched."""
    export = await _export(call)
    is_theirs = export.requested_by == call.actor.member_id and call.actor.key_id is None
    return ExportView(export, _link(call, export.id) if is_theirs and export.state == "ready" else None)


async def download(call: MemberCall) -> StreamingResponse:
    """Hand the file out to the member who asked for it, by an address that was made for them."""
    export = await _export(call)
    ends, _, mac = call.query.get("token", "").partition(".")
    is_signed = (
        ends.isascii()
        and ends.isdecimal()
        and any(hmac.compare_digest(mac, _mac(key, call, export.id, ends)) for key in _keys(call).values())
    )
    if export.requested_by != call.actor.member_id or not is_signed or int(ends) <= clock.now().timestamp():
        raise NotFound("export")
    resources = call.resources
    exporting = Exporting(
        resources.database, required(resources.keeper, "file store").blobs, required(resources.sealer, "secret key")
    )
    chunks = await exporting.open(call.actor.workspace_id, export.id, clock.now())
    async with resources.database.transaction([call.actor.workspace_id]) as conn:
        details = {"export_id": str(export.id)}
        await standing.record(conn, call.actor, "contact.export_fetched", ("contact", export.contact_id), details)
    headers = {
        "content-disposition": f'attachment; filename="export-{export.contact_id}.zip"',
        "content-length": str(export.size_bytes),
        "cache-control": "no-store",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
    }
    return StreamingResponse(chunks, 200, headers, "application/zip")


async def preview_erasure(call: MemberCall) -> PreviewView:
    """Say what an erasure of one person would take."""
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        person = await store.family(conn, workspace_id, call.path_id("contact_id"))
        extent = await store.extent(conn, workspace_id, person.contact_ids)
    return PreviewView(extent, extent.digest())


async def request_erasure(call: MemberCall) -> ErasureView:
    """Have one person forgotten, as the preview said; it cannot be taken back."""
    wanted = await call.decode(ErasureRequest)
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return _shown(await actions.request_erasure(conn, call.actor, call.path_id("contact_id"), wanted.digest))


async def read_erasures(call: MemberCall) -> ErasurePage:
    """List erasures, of people and by policies, newest first."""
    workspace_id, (before, limit) = call.actor.workspace_id, _page(call)
    async with call.resources.database.snapshot([workspace_id]) as conn:
        found = await store.list_erasures(conn, workspace_id, before, limit)
    return ErasurePage([_shown(one) for one in found], _next(found, limit))


async def read_erasure(call: MemberCall) -> ErasureView:
    """Return one erasure and how far it is."""
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        return _shown(await store.get_erasure(conn, call.actor.workspace_id, call.path_id("erasure_id")))


async def record_consent(call: MemberCall) -> ConsentView:
    """Note what a person agreed to or took back."""
    wanted = await call.decode(ConsentRequest)
    consent = actions.NewConsent(**msgspec.structs.asdict(wanted))
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return ConsentView(await actions.record_consent(conn, call.actor, call.path_id("contact_id"), consent))


async def read_consents(call: MemberCall) -> ConsentPage:
    """List what a person agreed to and took back, newest first."""
    workspace_id, contact_id, (before, limit) = call.actor.workspace_id, call.path_id("contact_id"), _page(call)
    async with call.resources.database.snapshot([workspace_id]) as conn:
        await contacts.get_contact(conn, workspace_id, contact_id)
        found = await store.list_consents(conn, workspace_id, contact_id, before, limit)
    return ConsentPage(found, _next(found, limit))


async def read_policies(call: MemberCall) -> PolicyPage:
    """List how long conversations are kept, newest policy first."""
    workspace_id, (before, limit) = call.actor.workspace_id, _page(call)
    async with call.resources.database.snapshot([workspace_id]) as conn:
        found = await store.list_policies(conn, workspace_id, before, limit)
    return PolicyPage(found, _next(found, limit))


async def preview_policy(call: MemberCall) -> PreviewView:
    """Say what a policy would take if it were made now."""
    wanted = await call.decode(PolicyRequest)
    if (wanted.inbox_id is None) == (wanted.channel_account_id is None):
        raise InvalidInput("inbox_id", "Name an inbox or a channel account, one of them.")
    actions.check_days(wanted.days)
    now, workspace_id = clock.now(), call.actor.workspace_id
    policy = RetentionPolicy(
        id=clock.new_id(),
        inbox_id=wanted.inbox_id,
        channel_account_id=wanted.channel_account_id,
        days=wanted.days,
        closed_only=wanted.closed_only,
        created_at=now,
        next_run_at=now,
    )
    async with call.resources.database.snapshot([workspace_id]) as conn:
        extent, _ = await store.old_extent(conn, workspace_id, policy, now - timedelta(days=wanted.days))
    return PreviewView(extent, extent.digest())


async def create_policy(call: MemberCall) -> PolicyView:
    """Say how long conversations of an inbox or a channel account are kept."""
    wanted = await call.decode(PolicyRequest)
    policy = actions.NewPolicy(**msgspec.structs.asdict(wanted))
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return PolicyView(await actions.add_policy(conn, call.actor, policy))


async def change_policy(call: MemberCall) -> PolicyView:
    """Say anew how long."""
    wanted, policy_id = await call.decode(PolicyPatch), call.path_id("policy_id", "retention policy")
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        changed = await actions.change_policy(
            conn, call.actor, policy_id, days=wanted.days, closed_only=wanted.closed_only
        )
    return PolicyView(changed)


async def remove_policy(call: MemberCall) -> None:
    """Keep conversations for ever again."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        await actions.remove_policy(conn, call.actor, call.path_id("policy_id", "retention policy"))


async def _export(call: MemberCall) -> Export:
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        export = await store.get_export(conn, call.actor.workspace_id, call.path_id("export_id"))
    if export.contact_id != call.path_id("contact_id"):
        raise NotFound("export")
    return export


def _link(call: MemberCall, export_id: UUID) -> str:
    ends = str(int(clock.now().timestamp()) + LINK_S)
    keys = _keys(call)
    place = f"/api/v1/workspaces/{call.actor.workspace_id}/contacts/{call.path['contact_id']}/exports/{export_id}"
    return f"{place}/file?token={ends}.{_mac(keys[writing_version(keys)], call, export_id, ends)}"


def _keys(call: MemberCall) -> dict[int, bytes]:
    return required(call.resources.sealer, "secret key").derive_keys(_LINK_PURPOSE)


def _mac(key: bytes, call: MemberCall, export_id: UUID, ends: str) -> str:
    said = f"{call.actor.workspace_id}:{export_id}:{call.actor.member_id}:{ends}"
    return hmac.digest(key, said.encode(), hashlib.sha256).hex()


def _shown(one: Erasure) -> ErasureView:
    return ErasureView(**msgspec.structs.asdict(one), state=one.state, progress=one.progress)


def _page(call: MemberCall) -> tuple[UUID | None, int]:
    limit, text = call.query_int("limit", 50, low=1, high=200), call.query.get("before", "")
    try:
        return (UUID(decode_cursor(text, 1)[0]) if text else None), limit
    except ValueError:
        raise InvalidInput("before", "This is not a cursor of ours.") from None


def _next(
    found: Sequence[Export] | Sequence[Erasure] | Sequence[Consent] | Sequence[RetentionPolicy], limit: int
) -> str | None:
    return encode_cursor((str(found[-1].id),)) if len(found) == limit else None
