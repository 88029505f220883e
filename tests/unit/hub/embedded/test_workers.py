"""The serve processes of one port."""

from __future__ import annotations

import os
from pathlib import Path

from hub.embedded.supervisor import DRAIN_ALLOWANCE_S
from hub.embedded.workers import serve_children


def command(*arguments):
    return ("hub", *arguments)


def test_one_worker_is_just_serve():
    """No shared port, nothing inherited: as before there were several."""
    (only,) = serve_children(1, command, drain_s=5.0)
    assert (only.name, only.launch.command, only.launch.held_fds) == ("serve", ("hub", "serve"), ())
    assert only.drain_s == 5.0 + DRAIN_ALLOWANCE_S


def test_each_worker_knows_its_place_and_inherits_the_same_file():
    """By which each sees which others listen."""
    children = serve_children(
        3, command, drain_s=60.0, log_path=lambda name: Path(f"/logs/{name}.log"), environ={"A": "b"}
    )
    (board,) = {one.launch.held_fds for one in children}
    os.close(board[0])  # it was open
    assert [one.launch.command[2:] for one in children] == [
        (f"--worker-index={index}", "--worker-count=3", f"--listeners-fd={board[0]}") for index in range(3)
    ]
    assert [one.launch.log_path.name for one in children] == ["serve-0.log", "serve-1.log", "serve-2.log"]
    assert {one.launch.environ["A"] for one in children} == {"b"}
