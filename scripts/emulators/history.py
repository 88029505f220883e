"""
The history a demo begins with: conversations of the past days as JSON lines, oldest first, for the hub to fill in.

Run: ``python -m scripts.emulators.history --seed 1 --amount 30 --until 2026-11-22T18:00:00Z``. Each line has the fields
of ``PastMessage`` in ``hub/demo/model.py``.
"""

from __future__ import annotations

import argparse
import heapq
import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from random import Random

from scripts.emulators.callers import past_call
from scripts.emulators.stories import Customer, customer
from scripts.emulators.story_texts import CHAT, MAIL, SMS, WHATSAPP

# Numbers of the history's customers; those who come live count from 0.
FIRST_NUMBER = 1_000
_SCHEMES = {CHAT: "visitor", SMS: "phone", MAIL: "email", WHATSAPP: "phone"}
# One conversation in so many is a telephone call.
_CALL_EVERY = 6
_CLOSED_SHARE = 0.55
_READ_SHARE = 0.4

Row = dict[str, object]


def history(seed: int, amount: int, until: datetime, days: float, member: str = "Robin Vale") -> list[Row]:
    """Return every message of ``amount`` conversations that began in the ``days`` before ``until``, oldest first."""
    streams = [_conversation(seed, number, until, days, member) for number in range(amount)]
    return [row for _, _, row in heapq.merge(*streams, key=lambda one: one[:2])]


def _conversation(
    seed: int, number: int, until: datetime, days: float, member: str
) -> Iterator[tuple[datetime, int, Row]]:
    one = customer(seed, FIRST_NUMBER + number)
    rng = Random(f"history:{seed}:{number}")  # noqa: S311  invented people, not secrets
    # More of them lately than long ago, as in an inbox that is worked on.
    at = until - timedelta(days=days * rng.random() ** 2, minutes=2)
    if number % _CALL_EVERY == _CALL_EVERY - 1:
        yield at, number, past_call(seed, number, at, member)
        return
    is_closed, is_read = rng.random() < _CLOSED_SHARE, rng.random() < _READ_SHARE
    # What is open waits for an answer: the last words of a story are a thank-you.
    turns = one.turns if is_closed else one.turns[: rng.randint(1, max(1, len(one.turns) - 1))]
    for index, turn in enumerate(turns):
        is_last = index == len(turns) - 1
        for line in turn.lines:
            at = min(at + timedelta(seconds=line.pause_s + line.typing_s), until)
            row = _row(one, "inbound", line.text, at, f"{number}:{index}:{line.text[:20]}")
            yield at, number, row | {"is_read": is_closed or is_read}
        if is_last and not is_closed:
            return
        at = min(at + timedelta(minutes=rng.uniform(1, 45)), until)
        yield at, number, _row(one, "outbound", turn.answer, at, f"{number}:{index}:answer") | {"closes": is_last}
        at = min(at + timedelta(minutes=rng.uniform(1, 90)), until)


def _row(one: Customer, direction: str, text: str, at: datetime, key: str) -> Row:
    phone = one.person.phone
    address = {CHAT: one.person.visitor, SMS: phone, MAIL: one.person.email, WHATSAPP: phone}[one.channel]
    threads = {CHAT: f"visitor:{address}", MAIL: f"demo:{one.person.number}"}
    return {
        "channel": one.channel,
        "direction": direction,
        "scheme": _SCHEMES[one.channel],
        "address": address,
        "name": one.person.name if one.channel != SMS else "",
        "thread": threads.get(one.channel, address),
        "text": text,
        "at": at.isoformat(),
        "key": key,
        "subject": one.subject if one.channel == MAIL else "",
    }


def main() -> None:
    """Print the history."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, required=True)
    parser.add_argument("--amount", type=int, required=True)
    parser.add_argument("--days", type=float, default=3.0)
    parser.add_argument("--until", type=datetime.fromisoformat, required=True)
    options = parser.parse_args()
    for row in history(options.seed, options.amount, options.until, options.days):
        print(json.dumps(row, ensure_ascii=False), flush=False)


if __name__ == "__main__":
    main()
