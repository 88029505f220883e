"""hub doctor: each thing that would keep the hub from working is seen and comes with what to do."""

from __future__ import annotations

import contextlib
import socket

import pytest

from hub.config import read_settings
from hub.embedded.doctor import examine
from hub.embedded.secret import ensure_secret_key


@pytest.fixture
def look(tmp_path):
    def look_with(**environ):
        findings = examine(read_settings({"HUB_DATA_DIR": str(tmp_path / "data"), **environ}))
        return {finding.subject: finding for finding in findings}

    return look_with


def test_nothing_to_mend_on_a_fresh_machine(look):
    """Before the first start all is well and nothing was made by looking."""
    findings = look()

    assert [finding.text for finding in findings.values() if not finding.is_good] == []
    assert "will be made" in findings["data folder"].text


def test_open_data_folder_and_key_are_told(look, tmp_path):
    """A folder or key that others can read is not good; the command that closes it is named."""
    ensure_secret_key(tmp_path / "data")
    (tmp_path / "data").chmod(0o755)
    (tmp_path / "data" / "secret.key").chmod(0o644)

    findings = look()

    assert (findings["data folder"].is_good, findings["secret key"].is_good) == (False, False)
    assert "chmod 700" in findings["data folder"].text
    assert "chmod 600" in findings["secret key"].text


def test_one_redis_for_both_is_told(look):
    """Both addresses naming one server is a risk to the acknowledged webhooks."""
    findings = look(REDIS_URL="redis://r:6379/0", REDIS_EPHEMERAL_URL="redis://r:6379/0")

    assert not findings["redis addresses"].is_good
    assert look(REDIS_URL="redis://r:6379/0")["redis addresses"].is_good


def test_taken_port_is_an_error_only_when_chosen(look):
    """A taken HUB_PORT must be mended and names its holder."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        finding = look(HUB_PORT=str(server.getsockname()[1]))["port"]

    assert not finding.is_good
    assert "is taken by" in finding.text


def test_lost_key_beside_a_database_is_told(look, tmp_path):
    """A database without its key means stored credentials cannot be read."""
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("18\n")
    (tmp_path / "data").chmod(0o700)

    assert not look()["secret key"].is_good


def test_data_of_another_postgres_is_told(look, tmp_path):
    """A folder of a version that is not installed is seen before the start fails."""
    (tmp_path / "data" / "postgres").mkdir(parents=True)
    (tmp_path / "data" / "postgres" / "PG_VERSION").write_text("12\n")

    finding = look()["postgres"]

    assert not finding.is_good
    assert "Postgres 12" in finding.text


def test_short_secret_key_is_told(look):
    """A key of a few letters is refused in words."""
    assert not look(HUB_SECRET_KEY="secret")["secret key"].is_good
    assert look(HUB_SECRET_KEY="x" * 44)["secret key"].is_good
