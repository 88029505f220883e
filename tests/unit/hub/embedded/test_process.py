"""Our handle on one process, tried with tiny ones."""

from __future__ import annotations

import asyncio
import os
import signal
import sys

from hub.embedded.process import Launch, ServerProcess, is_alive, last_lines, rotate_log, start_process
from tests.waiting import wait_until


def _python(code, **options):
    return Launch((sys.executable, "-c", code), **options)


async def test_start_process_logs_both_outputs_privately(tmp_path):
    """What a process prints is in its log, which only we can read."""
    log_path = tmp_path / "logs" / "a.log"

    process = start_process(_python("import sys; print('out'); print('err', file=sys.stderr)", log_path=log_path))

    assert await process.wait(10)
    assert process.exit_code == 0
    assert sorted(log_path.read_text().split()) == ["err", "out"]
    assert log_path.stat().st_mode & 0o077 == 0


async def test_stop_kills_what_ignores_the_signal(tmp_path):
    """A process that will not end is killed, and stop says that asking was not enough."""
    ready = tmp_path / "ready"
    code = f"import signal, time; signal.signal(15, signal.SIG_IGN); open({str(ready)!r}, 'w'); time.sleep(60)"
    process = start_process(_python(code))
    await wait_until(ready.exists)

    assert await process.stop((signal.SIGTERM,), 0.2) is False

    assert process.exit_code == -signal.SIGKILL


async def test_process_dies_with_the_one_that_started_it(tmp_path):
    """kill -9 of a parent ends its child as well (Linux)."""
    code = f"""
import sys, time
from hub.embedded.process import Launch, start_process
child = start_process(Launch((sys.executable, "-c", "import time; time.sleep(60)")))
open({str(tmp_path / "pid")!r}, "w").write(str(child.pid) + "\\n")
time.sleep(60)
"""
    parent = start_process(_python(code))
    await wait_until(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text().endswith("\n"))
    child_pid = int((tmp_path / "pid").read_text())
    assert is_alive(child_pid)

    parent.send(signal.SIGKILL)
    await parent.wait(10)

    await wait_until(lambda: not is_alive(child_pid))


async def test_adopted_process_is_seen_to_end():
    """A handle on a process we did not start notices its end, though not its code."""
    child = await asyncio.create_subprocess_exec(sys.executable, "-c", "import time; time.sleep(60)")
    adopted = ServerProcess(child.pid)
    assert adopted.is_running()

    assert await adopted.stop((signal.SIGTERM,), 10)

    assert (adopted.is_running(), adopted.exit_code) == (False, None)
    await child.wait()


def test_is_alive_knows_the_living_from_the_dead():
    """We live; a number no process can have does not."""
    assert is_alive(os.getpid())
    assert not is_alive(2**22 + 1)


def test_rotate_log_keeps_three_older_ones(tmp_path):
    """A large log moves on by one place each time and the oldest goes; a small one stays."""
    path = tmp_path / "a.log"
    for generation in range(5):
        path.write_text(f"{generation}" * 10)
        rotate_log(path, limit_bytes=5)
    path.write_text("new")
    rotate_log(path, limit_bytes=5)

    assert {file.name: file.read_text()[0] for file in tmp_path.iterdir()} == {
        "a.log": "n",
        "a.log.1": "4",
        "a.log.2": "3",
        "a.log.3": "2",
    }


def test_last_lines_of_a_log_and_of_none(tmp_path):
    """The end of a log is shown whole lines at a time; a log never written is empty."""
    (tmp_path / "a.log").write_text("\n".join(f"line {number}" for number in range(1000)))

    assert last_lines(tmp_path / "a.log", 2) == "line 998\nline 999"
    assert last_lines(tmp_path / "b.log", 2) == ""
