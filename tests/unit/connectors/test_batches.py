"""Storing a batch: order of COMMIT and XACK, the guilty entry among neighbours, dead letters, waiting."""

from __future__ import annotations

import asyncio
from uuid import UUID

import pytest

from connectors import batches
from connectors.batches import BatchStore, TooManyDeadLetters
from hub.errors import MalformedPayload, Unavailable
from hub.streams import Entry
from tests.unit.connectors.fakes import Intake, PostgresRefusal, make_entry

BAD_DATA = PostgresRefusal("22021")


@pytest.fixture
def intake():
    return Intake()


@pytest.fixture
def store(intake):
    return BatchStore(3, intake.ports, lambda: True)


def unavailable(sqlstate=None):
    error = Unavailable("The database is not answering.")
    error.__cause__ = PostgresRefusal(sqlstate) if sqlstate else ConnectionResetError()
    return error


async def test_store_acknowledges_after_commit(intake, store):
    """A whole batch is one transaction, and its acknowledgement comes after its COMMIT."""
    left = await store.store([make_entry(1), make_entry(2)])

    assert left == 0
    assert intake.journal == [("commit", ("k1", "k2")), ("ack", ("1-0", "2-0"))]
    assert intake.ports.metrics.outcomes == {"stored": 2}


async def test_store_gets_only_clean_html(intake, store):
    """What a sender wrote as HTML is cleaned before the transaction; the store never sees it as it came."""
    hostile = b'<p onclick="steal()">Hi<script>steal()</script><img src="https://tracker.example/p.gif"></p>'

    await store.store([make_entry(1, hostile), make_entry(2)])

    (mail, plain) = intake.receive.items
    assert (mail.item.html, plain.formatted) == (None, None)
    assert mail.formatted.remote_images == 1
    assert "Hi" in mail.formatted.html
    assert "steal" not in mail.formatted.html


async def test_store_spreads_huge_texts_over_transactions(intake, store):
    """Mails of megabytes are stored few at a time: together they would run into the statement timeout."""
    # Counted twice: as the bytes that came, and as the text they are.
    body = b"x" * (batches.MAX_BYTES // 6 - 1000)

    await store.store([make_entry(number, body) for number in range(1, 6)])

    assert intake.receive.batches == [["k1", "k2", "k3"], ["k4", "k5"]]
    assert intake.acked() == [f"{number}-0" for number in range(1, 6)]


@pytest.mark.parametrize("guilty", range(1, 10))
async def test_store_bisects_to_the_guilty_entry(intake, store, guilty):
    """One entry that Postgres refuses does not keep its neighbours from being stored; it alone stays pending."""
    intake.receive.poison[f"k{guilty}"] = BAD_DATA
    everybody = [make_entry(number) for number in range(1, 10)]

    left = await store.store(everybody)

    others = [number for number in range(1, 10) if number != guilty]
    assert left == 1
    assert intake.committed() == [f"k{number}" for number in others]
    assert intake.acked() == [f"{number}-0" for number in others]


async def test_store_buries_before_it_acknowledges(intake, store):
    """After five deliveries the raw item is a committed dead letter first, and acknowledged then."""
    intake.receive.poison["k1"] = BAD_DATA

    left = await store.store([make_entry(1, deliveries=5)])

    assert left == 0
    assert intake.journal == [("rollback", ()), ("commit", ("dead:k1",)), ("ack", ("1-0",))]
    assert intake.ports.metrics.dead_letters == 1


async def test_store_keeps_an_entry_until_its_fifth_delivery(intake, store):
    """Four failures are not enough: what fails may be mended by a restart or a migration meanwhile."""
    intake.receive.poison["k1"] = BAD_DATA

    assert await store.store([make_entry(1, deliveries=4)]) == 1
    assert intake.acked() == []


async def test_store_buries_malformed_at_once(intake, store):
    """Bytes that are not of the vendor's shape will not become so: no second try, neighbours stored."""
    left = await store.store([make_entry(1, b"malformed"), make_entry(2)])

    assert left == 0
    assert intake.committed() == ["k2", "dead:k1"]
    assert sorted(intake.acked()) == ["1-0", "2-0"]


async def test_store_buries_at_once_what_receive_calls_malformed(intake, store):
    """The store may find out later than the parser; the verdict is the same."""
    intake.receive.poison["k1"] = MalformedPayload("The text is too long.")

    await store.store([make_entry(1), make_entry(2)])

    assert intake.committed() == ["k2", "dead:k1"]


async def test_store_counts_and_acknowledges_unsupported(intake, store):
    """A kind we do not handle is no fault of anybody's."""
    await store.store([make_entry(1, b"unsupported")])

    assert intake.ports.metrics.unsupported == 1
    assert intake.journal == [("ack", ("1-0",))]


async def test_store_leaves_a_parsers_bug_pending(intake, store):
    """A parser that crashes may be mended by the next deployment; its entry waits, the others do not."""
    assert await store.store([make_entry(1, b"bug"), make_entry(2)]) == 1
    assert intake.committed() == ["k2"]
    assert intake.acked() == ["2-0"]


async def test_store_waits_for_postgres_with_the_batch_in_hand(intake, store):
    """While Postgres is away nothing is acknowledged, nothing buried, and the waits grow."""
    intake.receive.errors = [unavailable() for _ in range(8)]

    left = await store.store([make_entry(1, deliveries=5), make_entry(2)])

    assert left == 0
    assert intake.committed() == ["k1", "k2"]
    assert len(intake.naps) == 8
    assert 0.05 <= intake.naps[0] <= 0.1
    assert 2.5 <= intake.naps[-1] <= 5.0
    assert intake.ports.metrics.dead_letters == 0


async def test_store_waits_for_a_broken_system(intake, store):
    """A database without room or without our table is not the fault of the message."""
    intake.receive.errors = [PostgresRefusal("53100"), PostgresRefusal("42P01")]

    assert await store.store([make_entry(1, deliveries=9)]) == 0
    assert intake.committed() == ["k1"]


async def test_store_tries_a_commit_again_whose_answer_was_lost(intake, store):
    """A lost COMMIT is not acknowledged: the batch goes through again, and its keys absorb it."""
    intake.database.commit_errors = [unavailable()]

    await store.store([make_entry(1)])

    assert intake.receive.batches == [["k1"], ["k1"]]
    assert intake.acked() == ["1-0"]


async def test_store_gives_up_when_the_lease_ends(intake):
    """Somebody else has the partition: nothing of it is touched any more."""
    store = BatchStore(3, intake.ports, lambda: False)
    intake.receive.errors = [unavailable()]

    with pytest.raises(Unavailable):
        await store.store([make_entry(1)])

    assert intake.acked() == []


async def test_store_puts_a_locked_workspace_aside(intake, store):
    """A workspace whose row is locked for long does not hold up the others of its partition."""
    other = UUID("01890000-0000-7000-8000-000000000002")
    intake.routes.workspaces[other] = 17
    intake.receive.poison["k1"] = unavailable("55P03")

    left = await store.store([make_entry(1), make_entry(2, account_id=other, workspace_id=17)])

    assert left == 1
    assert intake.committed() == ["k2"]
    assert intake.naps == []
    assert intake.ports.metrics.put_off == 1


async def test_store_lets_nothing_overtake_a_locked_workspace(intake, store):
    """What comes later for a locked workspace waits behind the first, untried, until the next retry."""
    intake.receive.poison["k1"] = unavailable("55P03")
    await store.store([make_entry(1)])
    intake.receive.poison.clear()

    assert await store.store([make_entry(2)]) == 1
    assert intake.receive.batches == [["k1"]]

    store.retry_put_off()
    assert await store.store([make_entry(1, deliveries=60), make_entry(2)]) == 0
    assert intake.committed() == ["k1", "k2"]


async def test_store_never_buries_what_was_only_put_off(intake, store):
    """Waiting for a lock is no fault of the message, however often it is handed out."""
    intake.receive.poison["k1"] = unavailable("55P03")

    assert await store.store([make_entry(1, deliveries=1000)]) == 1
    assert intake.ports.metrics.dead_letters == 0


async def test_store_halves_a_batch_that_takes_too_long(intake, store):
    """A statement that runs into its time limit is tried with less to do; what is still too slow waits alone."""
    intake.receive.poison["k3"] = unavailable("57014")

    left = await store.store([make_entry(number) for number in range(1, 5)])

    assert intake.receive.batches == [["k1", "k2", "k3", "k4"], ["k1", "k2"], ["k3", "k4"], ["k3"]]
    assert left == 2
    assert intake.committed() == ["k1", "k2"]


async def test_store_takes_suspects_one_by_one(intake, store):
    """After a worker's death an entry handed out more than five times goes alone: it may be what killed the worker."""
    await store.store([make_entry(1, deliveries=6), make_entry(2), make_entry(3)], is_cautious=True)

    assert intake.receive.batches == [["k2", "k3"], ["k1"]]


async def test_store_sets_unreadable_bytes_aside(intake, store):
    """What is not one of our items keeps its bytes in another stream; its neighbours are stored."""
    await store.store([Entry("1-0", b"\xc1 not msgpack"), make_entry(2)])

    assert [one.id for one in intake.streams.aside] == ["1-0"]
    assert intake.committed() == ["k2"]


async def test_store_acknowledges_content_that_has_gone(intake, store):
    """A pending id without content cannot be stored by anybody; the stream has raised the alarm."""
    assert await store.store([Entry("1-0", None)]) == 0
    assert intake.acked() == ["1-0"]


async def test_store_refuses_an_item_of_another_workspace(intake, store):
    """An entry whose account belongs to another workspace is never stored there: dead letter."""
    await store.store([make_entry(1, workspace_id=17)])

    assert intake.receive.batches == []
    assert intake.committed() == ["dead:k1"]


async def test_store_drops_the_dead_letter_of_a_deleted_workspace(intake, store):
    """With its workspace gone there is no place and no owner for a dead letter: acknowledged and counted."""
    intake.database.commit_errors = [PostgresRefusal("23503")]

    await store.store([make_entry(1, b"malformed")])

    assert intake.ports.metrics.orphaned == 1
    assert intake.acked() == ["1-0"]


async def test_store_stops_at_the_limit_of_dead_letters(intake, store, monkeypatch):
    """A broken parser must not bury everything: at the limit the partition stops and the rest stays pending."""
    monkeypatch.setattr(batches, "DEAD_LETTER_LIMIT", 3)

    with pytest.raises(TooManyDeadLetters):
        await store.store([make_entry(number, b"malformed") for number in range(1, 6)])

    assert intake.acked() == ["1-0", "2-0", "3-0"]


async def test_store_finishes_its_transaction_when_cancelled(intake, store):
    """Told to stop in the middle of a transaction, it commits and acknowledges before it goes."""
    begun, go_on = asyncio.Event(), asyncio.Event()
    stored = intake.receive

    async def slow(conn, batch):
        begun.set()
        await go_on.wait()
        return await stored(conn, batch)

    object.__setattr__(intake.ports, "receive", slow)
    task = asyncio.create_task(store.store([make_entry(1)]))
    await begun.wait()
    task.cancel()
    await asyncio.sleep(0)
    go_on.set()

    with pytest.raises(asyncio.CancelledError):
        await task
    assert intake.journal == [("commit", ("k1",)), ("ack", ("1-0",))]


async def test_store_keeps_batches_at_two_hundred_items(intake, store):
    """A transaction takes 200 items at most, whatever was read."""
    await store.store([make_entry(number) for number in range(1, 302)])

    assert [len(batch) for batch in intake.receive.batches] == [200, 101]
