"""The load generator against a server that misbehaves on purpose: what it counts, and when it comes back."""

from __future__ import annotations

import json
import threading
import time
from contextlib import contextmanager

import pytest
from websockets.exceptions import ConnectionClosed
from websockets.sync.server import serve

from scripts.benchmarks.sockets.loaders import LoadPlan, loaders

pytestmark = pytest.mark.processes

WITHIN_S = 20


def event(seq: int, prev: int, text: str = "t=1") -> str:
    said = {"type": "event", "seq": seq, "prev": prev, "event": {"type": "message_received", "text": text}}
    return json.dumps(said, separators=(",", ":"))


def welcome(head: int, *, recovered: bool = True) -> str:
    return json.dumps(
        {"type": "welcome", "epoch": 3, "head": head, "recovered": recovered, "resume_ticket": "good-until-late"},
        separators=(",", ":"),
    )


class Script:
    """A server that answers each hello with the next lot of frames; a number closes with that code."""

    def __init__(self, *lots, refusals=0):
        self.lots = list(lots)
        self.refusals = refusals
        self.hellos: list[dict] = []
        self.asked_at: list[float] = []

    def refuse(self, connection, request):
        self.asked_at.append(time.monotonic())
        if self.refusals:
            self.refusals -= 1
            response = connection.respond(503, "Come back.\n")
            response.headers["Retry-After"] = "1"
            return response
        return None

    def handle(self, connection):
        try:
            for said in connection:
                message = json.loads(said)
                if message["type"] != "hello":
                    continue
                self.hellos.append(message)
                for frame in self.lots.pop(0) if self.lots else ():
                    if isinstance(frame, int):
                        connection.close(frame)
                        return
                    connection.send(frame)
        except ConnectionClosed:
            return


@contextmanager
def client_of(script: Script, tmp_path, **options):
    """Run one client against a scripted server; yields its group."""
    hello = {"type": "hello", "protocol": 1, "bearer": "b", "workspace_id": 5, "cursor": {"epoch": 3, "seq": 10}}
    hellos = tmp_path / "hellos"
    hellos.write_text(json.dumps(hello, separators=(",", ":")) + "\n")
    with serve(script.handle, "127.0.0.1", 0, process_request=script.refuse, compression=None) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            port = server.socket.getsockname()[1]
            with loaders(LoadPlan(port=port, hellos=hellos, clients=1, first_retry_s=0.2, **options)) as group:
                group.connect()
                yield group
        finally:
            server.shutdown()
            thread.join()


def test_client_applies_drops_and_finds_what_is_missing(tmp_path):
    """11 is applied, 11 again dropped, 14 after 13 means that 12 and 13 are missing: hello again, in place."""
    script = Script(
        [welcome(11), event(11, 10), event(11, 10), event(14, 13)],
        [welcome(14), event(12, 11), event(13, 12), event(14, 13)],
    )
    with client_of(script, tmp_path) as group:
        group.wait_until(lambda one: one.events >= 6, WITHIN_S)
        (row,) = group.table()

    assert (row.is_live, row.cursor, row.applied, row.duplicated, row.gapped) == (True, 14, 4, 1, 1)
    assert script.hellos[0]["bearer"] == "b"
    assert script.hellos[1]["cursor"] == {"epoch": 3, "seq": 11}


def test_client_comes_back_with_its_ticket_and_cursor(tmp_path):
    """Closed with a code that says so, it brings the newest ticket and goes on where it was; late is measured."""
    script = Script([welcome(11), event(11, 10), 4000], [welcome(12), event(12, 11)])
    with client_of(script, tmp_path, keeps_tickets=True) as group:
        report = group.wait_until(lambda one: one.caught_up == 1, WITHIN_S)

    again = script.hellos[1]
    assert (again["resume_ticket"], again["cursor"]) == ("good-until-late", {"epoch": 3, "seq": 11})
    assert report.reasons == {"closed 4000": 1}
    assert sum(report.catch_up_ms.values()) == 1


def test_client_signs_in_again_where_its_ticket_is_refused(tmp_path):
    """4501 to a ticket means: with the credential of the first time, from the same cursor."""
    script = Script([welcome(11), event(11, 10), 4000], [4501], [welcome(11)])
    with client_of(script, tmp_path, keeps_tickets=True) as group:
        report = group.wait_until(lambda one: one.opened == 2, WITHIN_S)

    assert script.hellos[2]["bearer"] == "b"
    assert script.hellos[2]["cursor"] == {"epoch": 3, "seq": 11}
    assert report.signed_in_again == 1


def test_client_stays_away_when_told_to(tmp_path):
    """4502 means: do not come back."""
    with client_of(Script([4502]), tmp_path) as group:
        report = group.wait_until(lambda one: one.failed == 1, WITHIN_S)

    assert (report.failed, report.reasons) == (1, {"closed 4502": 1})


def test_client_honours_retry_after(tmp_path):
    """A refused handshake is tried again no earlier than it was told."""
    script = Script([welcome(10)], refusals=1)
    with client_of(script, tmp_path) as group:
        report = group.wait_until(lambda one: one.live == 1, WITHIN_S)

    assert report.reasons == {"HTTP 503": 1}
    assert script.asked_at[1] - script.asked_at[0] >= 1.0


def test_client_that_is_too_far_behind_takes_a_snapshot(tmp_path):
    """Without recovery it goes on from the head, and says that it would have fetched the rest."""
    script = Script([welcome(900, recovered=False)], [welcome(900), event(901, 900)])
    with client_of(script, tmp_path) as group:
        group.wait_until(lambda one: one.events == 1, WITHIN_S)
        (row,) = group.table()

    assert (row.cursor, row.applied, row.snapshots) == (901, 1, 1)
    assert script.hellos[1]["cursor"] == {"epoch": 3, "seq": 900}
