"""An outbox in memory with the rules of the real one, and a vendor that follows a script; both record."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from uuid import UUID

import msgspec

from connectors.base import Account, Act, Call, Capabilities, Charge, Connector, Limit, Manifest
from hub import clock
from hub.envelope import Identity, OutboundMessage, SendResult
from hub.errors import Conflict, ConnectorError, ConnectorErrorInfo, ErrorClass, Unavailable
from hub.inbox.deliveries import Claimed, Due
from hub.inbox.model import AuthorKind, MessageKind
from hub.inbox.rows import MessageRow
from hub.inbox.wanted import WantedAct

ACCOUNT = UUID(int=1)


class FakeClock:
    """A wall clock that moves when told."""

    def __init__(self) -> None:
        self.time = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def __call__(self) -> datetime:
        return self.time

    def move(self, **span: float) -> None:
        self.time += timedelta(**span)


@dataclass
class Row:
    due: Due
    outbound: OutboundMessage
    position: int
    queued_at: datetime
    due_at: datetime
    state: str = "queued"
    lease_until: datetime | None = None
    charged: int = 0
    info: ConnectorErrorInfo | None = None
    result: SendResult | None = None
    act: WantedAct | None = None

    @property
    def is_finished(self) -> bool:
        return self.state in ("sent", "failed", "left")


@dataclass
class FakeOutbox:
    """``DeliveryStore`` in memory: one row a delivery, ordered within its thread, leased while it is worked on."""

    now: Callable[[], datetime]
    rows: list[Row] = field(default_factory=list)
    stopped: dict[UUID, str] = field(default_factory=dict)
    # How many of the next records, or looks, find the database away.
    away_records: int = 0
    away_looks: int = 0
    reached: dict[UUID, bool] = field(default_factory=dict)
    taken_external_ids: set[str] = field(default_factory=set)

    def add(self, text: str, *, account: UUID = ACCOUNT, thread: str = "t", priority: str = "interactive") -> Row:
        due = Due(
            workspace_id=1,
            id=clock.new_id(),
            message_id=clock.new_id(),
            channel_account_id=account,
            channel="scripted",
            thread_key=thread,
            priority=priority,
            state="queued",
            attempt=0,
        )
        outbound = OutboundMessage(
            message_id=str(due.message_id), to=Identity("phone", thread), thread_key=thread, text=text
        )
        row = Row(due, outbound, len(self.rows), self.now(), self.now())
        self.rows.append(row)
        return row

    async def due(self, now: datetime, limit: int, busy_accounts: Sequence[UUID]) -> Sequence[Due]:
        if self.away_looks:
            self.away_looks -= 1
            raise Unavailable("away")
        found = [
            row
            for row in self.rows
            if self._is_due(row, now)
            and row.due.channel_account_id not in busy_accounts
            and row.due.channel_account_id not in self.stopped
        ]
        found.sort(key=lambda row: (row.due.priority == "bulk", row.due_at, row.position))
        return [msgspec.structs.replace(row.due, state=row.state) for row in found[:limit]]

    async def claim(self, wanted: Due, lease_s: int) -> Claimed | None:
        now = self.now()
        row = self.row(wanted)
        if not self._is_due(row, now):
            return None
        before = row.state
        if before == "queued":
            row.state = "sending"
            row.charged += 1
            row.outbound = msgspec.structs.replace(row.outbound, attempt=row.charged, attempted_at=now)
        row.lease_until = now + timedelta(seconds=lease_s)
        return Claimed(
            due=msgspec.structs.replace(row.due, state=before),
            outbound=row.outbound,
            message=_message_row(row),
            inbox_id=UUID(int=2),
            contact_id=UUID(int=3),
            was_sending=before == "sending",
            was_unknown=before == "unknown",
            queued_at=row.queued_at,
            act=row.act,
        )

    async def mark_sent(self, claimed: Claimed, result: SendResult) -> None:
        if set(result.external_ids) & self.taken_external_ids:
            raise Conflict("taken")
        self._settle(claimed, "sent").result = result

    async def mark_failed(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        self._settle(claimed, "failed").info = info

    async def retry_later(
        self, claimed: Claimed, due_at: datetime, info: ConnectorErrorInfo, *, charge_attempt: bool
    ) -> None:
        row = self._settle(claimed, "queued")
        row.due_at, row.info = due_at, info
        row.charged -= 0 if charge_attempt else 1

    async def mark_unknown(self, claimed: Claimed, recheck_at: datetime, info: ConnectorErrorInfo) -> None:
        row = self._settle(claimed, "unknown")
        row.due_at, row.info = recheck_at, info

    async def leave_unknown(self, claimed: Claimed, info: ConnectorErrorInfo) -> None:
        self._settle(claimed, "left").info = info

    async def stop_account(self, wanted: Due, info: ConnectorErrorInfo) -> None:
        self.stopped[wanted.channel_account_id] = info.message

    async def note_reach(self, wanted: Due, *, is_reached: bool) -> None:
        self.reached[wanted.channel_account_id] = is_reached

    def row(self, wanted: Due) -> Row:
        return next(row for row in self.rows if row.due.id == wanted.id)

    def states(self) -> list[str]:
        return [row.state for row in self.rows]

    def _is_due(self, row: Row, now: datetime) -> bool:
        return (
            not row.is_finished
            and row.due_at <= now
            and (row.lease_until is None or row.lease_until <= now)
            and not any(
                other.position < row.position
                and not other.is_finished
                and (other.due.channel_account_id, other.due.thread_key)
                == (row.due.channel_account_id, row.due.thread_key)
                for other in self.rows
            )
        )

    def _settle(self, claimed: Claimed, state: str) -> Row:
        if self.away_records:
            self.away_records -= 1
            raise Unavailable("away")
        row = self.row(claimed.due)
        row.state, row.lease_until = state, None
        return row


def _message_row(row: Row) -> MessageRow:
    return MessageRow(
        workspace_id=1,
        id=row.due.message_id,
        conversation_id=UUID(int=4),
        channel_account_id=row.due.channel_account_id,
        seq=1,
        version=1,
        kind=MessageKind.MESSAGE,
        direction="outbound",
        author_kind=AuthorKind.MEMBER,
        text=row.outbound.text,
        occurred_at=row.queued_at,
        created_at=row.queued_at,
    )


def refuse(
    klass: ErrorClass, *, code: str = "x", after_s: float | None = None, bucket: str | None = None
) -> ConnectorError:
    """Make what a vendor raises."""
    return ConnectorError(ConnectorErrorInfo(klass, code, f"Because of {klass.value}.", after_s, bucket))


@dataclass
class ScriptedVendor:
    """
    A channel whose answers are written beforehand.

    Attributes:
        answers: What the coming sends do, in order; then all succeed.
        found: What the coming questions about unknown messages find.
        gates: Accounts whose sends wait for an event.
    """

    answers: list[BaseException] = field(default_factory=list)
    found: list[SendResult | BaseException | None] = field(default_factory=list)
    policy: str = "at_most_once"
    limits: tuple[Limit, ...] = ()
    retry_after_s: tuple[int, ...] = ()
    window_s: int = 0
    gates: dict[str, asyncio.Event] = field(default_factory=dict)
    render_error: BaseException | None = None
    sent: list[str] = field(default_factory=list)
    acts: list[Act] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    running: dict[str, int] = field(default_factory=dict)
    most_running: dict[str, int] = field(default_factory=dict)
    before_send: Callable[[OutboundMessage], None] | None = None

    def connector(self) -> Connector:
        manifest = Manifest(
            id="scripted",
            name="Scripted",
            summary="For tests.",
            transport="own",
            docs_url="",
            read_on="2026-11-22",
            capabilities=Capabilities(text_limit=1000, window_s=self.window_s),
            retry_after_s=self.retry_after_s,
            unknown_policy=self.policy,  # type: ignore[arg-type]  # a test's word
        )
        return Connector(
            manifest=manifest,
            parse=lambda _body, _context: (),
            render=self._render,
            send=self._send,
            classify=self._classify,
            reconcile=self._reconcile,
            charges=self._charges,
            act=self._act,
        )

    def _render(self, message: OutboundMessage, _account: Account) -> Sequence[Call]:
        if self.render_error:
            raise self.render_error
        return (Call(operation="send", fields={"text": message.text}),)

    def _charges(self, account: Account, _message: OutboundMessage) -> Sequence[Charge]:
        return (Charge(key=f"bucket:{account.id}", limits=self.limits),) if self.limits else ()

    def _classify(self, error: BaseException) -> ConnectorErrorInfo:
        if isinstance(error, ConnectorError):
            return error.info
        return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "surprise", "It may have been sent.")

    async def _send(self, account: Account, message: OutboundMessage, _calls: Sequence[Call]) -> SendResult:
        if self.before_send:
            self.before_send(message)
        self.sent.append(message.text)
        self.running[account.id] = self.running.get(account.id, 0) + 1
        self.most_running[account.id] = max(self.most_running.get(account.id, 0), self.running[account.id])
        try:
            await asyncio.sleep(0)
            if gate := self.gates.get(account.id):
                await gate.wait()
        finally:
            self.running[account.id] -= 1
        if self.answers:
            raise self.answers.pop(0)
        return SendResult((f"vendor-{message.message_id}",))

    async def _act(self, _account: Account, act: Act) -> None:
        self.acts.append(act)
        if self.answers:
            raise self.answers.pop(0)

    async def _reconcile(self, _account: Account, message: OutboundMessage) -> SendResult | None:
        self.asked.append(message.text)
        answer = self.found.pop(0) if self.found else None
        if isinstance(answer, BaseException):
            raise answer
        return answer


def make_account(channel_account_id: UUID, **credentials: str) -> Account:
    """Make an account of the scripted vendor."""
    return Account(
        id=str(channel_account_id),
        workspace_id=1,
        credentials=credentials,
        settings={},
        webhook_url="https://hub.example.com/webhooks/scripted/1",
    )
