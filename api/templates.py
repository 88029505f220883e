"""The templates of a channel account: what the vendor approved, kept for an hour; and how a used one reads."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from api.call import required
from connectors import upkeep
from connectors.accounts import account_of
from hub import clock
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.channels import store
from hub.channels.model import AccountStatus, Route
from hub.envelope import Template, TemplateUse
from hub.errors import ConnectorError, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from api.call import MemberCall
    from connectors.base import Account, Connector
    from connectors.upkeep import KeptTemplates
    from hub.db import TenantConn
    from hub.inbox.rows import ConversationRow

KEPT_FOR: Final = timedelta(hours=1)
_PLACE: Final = re.compile(r"\{\{\s*([^{}\s]+)\s*\}\}")


class TemplatesView(msgspec.Struct, frozen=True):
    """
    What can be sent as a template, by name and language.

    Attributes:
        fetched_at: When the vendor was asked.
    """

    templates: tuple[Template, ...]
    fetched_at: datetime


async def read(call: MemberCall) -> TemplatesView:
    """Return an account's templates, asking the vendor when they are older than an hour."""
    connector, account = await _open(call)
    async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
        kept = await upkeep.get_templates(conn, call.actor.workspace_id, _id(call))
    if kept is not None and clock.now() - kept.fetched_at < KEPT_FOR:
        return _view(kept)
    try:
        return await _fetch(call, connector, account)
    except Unavailable:
        if kept is None:
            raise
        return _view(kept)


async def refresh(call: MemberCall) -> TemplatesView:
    """Ask the vendor for an account's templates now."""
    return await _fetch(call, *await _open(call))


async def fill_template(conn: TenantConn, row: ConversationRow, use: TemplateUse) -> str:
    """
    Return how a template reads with what a member put into it.

    Args:
        conn: A transaction of the workspace.
        row: Where it is sent.
        use: Which one, and a text for each of its variables.

    Raises:
        InvalidInput: The account has no such approved template, or a variable has no text, or is not one of its.
    """
    kept = await upkeep.get_templates(conn, row.workspace_id, row.channel_account_id)
    found = find_template(kept.templates if kept else (), use)
    for name in found.variables:
        if not use.variables.get(name, "").strip():
            raise InvalidInput("template", f"Fill in {name}.")
    if unknown := sorted(set(use.variables) - set(found.variables)):
        raise InvalidInput("template", f"This template has no variable {unknown[0]}.")
    return fill(found, use)


def find_template(templates: Sequence[Template], use: TemplateUse) -> Template:
    """Return the approved template somebody names; raises ``InvalidInput`` where there is none."""
    for one in templates:
        if (one.name, one.language) == (use.name, use.language) and one.status == "approved":
            return one
    raise InvalidInput("template", "There is no such approved template. Refresh the list.")


def fill(template: Template, use: TemplateUse) -> str:
    """Put texts into a template's places; what is put in is never read as a place again."""
    return _PLACE.sub(lambda place: use.variables.get(place[1], place[0]), template.text)


def _id(call: MemberCall) -> UUID:
    return call.path_id("channel_account_id")


async def _open(call: MemberCall) -> tuple[Connector, Account]:
    workspace_id = call.actor.workspace_id
    sealer = required(call.resources.sealer, "secret key")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        account = await store.get_channel_account(conn, workspace_id, _id(call))
        policy.require(call.actor, Permission.INBOX_REPLY, account.inbox_id, kind="channel account")
        if account.status is AccountStatus.REMOVED:
            raise NotFound("channel account")
        credentials = await store.open_credentials(conn, sealer, workspace_id, account.id)
    connector = required(call.resources.registry, "channels").get(account.channel)
    if connector.list_templates is None:
        raise NotFound("templates of this channel")
    route = Route(
        workspace_id=workspace_id,
        id=account.id,
        inbox_id=account.inbox_id,
        channel=account.channel,
        status=account.status,
        settings=account.settings,
        demo=account.demo,
    )
    return connector, account_of(route, credentials, call.resources.settings)


async def _fetch(call: MemberCall, connector: Connector, account: Account) -> TemplatesView:
    """Ask the vendor outside any transaction, then keep what it said."""
    if connector.list_templates is None:
        raise NotFound("templates of this channel")
    try:
        templates = await connector.list_templates(account)
    except Exception as error:  # edge: a vendor library may raise anything; classified, its own text is not passed on
        info = error.info if isinstance(error, ConnectorError) else connector.classify(error)
        words = f"{connector.manifest.name} could not be asked for its templates: {info.message}"
        raise Unavailable(words, info.retry_after_s or 5.0) from error
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        return _view(await upkeep.save_templates(conn, call.actor.workspace_id, _id(call), templates))


def _view(kept: KeptTemplates) -> TemplatesView:
    return TemplatesView(tuple(sorted(kept.templates, key=lambda one: (one.name, one.language))), kept.fetched_at)
