"""Resume tickets: what makes one good, and that nothing else does."""

from datetime import timedelta
from uuid import uuid4

import pytest

from hub.errors import NotSignedIn
from hub.realtime.ports import Grant
from hub.realtime.resume import RESUME_TICKET_S, ResumeTickets
from tests.realtime_fakes import NOON

GRANT = Grant(
    kind="member",
    workspace_id=7,
    subject_id=uuid4(),
    session_id=uuid4(),
    may_reply=True,
    visible_inboxes=frozenset({uuid4(), uuid4()}),
    rights_version=3,
)


class Time:
    now = NOON

    def __call__(self):
        return self.now


def test_ticket_brings_the_same_grant_back():
    """Every field survives, sets included, for members and visitors."""
    tickets = ResumeTickets(b"k" * 32, Time())
    visitor = Grant(kind="visitor", workspace_id=7, subject_id=uuid4(), conversation_id=uuid4(), visitor_token="v1.a.b")
    for grant in (GRANT, visitor):
        assert tickets.redeem(tickets.issue(grant, 1), 1) == grant


def test_ticket_of_a_member_of_a_thousand_inboxes_fits():
    """However many inboxes somebody sees, their ticket is read back and fits into a hello."""
    from msgspec import structs

    tickets = ResumeTickets(b"k" * 32, Time())
    grant = structs.replace(GRANT, visible_inboxes=frozenset(uuid4() for _ in range(1_000)))
    ticket = tickets.issue(grant, 1)
    assert tickets.redeem(ticket, 1) == grant
    assert len(ticket) < 32_000


def test_ticket_is_refused_when_old_foreign_or_changed():
    """Five minutes, one epoch, one key, and not a bit changed."""
    time = Time()
    tickets = ResumeTickets(b"k" * 32, time)
    ticket = tickets.issue(GRANT, 1)
    with pytest.raises(NotSignedIn):
        tickets.redeem(ticket, 2)
    with pytest.raises(NotSignedIn):
        ResumeTickets(b"j" * 32, time).redeem(ticket, 1)
    for position in range(0, len(ticket) - 1, 7):
        changed = ticket[:position] + ("A" if ticket[position] != "A" else "B") + ticket[position + 1 :]
        with pytest.raises(NotSignedIn):
            tickets.redeem(changed, 1)
    time.now = NOON + timedelta(seconds=RESUME_TICKET_S)
    with pytest.raises(NotSignedIn):
        tickets.redeem(ticket, 1)


@pytest.mark.parametrize("text", ["", "x", "ü" * 9, "A" * 40_000, "====", "a b", "-" * 64])
def test_ticket_of_any_text_is_refused_without_a_crash(text):
    """Whatever a client sends, the answer is NotSignedIn."""
    with pytest.raises(NotSignedIn):
        ResumeTickets(b"k" * 32, Time()).redeem(text, 1)
