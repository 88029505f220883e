"""How one channel account does: what its page in the settings shows, and its "Send a test"."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec

from api.channel_accounts import TestedView, ask_vendor, connector_of, open_account, open_fresh, route_of, visible
from connectors.accounts import account_of, webhook_url
from connectors.buckets import RedisBuckets
from connectors.cursors import Health, list_health
from hub import clock
from hub.channels import actions, store
from hub.channels.health import store as health
from hub.channels.health.model import Trouble
from hub.channels.model import AccountStatus
from hub.envelope import Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, HubError, InvalidInput
from hub.log import get_logger
from hub.streams import partition_of
from hub.throttle import Allowance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from api.call import MemberCall
    from connectors.base import Account, Charge, Connector
    from connectors.forms import Form
    from hub.channels.model import ChannelAccount

_TEST_TIMES: Final = 10
_TEST_WINDOW_S: Final = 600

_log = get_logger("api.account_health")


class BucketView(msgspec.Struct, frozen=True, kw_only=True):
    """
    One rate limit.

    Attributes:
        name: The bucket's, without whose it is.
        free: How much of it can be used now, 0-1.
        words: The same for people.
    """

    name: str
    free: float
    blocked_until: datetime | None
    words: str


class AccountHealth(msgspec.Struct, frozen=True, kw_only=True):
    """
    How a channel account does.

    Attributes:
        headline: Its state in one sentence.
        last_item_at: When something last came in.
        last_sent_at: When the vendor last took a message.
        intake_waiting: Items of this and other workspaces that came in and are not stored yet; None where unknown.
        queued: Messages that wait to be sent.
        reading: How reading it goes, where it is asked and does not call us.
        token_expires_at: When what the vendor granted ends; None where it does not.
        signs_in: Whether it is connected by signing in at the vendor.
        can_test: Whether "Send a test" sends something.
    """

    status: AccountStatus
    headline: str
    last_item_at: datetime | None
    last_sent_at: datetime | None
    intake_waiting: int | None
    queued: int
    oldest_queued_at: datetime | None
    reading: Health
    buckets: tuple[BucketView, ...]
    troubles: tuple[Trouble, ...]
    token_expires_at: datetime | None
    token_renewed_at: datetime | None
    webhook_url: str
    signs_in: bool
    can_test: bool


async def read(call: MemberCall) -> AccountHealth:
    """Return how an account does now."""
    workspace_id, account_id = call.actor.workspace_id, call.path_id("channel_account_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        account = visible(call, await store.get_channel_account(conn, workspace_id, account_id))
        facts = await health.facts(conn, workspace_id, account_id)
        troubles = await health.troubles(conn, workspace_id, account_id)
        reading = (await list_health(conn, workspace_id, [account_id])).get(account_id, Health())
    connector = connector_of(call, account.channel)
    has_webhook = connector.manifest.transport == "webhook"
    came = [one for one in (facts.last_item_at, reading.last_item_at) if one is not None]
    return AccountHealth(
        status=account.status,
        headline=_headline(account, reading, facts.queued),
        last_item_at=max(came, default=None),
        last_sent_at=facts.last_sent_at,
        intake_waiting=await _waiting(call),
        queued=facts.queued,
        oldest_queued_at=facts.oldest_queued_at,
        reading=reading,
        buckets=await _buckets(call, account, connector),
        troubles=troubles,
        token_expires_at=facts.token_expires_at,
        token_renewed_at=facts.token_renewed_at,
        webhook_url=webhook_url(account.channel, account.id, call.resources.settings) if has_webhook else "",
        signs_in=connector.oauth is not None,
        can_test=connector.test is not None,
    )


async def test(call: MemberCall) -> TestedView:
    """Ask the vendor whether the saved keys are good, send a test where the channel can, and note what it says."""
    workspace_id, account_id = call.actor.workspace_id, call.path_id("channel_account_id")
    account, form = await open_fresh(call)
    connector = connector_of(call, account.channel)
    if connector.test is not None:
        allowance = Allowance(f"channel-test:{account_id}", times=_TEST_TIMES, window_s=_TEST_WINDOW_S)
        await call.resources.throttle.take((allowance,))
    try:
        message = await _try_out(call, connector, account, form)
    except ConnectorError as error:
        if error.info.klass is ErrorClass.AUTH:
            async with call.resources.database.transaction([workspace_id]) as conn:
                await actions.mark_needs_sign_in(conn, workspace_id, account.id, error.info.message)
        return TestedView(ok=False, message=error.info.message)
    except InvalidInput as error:
        return TestedView(ok=False, message=error.message)
    async with call.resources.database.transaction([workspace_id]) as conn:
        await actions.mark_connected(conn, workspace_id, account.id)
    return TestedView(ok=True, message=message or f"{connector.manifest.name} is connected.")


async def _try_out(call: MemberCall, connector: Connector, account: ChannelAccount, form: Form) -> str:
    """Ask and send; a token the vendor refuses before its end is renewed once."""
    try:
        return await _send_test(connector, await _asked(call, connector, account, form))
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AUTH:
            raise
        _, renewed = await open_fresh(call, refused=True)
        if renewed == form:
            raise
        return await _send_test(connector, await _asked(call, connector, account, renewed))


async def _asked(call: MemberCall, connector: Connector, account: ChannelAccount, form: Form) -> Account:
    route = route_of(call.actor.workspace_id, account.id, account.channel, form, demo=account.demo)
    opened = account_of(route, form.credentials, call.resources.settings)
    await ask_vendor(connector, opened)
    return opened


async def _send_test(connector: Connector, account: Account) -> str:
    if connector.test is None:
        return ""
    try:
        return await connector.test(account)
    except (ConnectorError, InvalidInput):
        raise
    except Exception as error:  # edge: a vendor library may raise anything; classified
        raise ConnectorError(connector.classify(error)) from error


def _headline(account: ChannelAccount, reading: Health, queued: int) -> str:
    match account.status:
        case AccountStatus.NEEDS_SIGN_IN:
            kept = f" {_messages(queued)} until then." if queued else ""
            return f"Needs a sign-in: {account.status_reason or 'the vendor refused the keys.'}{kept}"
        case AccountStatus.PAUSED:
            kept = f" {_messages(queued)} until it is resumed." if queued else ""
            return f"Paused: nothing is sent; what comes in is still taken.{kept}"
        case _ if reading.error:
            return f"Connected, but it cannot be read at the moment: {reading.error}"
        case _:
            return "Connected."


def _messages(queued: int) -> str:
    return "1 message waits" if queued == 1 else f"{queued} messages wait"


async def _waiting(call: MemberCall) -> int | None:
    """Count what is on the stream that this workspace's items go to; it is shared with others."""
    if call.resources.ingress is None:
        return None
    try:
        backlog = await call.resources.ingress.backlog(partition_of(call.actor.workspace_id))
    except HubError:
        return None
    return None if backlog.undelivered is None else backlog.undelivered + backlog.pending


async def _buckets(call: MemberCall, account: ChannelAccount, connector: Connector) -> tuple[BucketView, ...]:
    """See how the limits stand that any message of this account takes from."""
    redis = call.resources.redis_ephemeral
    if redis is None:
        return ()
    levels = await RedisBuckets(redis).peek(await _charges(call, account, connector))
    now = clock.now()
    views = []
    for one in levels:
        until = datetime.fromtimestamp(now.timestamp() + one.blocked_s, now.tzinfo) if one.blocked_s else None
        shares = [max(0.0, left) / burst for left, burst in zip(one.left, one.burst, strict=True)]
        free = min(1.0, *shares) if shares else 1.0
        views.append(BucketView(name=_name(one.key), free=free, blocked_until=until, words=_words(free, until)))
    return tuple(views)


async def _charges(call: MemberCall, account: ChannelAccount, connector: Connector) -> Sequence[Charge]:
    try:
        _, form = await open_account(call, account.id)
        route = route_of(call.actor.workspace_id, account.id, account.channel, form, demo=account.demo)
        opened = account_of(route, form.credentials, call.resources.settings)
        nobody = Identity(scheme="external", value="-")
        sample = OutboundMessage(message_id=str(account.id), to=nobody, thread_key="-", text="x")
        return tuple(connector.charges(opened, sample))
    except Exception as error:  # edge: a page must not fail because a channel cannot charge for a sample
        _log.debug("charges_unknown", channel=account.channel, error=type(error).__name__)
        return ()


def _name(key: str) -> str:
    """Show what is limited, not whose: keys hold numbers and ids of accounts."""
    return " ".join(part for part in key.split(":")[:2] if part.replace("_", "").isalpha()) or "limit"


def _words(free: float, until: datetime | None) -> str:
    if until is not None:
        return f"The vendor takes nothing until {until:%H:%M:%S} UTC."
    if free >= 1:
        return "Nothing in the way."
    return f"{round(free * 100)} % free." if free > 0 else "Used up; messages go out as it fills again."
