"""hub doctor on this machine: each fault, planted, is named and comes with what to do."""

from __future__ import annotations

import contextlib
import os
import socket
import time

import pytest

from hub.config import read_settings
from hub.doctor import machine
from hub.doctor.model import Level, Patient, Probes
from hub.embedded.secret import ensure_secret_key

GIB = 1024**3


@pytest.fixture
def patient(tmp_path):
    built = tmp_path / "dist"
    (built / "app").mkdir(parents=True)
    (built / "app" / "index.html").write_text("<!doctype html>")

    def make(probes: dict | None = None, frontend_dir=built, **environ) -> Patient:
        settings = read_settings({"HUB_DATA_DIR": str(tmp_path / "data"), **environ})
        healthy = {
            "free_bytes": lambda _: (50 * GIB, 100 * GIB),
            "descriptor_limit": lambda: 65536,
            "kernel_value": lambda _: 4096,
        }
        return Patient(settings, frontend_dir, lambda _: False, Probes(**(healthy | (probes or {}))))

    return make


@pytest.fixture
def data(tmp_path):
    """An embedded database of the newest version we know, in a private folder."""
    folder = tmp_path / "data"
    (folder / "postgres").mkdir(parents=True)
    folder.chmod(0o700)
    (folder / "postgres" / "PG_VERSION").write_text("18\n")
    return folder


def is_fault(finding, words: str) -> bool:
    return finding.level is Level.FAULT and bool(finding.what_to_do) and words in repr(finding)


def is_warning(finding, words: str) -> bool:
    return finding.level is Level.WARNING and bool(finding.what_to_do) and words in repr(finding)


def test_fresh_machine_has_nothing_to_mend_and_is_not_changed(patient, tmp_path):
    """Before the first start all is well, and looking made nothing."""
    findings = [look(patient()) for look in machine.LOOKS]

    assert [one for one in findings if one.level is not Level.OK] == []
    assert not (tmp_path / "data").exists()


def test_open_data_folder_and_key_are_told(patient, tmp_path):
    """A folder or key that others can read: the command that closes it is named."""
    ensure_secret_key(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "secret.key").chmod(0o644)

    assert is_fault(machine.data_folder(patient()), "chmod 700")
    assert is_fault(machine.secret_key(patient()), "chmod 600")


def test_data_folder_of_another_user_is_told(patient, data):
    """Whoever runs the doctor, or the hub, as the wrong user learns it."""
    assert is_fault(machine.data_folder(patient({"user_id": lambda: os.getuid() + 1})), "somebody else")


def test_full_and_filling_disks_are_told_apart(patient):
    """Below a gigabyte is a fault, below a twentieth a warning."""
    assert is_fault(machine.disk(patient({"free_bytes": lambda _: (GIB // 2, 100 * GIB)})), "nearly full")
    assert is_warning(machine.disk(patient({"free_bytes": lambda _: (4 * GIB, 100 * GIB)})), "filling up")


def test_low_descriptor_limit_is_told(patient):
    """The limit of a bare login shell is not enough for sockets."""
    assert is_fault(machine.descriptors(patient({"descriptor_limit": lambda: 256})), "ulimit -n")
    assert is_warning(machine.descriptors(patient({"descriptor_limit": lambda: 1024})), "LimitNOFILE")


def test_small_listen_backlog_is_told(patient):
    """An old kernel's 128 cuts a burst of connections; a system without the file is not blamed."""
    assert is_warning(machine.listen_backlog(patient({"kernel_value": lambda _: 128})), "net.core.somaxconn")
    assert machine.listen_backlog(patient({"kernel_value": lambda _: None})).level is Level.OK


def test_missing_pages_are_told(patient, tmp_path):
    """Without the built frontend people get an empty page."""
    assert is_fault(machine.frontend(patient(frontend_dir=tmp_path / "nothing")), "./scripts/run")


def test_data_of_another_postgres_is_told(patient, data):
    """A folder of a version that is not installed is seen before the start fails."""
    (data / "postgres" / "PG_VERSION").write_text("12\n")
    assert is_fault(machine.postgres_program(patient()), "Postgres 12")


def test_unclean_shutdown_is_told(patient, data):
    """A pid file whose server is gone means kill -9 or a power cut."""
    (data / "postgres" / "postmaster.pid").write_text("4194303\n/data\n1\n5432\n/run\n\n\nready\n")
    assert is_warning(machine.shutdown(patient()), "not shut down cleanly")


def test_missing_and_old_backups_are_told(patient, data):
    """A database a month old without a dump, or with one as old; a fresh dump is enough."""
    month_ago = time.time() - 30 * 86_400
    os.utime(data / "postgres" / "PG_VERSION", (month_ago, month_ago))
    assert is_warning(machine.backups(patient()), "no backup")
    (data / "backups").mkdir()
    dump = data / "backups" / "hub-20260101T000000Z-0001.dump"
    dump.write_bytes(b"")
    os.utime(dump, (month_ago, month_ago))
    assert is_warning(machine.backups(patient()), "30 days")
    os.utime(dump)
    assert machine.backups(patient()).level is Level.OK


def test_taken_port_is_told_only_when_chosen(patient):
    """A taken HUB_PORT names its holder; the default one has nineteen others."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        taken = str(server.getsockname()[1])
        assert is_warning(machine.port(patient(HUB_PORT=taken)), "is taken by")


def test_lost_key_beside_a_database_is_told(patient, data):
    """A database without its key means stored credentials cannot be read."""
    assert is_fault(machine.secret_key(patient()), "missing")


def test_short_and_unreadable_secret_keys_are_told(patient):
    """A key of a few letters, also as one of two, and versions that are no numbers."""
    assert is_fault(machine.secret_key(patient(HUB_SECRET_KEY="secret")), "too short")
    assert is_fault(machine.secret_key(patient(HUB_SECRET_KEY=f"2:{'x' * 44},1:short")), "too short")
    assert is_fault(machine.secret_key(patient(HUB_SECRET_KEY="two:x")), "cannot be read")
    assert machine.secret_key(patient(HUB_SECRET_KEY="x" * 44)).level is Level.OK


@pytest.mark.parametrize(
    ("url", "level"),
    [
        ("https://hub.example.com", Level.OK),
        ("http://localhost:8000", Level.OK),
        ("http://hub.example.com", Level.FAULT),
        ("https://192.168.1.20", Level.WARNING),
        ("https://hub.local", Level.WARNING),
        ("https://hub", Level.WARNING),
    ],
)
def test_public_address_is_judged(patient, url, level):
    """Plain http does not work for others, a private address is not reached from the internet."""
    assert machine.public_url(patient(HUB_PUBLIC_URL=url)).level is level
