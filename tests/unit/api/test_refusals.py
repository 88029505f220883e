"""Refused calls on the log: which are worth a line, what is in it, and how many there are."""

from __future__ import annotations

import pytest
from starlette.responses import Response

from api.errors import error_answer
from api.refusals import LINES_PER_MINUTE, Refusals
from api.route import Access, Route
from hub.errors import Forbidden, HubError, InvalidInput, NotFound, NotSignedIn, ProofNeeded, TooManyRequests


async def handler(call):
    """Never called."""


ROUTE = Route("GET", "/files/{token}", handler, Access.OPEN)


class Recorder:
    def __init__(self) -> None:
        self.lines: list[tuple[str, dict[str, object]]] = []

    def warning(self, event: str, **facts: object) -> None:
        self.lines.append((event, facts))


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def refuse(refusals: Refusals, error: HubError) -> None:
    response: Response = error_answer(error)
    if refusals.is_worth_a_line(response):
        refusals.note(ROUTE, response, {"login_id": "7"})


@pytest.mark.parametrize(
    ("error", "lines"),
    [
        (Forbidden(), 1),
        (TooManyRequests(5), 1),
        (ProofNeeded(("password",)), 0),
        (NotSignedIn(), 0),
        (NotFound("contact"), 0),
        (InvalidInput("name", "Too long."), 0),
    ],
)
def test_only_refusals_are_told(error, lines):
    """What a caller may not do, or does too often, is a line; steps of ordinary use are none."""
    said = Recorder()
    refuse(Refusals(logger=said), error)
    assert len(said.lines) == lines


def test_line_names_route_and_caller_and_nothing_called():
    """The pattern of the address, the answer and ids: an address itself may hold a secret."""
    said = Recorder()
    refuse(Refusals(logger=said), Forbidden("Ola Nordmann may not."))
    (line,) = said.lines
    facts = {"method": "GET", "route": "/files/{token}", "status": 403, "code": "forbidden", "login_id": "7"}
    assert line == ("call_refused", facts)


def test_being_refused_fills_no_disk():
    """After sixty lines in a minute the rest is a number, told with the next minute's first."""
    said, now = Recorder(), Clock()
    refusals = Refusals(logger=said, monotonic_s=now)
    for _ in range(LINES_PER_MINUTE + 40):
        refuse(refusals, Forbidden())
    assert len(said.lines) == LINES_PER_MINUTE
    now.now_s += 61
    refuse(refusals, Forbidden())
    assert said.lines[LINES_PER_MINUTE:][0] == ("calls_refused", {"left_out": 40})
    assert len(said.lines) == LINES_PER_MINUTE + 2
