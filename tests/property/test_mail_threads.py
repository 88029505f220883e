"""Whatever order the mails of some threads come in, they end in the same conversations."""

from datetime import UTC, datetime
from uuid import UUID

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import clock
from hub.inbox.batch import Clockwork, Known, ids_needed
from hub.inbox.receive import Planner
from hub.inbox.rows import AccountRow
from tests.mails import Mailbox, make_mail, person

WORKSPACE, ACCOUNT = 7, UUID(int=1)
PEOPLE = [f"p{number}@example.com" for number in range(5)]


@st.composite
def threads(draw):
    """
    Threads as mail programs make them: everybody answers everybody, and each mail names all that it follows.

    Subjects differ: two threads of one subject and the same people are told apart only by a mail that is known.
    """
    mails, number = [], 0
    for thread in range(draw(st.integers(1, 3))):
        people = draw(st.lists(st.sampled_from(PEOPLE), min_size=2, max_size=4, unique=True))
        chains: list[list[int]] = []
        for _ in range(draw(st.integers(1, 6))):
            chain = draw(st.sampled_from(chains)) if chains else []
            author = draw(st.sampled_from(people))
            others = tuple(person(one) for one in people if one != author)
            subject = f"{'Re: ' if chain else ''}Matter {thread}"
            number += 1
            mail = make_mail(number, author, answers=chain[::-1], to=others[:1], cc=others[1:], subject=subject)
            mails.append((thread, mail))
            chains.append([*chain, number])
    return draw(st.permutations(mails))


@settings(max_examples=150, deadline=None)
@given(threads(), st.integers(0, 3))
def test_any_order_gives_the_same_conversations(mails, repeats):
    """Two mails are in one conversation exactly if they are of one thread; a mail that comes again changes nothing."""
    mailbox = Mailbox(WORKSPACE, ACCOUNT)
    batch = [mailbox.received(mail) for _, mail in [*mails, *mails[:repeats]]]
    account = AccountRow(WORKSPACE, ACCOUNT, UUID(int=2), "imap_smtp", "connected", 7)
    known = Known(accounts={(WORKSPACE, ACCOUNT): account})
    ids = clock.new_ids(sum(map(ids_needed, batch)))

    planner = Planner(known, {WORKSPACE: 0}, Clockwork(datetime(2026, 11, 22, tzinfo=UTC), ids))
    outcomes = planner.plan(batch)

    by_thread: dict[int, set[UUID]] = {}
    for (thread, _), outcome in zip(mails, outcomes, strict=False):
        by_thread.setdefault(thread, set()).add(outcome.conversation_id)
    assert all(len(found) == 1 for found in by_thread.values()), by_thread
    assert len(set.union(*by_thread.values())) == len(by_thread)
    assert len(planner.writes.messages) == len(mails)
    live = [(row.channel_account_id, row.thread_key) for row in planner.writes.conversations.values()]
    assert len(live) == len(set(live))
    seqs = [msgspec.json.decode(one.data).get("message", {}).get("seq") for one in planner.writes.events]
    assert [seq for seq in seqs if seq] == [at for at, seq in enumerate(seqs, 1) if seq]
