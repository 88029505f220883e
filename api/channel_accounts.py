"""Connecting, changing, testing and removing channel accounts. Secrets come in here and never go out again."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Literal
from uuid import UUID

import msgspec

from api.call import required
from api.etag import Seen, require_mergeable, wanted_version
from connectors.accounts import account_of, is_loopback, webhook_url
from connectors.base import Checked
from connectors.cursors import Health, list_health
from connectors.forms import Form, generate, generate_credentials, read_changes, read_form
from hub import clock
from hub.accounts.policy import sees
from hub.channels import actions, store
from hub.channels.model import AccountChange, AccountStatus, ChannelAccount, NewAccount, Route
from hub.errors import ConnectorError, ErrorClass, InvalidInput, NotFound, Unavailable

if TYPE_CHECKING:
    from api.call import Call, MemberCall
    from connectors.base import Account, Connector, Manifest

# The vendor could not be asked, which says nothing about the keys.
_PASSING = frozenset({ErrorClass.RETRYABLE, ErrorClass.RATE_LIMITED, ErrorClass.AMBIGUOUS})


class ConnectRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The filled-in connect form; does not show secrets in text."""

    channel: str
    name: str
    credentials: dict[str, str] = {}
    settings: dict[str, str] = {}
    inbox_id: UUID | None = None

    def __repr__(self) -> str:
        return f"ConnectRequest(channel={self.channel!r})"


class ChangeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What to change; fields left out, and credentials and settings not named, stay as they are."""

    name: str | None = None
    status: Literal["connected", "paused"] | None = None
    credentials: dict[str, str] | None = None
    settings: dict[str, str] | None = None

    def __repr__(self) -> str:
        return f"ChangeRequest(status={self.status})"


class ConnectedView(msgspec.Struct, frozen=True, kw_only=True):
    """
    A saved account.

    Attributes:
        webhook_url: What to enter at the vendor; empty for channels without webhooks.
        warnings: Sentences for the member: saved, but something will not work yet.
        health: How reading it goes, where it is read; see ``connectors.cursors.Health``.
    """

    id: UUID
    webhook_url: str
    channel_account: ChannelAccount
    warnings: tuple[str, ...]
    health: Health = Health()


class AccountsView(msgspec.Struct, frozen=True):
    channel_accounts: tuple[ConnectedView, ...]


class TestedView(msgspec.Struct, frozen=True):
    """What the vendor said of the keys; ``message`` is for people."""

    ok: bool
    message: str


class SecretView(msgspec.Struct, frozen=True):
    """A renewed secret, shown this once."""

    name: str
    value: str

    def __repr__(self) -> str:
        return f"SecretView(name={self.name!r})"


async def read_all(call: MemberCall) -> AccountsView:
    """Return the accounts that are not removed, oldest first."""
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        accounts = await store.list_channel_accounts(conn, workspace_id, call.actor.visible_inboxes)
        kept = [one for one in accounts if one.status is not AccountStatus.REMOVED]
        health = await list_health(conn, workspace_id, [one.id for one in kept])
    views = (_view(call, one, ()) for one in kept)
    return AccountsView(tuple(msgspec.structs.replace(one, health=health.get(one.id, Health())) for one in views))


async def connect(call: MemberCall) -> ConnectedView:
    """Check a form and its keys with the vendor, then save the account."""
    wanted = await call.decode(ConnectRequest)
    connector = connector_of(call, wanted.channel)
    form = read_form(connector.manifest, wanted.credentials, wanted.settings)
    generated = generate_credentials(connector.manifest, clock.new_token)
    form = Form({**form.credentials, **generated}, form.settings)
    new = NewAccount(
        workspace_id=call.actor.workspace_id,
        id=clock.new_id(),
        channel=connector.manifest.id,
        name=wanted.name,
        credentials=form.credentials,
        settings=form.settings,
        inbox_id=wanted.inbox_id,
        actor_id=call.actor.member_id,
        address=call.address,
    )
    actions.check_name(new.name)
    await require_inbox(call, wanted.inbox_id)
    checked = await _check(call, connector, route_of(new.workspace_id, new.id, wanted.channel, form), form)
    new = msgspec.structs.replace(new, external_ref=checked.external_ref)
    async with call.resources.database.transaction([new.workspace_id]) as conn:
        account = await actions.connect(conn, required(call.resources.sealer, "secret key"), new)
    return _view(call, account, checked.warnings)


async def change(call: MemberCall) -> ConnectedView:
    """Change an account; new keys or settings are checked with the vendor before they are saved."""
    wanted = await call.decode(ChangeRequest)
    account, old = await open_fresh(call)
    connector = connector_of(call, account.channel)
    form = read_changes(connector.manifest, old, wanted.credentials, wanted.settings)
    signs_in = wanted.status == "connected" and account.status is AccountStatus.NEEDS_SIGN_IN
    checked = Checked()
    if form != old or wanted.credentials or signs_in:
        route = route_of(call.actor.workspace_id, account.id, account.channel, form, demo=account.demo)
        checked = await _check(call, connector, route, form)
    replaces = form.credentials != old.credentials or bool(wanted.credentials)
    change_ = AccountChange(
        workspace_id=call.actor.workspace_id,
        id=account.id,
        name=wanted.name,
        credentials=form.credentials if replaces else None,
        read_credentials=old.credentials,
        settings=form.settings if form.settings != old.settings else None,
        external_ref=checked.external_ref or None,
        status=AccountStatus(wanted.status) if wanted.status else None,
        actor_id=call.actor.member_id,
        address=call.address,
    )
    seen = Seen(change_.workspace_id, "channel_account", wanted_version(call.request))
    async with call.resources.database.transaction([change_.workspace_id]) as conn:
        await require_mergeable(
            conn,
            seen,
            lambda: store.get_channel_account(conn, change_.workspace_id, change_.id),
            _changes(wanted),
        )
        account = await actions.change(conn, required(call.resources.sealer, "secret key"), change_)
    return _view(call, account, checked.warnings)


async def remove(call: MemberCall) -> None:
    """Disconnect an account and forget its secrets; its conversations stay."""
    async with call.resources.database.transaction([call.actor.workspace_id]) as conn:
        account = visible(call, await store.get_channel_account(conn, call.actor.workspace_id, _id(call)))
        workspace_id, member_id = call.actor.workspace_id, call.actor.member_id
        await actions.remove(conn, workspace_id, account.id, member_id, address=call.address)


async def renew_secret(call: MemberCall) -> SecretView:
    """Make a new value of a generated credential and show it this once; the old one is void at once."""
    account, form = await _open(call)
    name = call.path["name"]
    fields = {one.name: one for one in connector_of(call, account.channel).manifest.credentials if one.generated}
    if name not in fields:
        raise NotFound("secret")
    value = generate(fields[name], clock.new_token)
    wanted = AccountChange(
        workspace_id=call.actor.workspace_id,
        id=account.id,
        credentials={**form.credentials, name: value},
        read_credentials=form.credentials,
        actor_id=call.actor.member_id,
        address=call.address,
    )
    async with call.resources.database.transaction([wanted.workspace_id]) as conn:
        await actions.change(conn, required(call.resources.sealer, "secret key"), wanted)
    return SecretView(name=name, value=value)


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def connector_of(call: Call, channel: str) -> Connector:
    """Return a channel's functions; ``InvalidInput`` where there is no such channel."""
    try:
        return required(call.resources.registry, "channels").get(channel)
    except NotFound:
        raise InvalidInput("channel", "There is no such channel.") from None


def _changes(wanted: ChangeRequest) -> dict[str, object]:
    """Credentials are sealed: whether somebody changed those cannot be seen, and the last write wins."""
    named = {"name": wanted.name, "status": wanted.status}
    settings: dict[str, object] = {f"settings.{name}": value for name, value in (wanted.settings or {}).items()}
    return {name: value for name, value in named.items() if value is not None} | settings


def _id(call: MemberCall) -> UUID:
    return call.path_id("channel_account_id")


def visible(call: MemberCall, account: ChannelAccount) -> ChannelAccount:
    """Return an account the caller may see; ``NotFound`` for removed ones and those of inboxes they do not see."""
    if account.status is AccountStatus.REMOVED or not sees(call.actor, account.inbox_id):
        raise NotFound("channel account")
    return account


async def _open(call: MemberCall) -> tuple[ChannelAccount, Form]:
    return await open_account(call, _id(call))


async def open_fresh(call: MemberCall, *, refused: bool = False) -> tuple[ChannelAccount, Form]:
    """The same, its token renewed first where it ends; whether that worked shows when the vendor is asked."""
    account, form = await _open(call)
    renewals, routes = call.resources.renewals, call.resources.routes
    connector = connector_of(call, account.channel)
    if renewals is None or routes is None or connector.oauth is None or account.demo:
        return account, form
    with suppress(ConnectorError):
        route = await routes.find(account.id)
        opened = account_of(route, form.credentials, call.resources.settings)
        if await renewals.fresh(route, opened, connector, refused=refused) is not opened:
            return await _open(call)
    return account, form


async def open_account(call: MemberCall, account_id: UUID) -> tuple[ChannelAccount, Form]:
    """Read an account with its secrets, in a transaction that is over before any vendor is asked."""
    workspace_id = call.actor.workspace_id
    sealer = required(call.resources.sealer, "secret key")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        account = visible(call, await store.get_channel_account(conn, workspace_id, account_id))
        credentials = await store.open_credentials(conn, sealer, workspace_id, account.id)
    return account, Form(credentials, account.settings)


async def require_inbox(call: MemberCall, inbox_id: UUID | None) -> None:
    """Refuse an unknown inbox before the vendor is asked."""
    if inbox_id is None:
        return
    try:
        async with call.resources.database.snapshot([call.actor.workspace_id]) as conn:
            await store.get_inbox(conn, call.actor.workspace_id, inbox_id)
    except NotFound:
        raise InvalidInput("inbox_id", "There is no such inbox.") from None


def route_of(workspace_id: int, account_id: UUID, channel: str, form: Form, *, demo: bool = False) -> Route:
    """Make what the connector is shown of an account; its inbox is chosen when it is saved."""
    return Route(
        workspace_id=workspace_id,
        id=account_id,
        inbox_id=account_id,
        channel=channel,
        status=AccountStatus.CONNECTED,
        settings=form.settings,
        demo=demo,
    )


async def _ask(call: MemberCall, connector: Connector, route: Route, form: Form) -> Checked:
    return await ask_vendor(connector, account_of(route, form.credentials, call.resources.settings))


async def ask_vendor(connector: Connector, account: Account) -> Checked:
    """Ask whether an account's keys are good; raises ``ConnectorError``, ``InvalidInput``."""
    try:
        return await connector.check(account)
    except (ConnectorError, InvalidInput):
        raise
    except Exception as error:  # edge: a vendor library may raise anything; classified
        # ``classify`` knows the vendor's own exceptions; their text may hold keys and is not passed on.
        raise ConnectorError(connector.classify(error)) from error


async def _check(call: MemberCall, connector: Connector, route: Route, form: Form) -> Checked:
    try:
        return await _ask(call, connector, route, form)
    except ConnectorError as error:
        if error.info.klass in _PASSING:
            raise Unavailable(
                f"{connector.manifest.name} could not be asked: {error.info.message}", error.info.retry_after_s or 5.0
            ) from error
        raise InvalidInput(_blamed(connector.manifest, error.info.klass), error.info.message) from error


def _blamed(manifest: Manifest, klass: ErrorClass) -> str:
    """Name the input a refusal is about: refused keys are the first secret's, of anything else nobody knows."""
    secrets = [one.name for one in manifest.credentials if one.kind == "secret" and not one.generated]
    return f"credentials.{secrets[0]}" if klass is ErrorClass.AUTH and secrets else "credentials"


def _view(call: MemberCall, account: ChannelAccount, warnings: tuple[str, ...]) -> ConnectedView:
    connector = connector_of(call, account.channel)
    manifest, settings = connector.manifest, call.resources.settings
    is_called = connector.poll is None or not connector.polls(account.settings)
    if manifest.needs_public_url and is_called and is_loopback(settings.base_url) and not account.demo:
        warnings = (
            f"{vendor_of(manifest)} cannot reach this computer. "
            "Set HUB_PUBLIC_URL to an https address that forwards here.",
            *warnings,
        )
    has_webhook = manifest.transport == "webhook"
    return ConnectedView(
        id=account.id,
        webhook_url=webhook_url(account.channel, account.id, settings) if has_webhook else "",
        channel_account=account,
        warnings=warnings,
    )


def vendor_of(manifest: Manifest) -> str:
    """``SMS (Twilio)`` is a channel of Twilio; other names are the vendor's own."""
    _, bracket, vendor = manifest.name.removesuffix(")").rpartition("(")
    return vendor if bracket else manifest.name
