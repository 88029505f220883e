"""
Who telephones the demo's furniture shop, and what they leave in its mailbox. Pure: a seed and a number give the same
caller on every machine.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count
from random import Random

from scripts.emulators.people import Person, person
from scripts.emulators.story_texts import CALLS

# Callers are people of their own: nobody who writes has their number.
FIRST_PERSON = 3_000
HISTORY_PERSON = 4_000
# Mean seconds between two calls, after the first.
GAP_S = 150.0
_ANSWERED_SHARE = 0.6
_WORDS = (
    ("Hello, this is {name}. Can the oak table be had in two metres twenty? Please call me back, thank you.", 14),
    ("Hi, {first} here. The driver was to come at ten and it is almost one. What is going on?", 12),
    ("Good afternoon. Which care oil goes with walnut? You have my number. Bye!", 11),
    ("Hello, {name}. We need an offer for twelve chairs by Friday. Please ring me any time before six.", 15),
    ("It is {first} again. Never mind, the screws were in the other box. Sorry! And thank you.", 10),
)

Row = dict[str, object]


@dataclass(frozen=True, slots=True)
class Caller:
    """
    One call.

    Attributes:
        arrives_s: Seconds after the demo began.
        wait_s: How long it rings before somebody takes it, or nobody does.
        talk_s: How long they speak; 0: nobody takes it.
        words: What they leave in the mailbox where nobody takes it.
        message_s: How long that is.
    """

    person: Person
    arrives_s: float
    wait_s: int
    talk_s: int
    words: str
    message_s: int


def caller(seed: int, number: int, arrives_s: float = 0.0) -> Caller:
    """Return the caller who is that person."""
    rng = Random(f"caller:{seed}:{number}")  # noqa: S311  invented people, not secrets
    who = person(seed, number, "en")
    words, message_s = rng.choice(_WORDS)
    is_answered = rng.random() < _ANSWERED_SHARE
    return Caller(
        person=who,
        arrives_s=arrives_s,
        wait_s=rng.randrange(4, 38),
        talk_s=rng.randrange(25, 420) if is_answered else 0,
        words=words.format(first=who.first, name=who.name),
        message_s=message_s,
    )


def callers(seed: int, first: int = 0) -> Iterator[Caller]:
    """Yield those who call, in the order they do, for ever; the first few seconds after the demo began."""
    rng = Random(f"callers:{seed}:{first}")  # noqa: S311  invented people, not secrets
    at_s = 6.0
    for number in count():
        yield caller(seed, FIRST_PERSON + (first + number) % 1_000, round(at_s, 3))
        at_s += rng.expovariate(1 / GAP_S)


def past_call(seed: int, number: int, at: datetime, member: str) -> Row:
    """
    Return a call of the history, with the fields of ``PastMessage`` in ``hub/demo/model.py``.

    Args:
        seed: Of the demo.
        number: Of the conversation in the history.
        at: When it began.
        member: Who answered, if anybody did.
    """
    one = caller(seed, HISTORY_PERSON + number)
    picked_up = at + timedelta(seconds=one.wait_s)
    call: Row = {"outcome": "missed", "ended_at": picked_up.isoformat()}
    text = "Missed call"
    if one.talk_s:
        ended = picked_up + timedelta(seconds=one.talk_s)
        text = f"Incoming call, answered by {member}, {one.talk_s // 60}:{one.talk_s % 60:02}"
        call = {"outcome": "answered", "member": member, "talk_s": one.talk_s}
        call |= {"answered_at": picked_up.isoformat(), "ended_at": ended.isoformat()}
    return {
        "channel": CALLS,
        "direction": "inbound",
        "scheme": "phone",
        "address": one.person.phone,
        "name": one.person.name,
        "thread": one.person.phone,
        "text": text,
        "at": at.isoformat(),
        "key": f"call:{number}",
        "subject": "",
        "call": call,
        "is_read": bool(one.talk_s),
        "closes": bool(one.talk_s),
    }
