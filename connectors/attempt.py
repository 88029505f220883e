"""One delivery, from claim to outcome: what is sent, what is retried, what nobody knows. Called by dispatch."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from connectors.account_notes import AccountNotes
from connectors.acting import CANNOT_ACT, NEVER_SENT, act_of
from connectors.base import Account, Charge, Connector
from connectors.breaker import Breaker
from connectors.buckets import Buckets
from connectors.outbox import DeliveryStore
from connectors.outcomes import (
    ASK_AGAIN,
    CALL_TIMEOUT_S,
    HOLD_S,
    LAST_RECHECK,
    LEASE_S,
    LOST,
    NOT_RENDERED,
    RECORD_AGAIN_S,
    REMOVED,
    REST_S,
    STOP_ASKING_AFTER,
    WAIT,
    Counters,
    Outcomes,
    Step,
    throttle_wait_s,
)
from connectors.reach import Reach
from connectors.rules import rules_of
from connectors.traces import OutboundTraces
from hub import clock, log
from hub.envelope import SendResult
from hub.errors import (
    ConnectorError,
    ConnectorErrorInfo,
    ErrorClass,
    HubError,
    NotFound,
    Unavailable,
)
from hub.inbox.deliveries import Claimed, Due
from hub.inbox.wanted import WantedAct
from hub.inbox.windows import why_refused
from hub.metrics import Distribution
from hub.tracing import NO_TRACER, Attributes, Tracer


class OpenAccount(Protocol):
    """Opens a channel account for the length of a call."""

    def __call__(self, channel_account_id: UUID, *, fresh: bool = False) -> Awaitable[tuple[Account, Connector]]:
        """
        Open an account.

        Args:
            channel_account_id: Which one.
            fresh: The vendor refused its keys: read them anew, and renew them where the channel can.

        Returns:
            The account with its secrets, its token good for a while, and its connector.

        Raises:
            NotFound: It was removed, or is so new that it is not known here yet.
            ConnectorError: Its token has ended and was not renewed; AUTH: the account says by now that it needs a
                sign-in.
        """
        ...


class Attempts:
    """
    Carries out deliveries; holds nothing of a delivery between two of them.

    Args:
        store: Where deliveries are claimed and settled.
        buckets: Rate limits.
        open_account: Finds account and connector.
        now: The wall clock; tests move it.
        missing_for_s: How long an account must be unknown before its messages fail.
        tracer: Follows each delivery.

    Attributes:
        traces: Of what queued the messages, where the process hears of it.
        notes: What accounts' pages show.
        breaker: Says which vendors are left alone for now.
    """

    def __init__(
        self,
        store: DeliveryStore,
        buckets: Buckets,
        open_account: OpenAccount,
        now: Callable[[], datetime] = clock.now,
        missing_for_s: float = 120.0,
        *,
        tracer: Tracer = NO_TRACER,
    ) -> None:
        self._missing_for_s = missing_for_s
        self.counters = Counters()
        self.traces = OutboundTraces()
        self.notes = AccountNotes(now)
        self._tracer = tracer
        self._outcomes = Outcomes(store, now, self.counters)
        self._store = store
        self._buckets = buckets
        self._open_account = open_account
        self._now = now
        # How often in a row a vendor said "too fast" without saying for how long, by bucket.
        self._throttled: dict[str, int] = {}
        self._missing_since_s: dict[UUID, float] = {}
        self._log = log.get_logger("dispatch")
        self._reach = Reach(self._log, clock.monotonic_s)
        self.breaker = Breaker()
        # Accounts whose vendor answered this process since it was last said to be away, by anybody.
        self._reached: set[UUID] = set()

    async def deliver(self, wanted: Due) -> bool:
        """
        Claim one delivery and bring it one step further.

        Args:
            wanted: A due delivery; whoever else takes it first has it.

        Returns:
            Whether it was ours; then the next one of its thread may be due.

        Raises:
            HubError: It could not be claimed, or its account not be opened, for now.
        """
        try:
            account, connector = await self._open_account(wanted.channel_account_id)
        except NotFound:
            return await self._drop(wanted)
        except ConnectorError as error:
            # Nothing was claimed: it stays queued, for the sign-in or for the vendor's return.
            raise Unavailable(error.message, error.retry_after_s or REST_S) from error
        self._missing_since_s.pop(wanted.channel_account_id, None)
        claimed = await self._store.claim(wanted, LEASE_S)
        if claimed is None:
            return False
        lease_ends_s = clock.monotonic_s() + LEASE_S
        attributes: Attributes = {"hub.channel": wanted.channel, "hub.message_id": str(wanted.message_id)}
        parent = self.traces.of(wanted.message_id)
        with self._tracer.span("dispatch", kind="consumer", parent=parent, attributes=attributes):
            if claimed.act is not None:
                step = await self._act(claimed, claimed.act, account, connector)
            elif claimed.was_sending:
                step = self._outcomes.lose(claimed, LOST)
            elif claimed.was_unknown:
                step = await self._ask(claimed, account, connector)
            else:
                step = await self._send(claimed, account, connector)
            await self._record(claimed, step, lease_ends_s)
        return True

    # ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _send(self, claimed: Claimed, account: Account, connector: Connector) -> Step:
        """Send a claimed message at most once; returns the step that records what came of it."""
        why = why_refused(
            rules_of(connector.manifest.capabilities),
            claimed.outbound.window_expires_at,
            is_human=claimed.outbound.author_is_human,
            template=claimed.outbound.template,
            now=self._now(),
        )
        if why is not None:
            # It waited too long: the window has closed since it was queued.
            return self._outcomes.conclude(claimed, why)
        try:
            calls = connector.render(claimed.outbound, account)
            charges = tuple(connector.charges(account, claimed.outbound))
        except ConnectorError as error:
            return self._outcomes.conclude(claimed, error.info)
        except Exception as error:  # loop: nothing was sent, so this one message fails and the others go on
            self._note(claimed, "render failed", type(error).__name__)
            return self._outcomes.conclude(claimed, NOT_RENDERED)
        wait_s = await self._take(charges, may_hold=claimed.due.priority == "interactive")
        if wait_s > 0:
            return self._outcomes.put_back(claimed, wait_s, WAIT)
        try:
            with self._call(claimed.due.channel):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    result = await connector.send(account, claimed.outbound, calls)
        except Exception as error:  # loop: whatever a vendor's SDK raises is an outcome of this message
            info = connector.classify(error)
            self.notes.went_wrong(_place(claimed), "send", info.code, info.message)
            if self._reach.failed(claimed.due, info):
                await self._note_outage(claimed.due)
            else:
                await self._note_answer(claimed.due)
                self._note(claimed, "send refused", f"{info.klass.value} {info.code}")
            if info.klass is ErrorClass.RATE_LIMITED:
                return self._outcomes.put_back(claimed, await self._penalise(info, charges), info)
            if info.klass is ErrorClass.AUTH:
                after = await self._after_refusal(account, claimed, info)
                if after is None:
                    return self._outcomes.put_back(claimed, 0.0, info)
                info = after
            return self._outcomes.conclude(claimed, info, connector.manifest.retry_after_s)
        self._reach.answered(claimed.due)
        await self._note_answer(claimed.due)
        for charge in charges:
            self._throttled.pop(charge.key, None)
        self.counters.sent += 1
        self.notes.message_went(*_place(claimed))
        return lambda: self._store.mark_sent(claimed, result)

    # ── edits, deletions, reactions, reading marks ──────────────────────────────────────────────────────────────

    async def _act(self, claimed: Claimed, wanted: WantedAct, account: Account, connector: Connector) -> Step:
        """Do something at the vendor about a message; done twice it comes to the same, so doubt means again."""
        if connector.act is None:
            return self._outcomes.fail(claimed, CANNOT_ACT)
        if wanted.external_id == "" and not connector.manifest.capabilities.visitors:
            return self._outcomes.fail(claimed, NEVER_SENT)
        charges = tuple(connector.charges(account, claimed.outbound))
        wait_s = await self._take(charges, may_hold=True)
        if wait_s > 0:
            return self._outcomes.put_back(claimed, wait_s, WAIT)
        try:
            with self._call(claimed.due.channel):
                async with asyncio.timeout(CALL_TIMEOUT_S):
                    await connector.act(account, act_of(claimed, wanted))
        except Exception as error:  # loop: whatever a vendor's SDK raises is an outcome of this act
            info = connector.classify(error)
            if not self._reach.failed(claimed.due, info):
                self._note(claimed, "act refused", f"{wanted.kind} {info.klass.value} {info.code}")
            if info.klass is ErrorClass.RATE_LIMITED:
                return self._outcomes.put_back(claimed, await self._penalise(info, charges), info)
            if info.klass is ErrorClass.AUTH:
                after = await self._after_refusal(account, claimed, info)
                if after is None:
                    return self._outcomes.put_back(claimed, 0.0, info)
                info = after
            if info.klass is ErrorClass.AMBIGUOUS:
                return self._outcomes.retry(claimed, info)
            return self._outcomes.conclude(claimed, info)
        self._reach.answered(claimed.due)
        for charge in charges:
            self._throttled.pop(charge.key, None)
        return lambda: self._store.mark_sent(claimed, SendResult(()))

    @contextmanager
    def _call(self, channel: str) -> Iterator[None]:
        """Time one call to a vendor, and make it a step of the trace."""
        began_s = clock.monotonic_s()
        try:
            with self._tracer.span("vendor.send", kind="client", attributes={"hub.channel": channel}):
                yield
        finally:
            taken_s = clock.monotonic_s() - began_s
            self.counters.call_seconds.setdefault(channel, Distribution()).observe(taken_s)

    async def _after_refusal(
        self, account: Account, claimed: Claimed, info: ConnectorErrorInfo
    ) -> ConnectorErrorInfo | None:
        """Say what refused keys come to; None: there are newer ones, of a member or of a renewal just made."""
        try:
            fresh, _ = await self._open_account(claimed.due.channel_account_id, fresh=True)
        except ConnectorError as error:
            return error.info
        except HubError:
            return info
        return None if fresh.credentials != account.credentials else info

    async def _take(self, charges: Sequence[Charge], *, may_hold: bool) -> float:
        """Take the tokens; a member's reply waits a little for them, bulk goes back into the queue at once."""
        give_up_s = clock.monotonic_s() + (HOLD_S if may_hold else 0.0)
        while (wait_s := await self._buckets.take(charges)) > 0:
            if clock.monotonic_s() + wait_s > give_up_s:
                return wait_s
            await asyncio.sleep(wait_s)
        return 0.0

    async def _penalise(self, info: ConnectorErrorInfo, charges: Sequence[Charge]) -> float:
        """Drain the bucket the vendor named, or all that were charged; returns the seconds to wait."""
        keys = [info.bucket] if info.bucket else [charge.key for charge in charges]
        streak = 1 + max((self._throttled.get(key, 0) for key in keys), default=0)
        wait_s = throttle_wait_s(streak, info.retry_after_s)
        for key in keys:
            self._throttled[key] = streak
            await self._buckets.penalise(key, wait_s)
        return wait_s

    # ── messages nobody confirmed ───────────────────────────────────────────────────────────────────────────────

    async def _ask(self, claimed: Claimed, account: Account, connector: Connector) -> Step:
        """Ask the vendor about an unknown message; after the last time its channel's policy decides."""
        age = self._now() - (claimed.outbound.attempted_at or claimed.queued_at)
        try:
            async with asyncio.timeout(CALL_TIMEOUT_S):
                result = await connector.reconcile(account, claimed.outbound)
        except Exception as error:  # loop: a vendor that cannot be asked is asked again
            info = connector.classify(error)
            self._note(claimed, "reconcile failed", f"{info.klass.value} {info.code}")
            if info.klass is ErrorClass.AUTH:
                after = await self._after_refusal(account, claimed, info)
                if after is None:
                    return self._outcomes.ask_again(claimed, timedelta())
                info = after
            if info.klass in (ErrorClass.AUTH, ErrorClass.ACCOUNT):
                return self._outcomes.stop_account(claimed, info)
            if age < STOP_ASKING_AFTER:
                return self._outcomes.ask_again(claimed, ASK_AGAIN)
            return self._outcomes.apply_policy(claimed, connector)
        if result is not None:
            return self._outcomes.believe(claimed, result)
        if age < LAST_RECHECK:
            return self._outcomes.ask_again(claimed, LAST_RECHECK - age)
        return self._outcomes.apply_policy(claimed, connector)

    async def _drop(self, wanted: Due) -> bool:
        """End a delivery whose account is gone; one just connected may be missing from a cache for a minute."""
        since_s = self._missing_since_s.setdefault(wanted.channel_account_id, clock.monotonic_s())
        if clock.monotonic_s() - since_s < self._missing_for_s:
            raise Unavailable("The channel account is not known here.")
        claimed = await self._store.claim(wanted, LEASE_S)
        if claimed is None:
            return False
        if claimed.was_sending or claimed.was_unknown:
            await self._store.leave_unknown(claimed, REMOVED)
        else:
            await self._outcomes.fail(claimed, REMOVED)()
        return True

    async def _note_outage(self, due: Due) -> None:
        """Count a vendor's failure; when that opens the account's breaker, members are told since when."""
        if self.breaker.failed(due.channel_account_id, due.channel):
            self._reached.discard(due.channel_account_id)
            await self._say_reach(due, is_reached=False)

    async def _note_answer(self, due: Due) -> None:
        """Close the breakers; the first answer in a while takes back what members were told, by whichever process."""
        self.breaker.answered(due.channel_account_id, due.channel)
        if due.channel_account_id not in self._reached:
            await self._say_reach(due, is_reached=True)
            self._reached.add(due.channel_account_id)

    async def _say_reach(self, due: Due, *, is_reached: bool) -> None:
        # What came of the message matters more: it is recorded whether or not this could be said.
        with suppress(HubError):
            await self._store.note_reach(due, is_reached=is_reached)

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    async def _record(self, claimed: Claimed, step: Step, lease_ends_s: float) -> None:
        """Record an outcome, over a database that is away; past the lease it is somebody else's, as unknown."""
        while True:
            try:
                await step()
            except Unavailable as error:
                if clock.monotonic_s() > lease_ends_s:
                    self._note(claimed, "outcome not recorded", error.message)
                    return
                await asyncio.sleep(RECORD_AGAIN_S)
            else:
                return

    def _note(self, claimed: Claimed, event: str, reason: str) -> None:
        self._log.info(
            event,
            workspace_id=claimed.due.workspace_id,
            delivery_id=str(claimed.due.id),
            channel=claimed.due.channel,
            reason=reason,
        )


def _place(claimed: Claimed) -> tuple[int, UUID]:
    return claimed.due.workspace_id, claimed.due.channel_account_id
