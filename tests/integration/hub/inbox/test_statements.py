"""How many statements receiving costs: each is a round trip while the workspace is locked."""

from __future__ import annotations

import pytest

from hub.inbox import actions
from tests.factories import make_item, received
from tests.mails import make_mail, make_mailbox
from tests.sealed_texts import keep_texts

pytestmark = pytest.mark.postgres


class CountingConn:
    """A connection that counts what is asked of it."""

    def __init__(self, conn) -> None:
        self._conn, self.statements = conn, 0
        self.notices = conn.notices

    def __getattr__(self, name):
        return getattr(self._conn, name)

    async def fetch(self, *arguments):
        self.statements += 1
        return await self._conn.fetch(*arguments)

    async def execute(self, *arguments):
        self.statements += 1
        return await self._conn.execute(*arguments)


async def count(database, workspace, batch):
    async with database.transaction([workspace.id]) as conn:
        counting = CountingConn(conn)
        await actions.receive(counting, batch)
    return counting.statements


async def test_messages_without_threads_cost_four_statements(database, workspace):
    """SMS and chat pay nothing for mail: lock, one read, one write, one append."""
    assert await count(database, workspace, [received(workspace, make_item()) for _ in range(20)]) == 4


async def test_sealing_costs_no_statement_more(database, workspace):
    """The lock says which key seals, and the key is remembered."""
    await keep_texts(database, workspace, "sealed")
    await count(database, workspace, [received(workspace, make_item())])
    assert await count(database, workspace, [received(workspace, make_item()) for _ in range(20)]) == 4


async def test_mails_cost_two_more(database, workspace):
    """A batch of mails adds one read of conversations and one write of people, whatever its size."""
    mailbox = await make_mailbox(database, workspace)
    mails = [mailbox.received(make_mail(number, f"p{number}@example.com")) for number in range(20)]

    assert await count(database, workspace, mails) == 6
