"""
A crowd: workspaces with three inboxes, members of three audiences with sessions, visitors with a conversation each.

Accounts go in by COPY (an action would hash a password each); conversations are received by the product's own action,
so that their rows are what the product makes. Also writes what each socket says first.
"""

from __future__ import annotations

import asyncio
import hashlib
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import asyncpg
import msgspec

from hub import clock
from hub.channels.sealing import Sealer, read_keys
from hub.channels.visitors import TOKEN_PURPOSE, VisitorClaims, VisitorTokens
from hub.db import Database
from hub.envelope import InboundItem, ItemKind
from hub.inbox import actions
from hub.inbox.batch import ReceivedItem

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from pathlib import Path

    from asyncpg import Connection, Record

    from scripts.benchmarks.services import Services

BATCH = 200
WRITERS = 3
# Every member sees the first inbox; owners and admins see all three, the rest one of the other two as well.
INBOXES = (("Chat", False), ("Sales", True), ("Support", True))
AUDIENCES: tuple[frozenset[int], ...] = (frozenset({0, 1, 2}), frozenset({0, 1}), frozenset({0, 2}))
# Of five visitors three write to the open inbox, one to each restricted one.
_VISITORS_INBOX = (0, 0, 0, 1, 2)


class CrowdPlan(msgspec.Struct, frozen=True):
    """
    Who sits where.

    Attributes:
        sockets: Seats, dealt to the workspaces in turn.
        workspaces: How many, 1 to ``sockets``.
        member_tenths: Of ten seats of a workspace so many are members', the others visitors'.
        audiences: In how many audiences the members of a workspace are, 1-3.
    """

    sockets: int
    workspaces: int
    member_tenths: int = 3
    audiences: int = 3


class Voice(msgspec.Struct, frozen=True):
    """A visitor who can write, whether or not they have a seat."""

    workspace_id: int
    account_id: UUID
    visitor_id: UUID
    inbox: int


class Seat(msgspec.Struct, frozen=True):
    """
    One socket.

    Attributes:
        audience: Which of ``AUDIENCES`` a member belongs to; None for a visitor.
        conversation_id: A visitor's.
        cursor: What their snapshot would say: the workspace's newest seq, or their conversation's.
    """

    workspace_id: int
    audience: int | None
    conversation_id: UUID | None
    cursor: int


class Crowd(msgspec.Struct, frozen=True):
    """
    What was seeded.

    Attributes:
        seats: In the order of the hello file's lines.
        inbox_ids: By workspace, in the order of ``INBOXES``.
    """

    seats: list[Seat]
    voices: list[Voice]
    inbox_ids: dict[int, list[UUID]]
    hellos: Path

    @property
    def commits(self) -> Path:
        """Where the crowd's writer notes its commits."""
        return self.hellos.with_suffix(".commits")


class _Member(msgspec.Struct, frozen=True):
    workspace_id: int
    audience: int
    token: str


class _Visitor(msgspec.Struct, frozen=True):
    voice: Voice
    token: str


async def seed_crowd(services: Services, secret_key: str, plan: CrowdPlan, hellos: Path) -> Crowd:
    """
    Fill a migrated database.

    Args:
        services: Where it is.
        secret_key: What the hub's processes sign visitors' tokens with.
        plan: Who sits where.
        hellos: Written: a line a seat.
    """
    owner = await asyncpg.connect(services.owner_url)
    database = await Database.open(services.database_url, lambda _: None, max_size=WRITERS)
    try:
        inbox_ids, account_ids = await _add_workspaces(owner, plan.workspaces)
        members = await _add_members(owner, plan, inbox_ids)
        visitors = _visitors(plan, account_ids, Sealer(read_keys(secret_key)))
        conversation_ids = await _add_conversations(database, [one.voice for one in visitors])
        await owner.execute("ANALYZE")
        epoch = int(await owner.fetchval("SELECT epoch FROM installation"))
        heads = dict(await owner.fetch("SELECT id, event_seq FROM workspace"))
    finally:
        await database.close()
        await owner.close()
    dealt = list(_deal(plan, list(inbox_ids), members, visitors))
    seats = [
        Seat(one.workspace_id, one.audience, None, heads[one.workspace_id])
        if isinstance(one, _Member)
        else Seat(one.voice.workspace_id, None, conversation_ids[one.voice.visitor_id], 1)
        for one in dealt
    ]
    _write_hellos(hellos, dealt, seats, epoch)
    return Crowd(seats, [one.voice for one in visitors], inbox_ids, hellos)


def _member_count(plan: CrowdPlan, place: int) -> tuple[int, int]:
    """Return how many members and visitors the workspace at ``place`` has among its seats."""
    seats = len(range(place, plan.sockets, plan.workspaces))
    members = sum(1 for number in range(seats) if number % 10 < plan.member_tenths)
    return members, seats - members


def _deal(
    plan: CrowdPlan, workspace_ids: Sequence[int], members: Iterable[_Member], visitors: Iterable[_Visitor]
) -> Iterable[_Member | _Visitor]:
    """Deal the seats: neighbours in the file are of different workspaces, so each load process has all of them."""
    by_workspace: dict[int, tuple[list[_Member], list[_Visitor]]] = {one: ([], []) for one in workspace_ids}
    for member in members:
        by_workspace[member.workspace_id][0].append(member)
    for visitor in visitors:
        by_workspace[visitor.voice.workspace_id][1].append(visitor)
    takers = {one: (iter(some), iter(others)) for one, (some, others) in by_workspace.items()}
    for seat in range(plan.sockets):
        place, number = seat % plan.workspaces, seat // plan.workspaces
        next_member, next_visitor = takers[workspace_ids[place]]
        yield next(next_member) if number % 10 < plan.member_tenths else next(next_visitor)


async def _add_workspaces(owner: Connection[Record], count: int) -> tuple[dict[int, list[UUID]], dict[int, list[UUID]]]:
    now = clock.now()
    rows = await owner.fetch(
        "INSERT INTO workspace (name, created_at) SELECT 'Bench ' || n, $1 FROM generate_series(1, $2) n RETURNING id",
        now,
        count,
    )
    ids = [int(row["id"]) for row in rows]
    inbox_ids = {one: clock.new_ids(len(INBOXES)) for one in ids}
    account_ids = {one: clock.new_ids(len(INBOXES)) for one in ids}
    await owner.copy_records_to_table(
        "inbox",
        columns=["workspace_id", "id", "name", "restricted", "created_at"],
        records=[
            (one, inbox_ids[one][number], name, restricted, now)
            for one in ids
            for number, (name, restricted) in enumerate(INBOXES)
        ],
    )
    await owner.copy_records_to_table(
        "channel_account",
        columns=["workspace_id", "id", "inbox_id", "channel", "name", "status", "created_at"],
        records=[
            (one, account_ids[one][number], inbox_ids[one][number], "livechat", name, "connected", now)
            for one in ids
            for number, (name, _) in enumerate(INBOXES)
        ],
    )
    return inbox_ids, account_ids


async def _add_members(owner: Connection[Record], plan: CrowdPlan, inbox_ids: dict[int, list[UUID]]) -> list[_Member]:
    """Add logins with one live session each, members of one workspace, by COPY."""
    now = clock.now()
    expires_at = now + timedelta(days=30)
    members, logins, sessions, rows, access = [], [], [], [], []
    for place, workspace_id in enumerate(inbox_ids):
        for number in range(_member_count(plan, place)[0]):
            audience = number % plan.audiences
            login_id, member_id, session_id = clock.new_ids(3)
            token, email = clock.new_token(32), f"m{number}.w{workspace_id}@bench.example"
            role = "agent" if audience else "admin" if number else "owner"
            members.append(_Member(workspace_id, audience, token))
            logins.append((login_id, email, f"Member {number}", now))
            digest = hashlib.sha256(token.encode()).digest()
            sessions.append((digest, session_id, login_id, now, now, expires_at))
            rows.append((workspace_id, member_id, login_id, f"Member {number}", email, role, now))
            if audience:
                access.append((workspace_id, inbox_ids[workspace_id][audience], member_id))
    tables = {
        "login": (["id", "email", "name", "created_at"], logins),
        "login_session": (["token_hash", "id", "login_id", "created_at", "used_at", "expires_at"], sessions),
        "member": (["workspace_id", "id", "login_id", "name", "email", "role", "created_at"], rows),
        "inbox_member": (["workspace_id", "inbox_id", "member_id"], access),
    }
    for table, (columns, records) in tables.items():
        await owner.copy_records_to_table(table, columns=columns, records=records)
    return members


def _visitors(plan: CrowdPlan, account_ids: dict[int, list[UUID]], sealer: Sealer) -> list[_Visitor]:
    """Make visitors with tokens; a workspace that seats members only has one who writes, without a seat."""
    tokens = VisitorTokens(sealer.derive_keys(TOKEN_PURPOSE))
    expires_at_s = int(clock.now().timestamp()) + 86_400
    visitors = []
    for place, (workspace_id, accounts) in enumerate(account_ids.items()):
        for number, visitor_id in enumerate(clock.new_ids(max(1, _member_count(plan, place)[1]))):
            inbox = _VISITORS_INBOX[number % len(_VISITORS_INBOX)]
            claims = VisitorClaims(
                workspace_id=workspace_id,
                channel_account_id=accounts[inbox],
                visitor_id=visitor_id,
                expires_at_s=expires_at_s,
            )
            voice = Voice(workspace_id, accounts[inbox], visitor_id, inbox)
            visitors.append(_Visitor(voice, tokens.sign(claims)))
    return visitors


async def _add_conversations(database: Database, voices: list[Voice]) -> dict[UUID, UUID]:
    """Receive each visitor's first message; returns their conversations."""
    found: dict[UUID, UUID] = {}
    batches = [voices[start : start + BATCH] for start in range(0, len(voices), BATCH)]

    async def receive_some() -> None:
        while batches:
            batch = batches.pop()
            async with database.transaction(sorted({one.workspace_id for one in batch})) as conn:
                outcomes = await actions.receive(conn, [message_of(one, "Hello, is anybody there?") for one in batch])
            for voice, outcome in zip(batch, outcomes, strict=True):
                assert outcome.conversation_id is not None
                found[voice.visitor_id] = outcome.conversation_id

    await asyncio.gather(*(receive_some() for _ in range(WRITERS)))
    return found


def message_of(voice: Voice, text: str) -> ReceivedItem:
    """Make what live chat makes of a visitor's message."""
    claims = VisitorClaims(
        workspace_id=voice.workspace_id,
        channel_account_id=voice.account_id,
        visitor_id=voice.visitor_id,
        expires_at_s=0,
    )
    client_message_id = clock.new_id()
    item = InboundItem(
        kind=ItemKind.MESSAGE,
        key=f"{voice.visitor_id}:{client_message_id}",
        occurred_at=clock.now(),
        thread_key=claims.thread_key(),
        sender=claims.sender(),
        text=text,
        client_message_id=str(client_message_id),
    )
    return ReceivedItem(
        workspace_id=voice.workspace_id, channel_account_id=voice.account_id, channel="livechat", item=item
    )


def _write_hellos(path: Path, dealt: Sequence[_Member | _Visitor], seats: Sequence[Seat], epoch: int) -> None:
    with path.open("w") as file:
        for who, seat in zip(dealt, seats, strict=True):
            hello: dict[str, object] = {"type": "hello", "protocol": 1, "client": "wsload/1"}
            hello |= (
                {"bearer": who.token, "workspace_id": who.workspace_id}
                if isinstance(who, _Member)
                else {"visitor_token": who.token}
            )
            hello["cursor"] = {"epoch": epoch, "seq": seat.cursor}
            file.write(msgspec.json.encode(hello).decode() + "\n")
