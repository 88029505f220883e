"""Folders, locks, keys and backups of a data folder."""

from __future__ import annotations

import base64
import os
import stat
import subprocess
import sys

import pytest

from hub.embedded.backup import back_up
from hub.embedded.binaries import PostgresBinaries
from hub.embedded.folders import SOCKET_DIR_LIMIT_BYTES, private_dir, socket_dir
from hub.embedded.lock import FolderLock
from hub.embedded.secret import ensure_secret_key
from hub.errors import ConfigurationError, Unavailable


def test_private_dir_closes_an_open_folder(tmp_path):
    """A folder others could read is closed to them."""
    (tmp_path / "open").mkdir(mode=0o755)

    private_dir(tmp_path / "open")

    assert stat.S_IMODE((tmp_path / "open").stat().st_mode) == 0o700


def test_private_dir_refuses_a_symlink(tmp_path):
    """Where somebody else put a link, nothing behind it is touched."""
    (tmp_path / "target").mkdir(mode=0o755)
    (tmp_path / "link").symlink_to(tmp_path / "target")

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        private_dir(tmp_path / "link")

    assert stat.S_IMODE((tmp_path / "target").stat().st_mode) == 0o755


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder away")
def test_private_dir_refuses_another_users_folder(tmp_path):
    """A folder of another user is refused, not taken over."""
    (tmp_path / "theirs").mkdir()
    os.chown(tmp_path / "theirs", 65534, 65534)

    with pytest.raises(ConfigurationError, match="belongs to another user"):
        private_dir(tmp_path / "theirs")


def test_private_dir_names_the_variable_when_it_cannot_be_made(tmp_path):
    """A path through a file cannot be a folder; the person learns which variable to change."""
    (tmp_path / "file").write_text("")

    with pytest.raises(ConfigurationError, match="HUB_DATA_DIR"):
        private_dir(tmp_path / "file" / "data")


def test_socket_dir_stays_short_for_a_long_data_folder(tmp_path):
    """A socket's path must fit into 104 bytes however deep the data folder lies, the same at each start."""
    deep = tmp_path / ("x" * 100)
    deep.mkdir()

    first, second = socket_dir(deep), socket_dir(deep)

    try:
        assert first == second
        assert len(os.fsencode(first)) <= SOCKET_DIR_LIMIT_BYTES
        assert stat.S_IMODE(first.stat().st_mode) == 0o700
    finally:
        first.rmdir()


def test_folder_lock_is_held_by_one_process_and_freed_by_its_death(tmp_path):
    """A second process is refused and told who holds it; kill -9 of the holder frees it."""
    script = f"""
import sys, time
from pathlib import Path
from hub.embedded.lock import FolderLock
lock = FolderLock(Path({str(tmp_path / "a.lock")!r}))
lock.acquire()
print("locked", flush=True)
time.sleep(60)
"""
    with subprocess.Popen((sys.executable, "-c", script), stdout=subprocess.PIPE) as holder:
        assert holder.stdout.readline() == b"locked\n"
        lock = FolderLock(tmp_path / "a.lock")
        with pytest.raises(ConfigurationError, match=f"in use by process {holder.pid}"):
            lock.acquire()
        holder.kill()
        holder.wait()

        lock.acquire()

    assert lock.holder() == str(os.getpid())
    lock.release()


def test_secret_key_is_made_once_and_kept_private(tmp_path):
    """The key is 32 random bytes, the same at each call, readable by us alone."""
    first, second = ensure_secret_key(tmp_path), ensure_secret_key(tmp_path)

    assert first == second
    assert len(base64.b64decode(first)) == 32
    assert stat.S_IMODE((tmp_path / "secret.key").stat().st_mode) == 0o600
    assert [file.name for file in tmp_path.iterdir()] == ["secret.key"]


def _pg_dump(folder, script):
    folder.mkdir()
    (folder / "pg_dump").write_text(f"#!/bin/sh\n{script}\n")
    (folder / "pg_dump").chmod(0o755)
    return PostgresBinaries(folder, "18.6", 18)


def test_back_up_keeps_the_newest_five(tmp_path):
    """The sixth dump sends the oldest away; the new one is complete and private."""
    for number in range(5):
        (tmp_path / "backups").mkdir(exist_ok=True)
        (tmp_path / "backups" / f"hub-2020010{number}T000000Z-0001.dump").write_text("")

    path = back_up(_pg_dump(tmp_path / "bin", "echo dumped"), "postgresql://", tmp_path / "backups", "0001")

    kept = sorted(file.name for file in (tmp_path / "backups").iterdir())
    assert len(kept) == 5
    assert "hub-20200100T000000Z-0001.dump" not in kept
    assert path.read_text() == "dumped\n"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_back_up_that_fails_leaves_nothing_that_looks_complete(tmp_path):
    """A dump cut short never has a dump's name, and its reason is told."""
    binaries = _pg_dump(tmp_path / "bin", "echo half; echo 'disk full' >&2; exit 1")

    with pytest.raises(Unavailable, match="nothing was changed:\ndisk full"):
        back_up(binaries, "postgresql://", tmp_path / "backups", "0001")

    assert list((tmp_path / "backups").iterdir()) == []
