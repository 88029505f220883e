"""What `hub doctor` can see of this machine: programs, folder, port, addresses, key, disk. Changes nothing."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.embedded.binaries import find_postgres, find_valkey
from hub.embedded.cluster import existing_major
from hub.embedded.ports import is_free, port_holder
from hub.embedded.runfile import is_running, read_run_file
from hub.embedded.secret import KEY_FILE
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

    from hub.config import Settings

LITTLE_DISK_BYTES = 1024 * 1024 * 1024
SHORTEST_KEY = 32


class Finding(msgspec.Struct, frozen=True):
    """
    One thing looked at.

    Attributes:
        subject: What was looked at.
        is_good: Whether nothing needs doing.
        text: What was seen and, when not good, what to do.
    """

    subject: str
    is_good: bool
    text: str


def examine(settings: Settings) -> list[Finding]:
    """
    Look at everything the settings and the machine show without a connection to a store.

    Args:
        settings: The environment.

    Returns:
        One finding a subject, in the order a person would mend them.
    """
    looks: tuple[Callable[[Settings], Finding], ...] = (
        _data_folder,
        _disk,
        _postgres,
        _valkey,
        _redis_urls,
        _port,
        _secret_key,
        _public_url,
    )
    return [look(settings) for look in looks]


def _data_folder(settings: Settings) -> Finding:
    path = settings.data_dir
    if not path.exists():
        parent = next(folder for folder in path.parents if folder.exists())
        is_good = os.access(parent, os.W_OK | os.X_OK)
        text = (
            f"{path} will be made."
            if is_good
            else f"{path} cannot be made: {parent} is not writable. Set HUB_DATA_DIR."
        )
        return Finding("data folder", is_good, text)
    status = path.stat()
    if status.st_uid != os.getuid():
        return Finding("data folder", is_good=False, text=f"{path} belongs to user {status.st_uid}. Set HUB_DATA_DIR.")
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return Finding("data folder", is_good=False, text=f"{path} is open to others ({mode:o}): chmod 700 {path}")
    return Finding("data folder", is_good=True, text=f"{path} is private.")


def _disk(settings: Settings) -> Finding:
    folder = next(path for path in (settings.data_dir, *settings.data_dir.parents) if path.exists())
    free_bytes = shutil.disk_usage(folder).free
    text = f"{free_bytes / 1024**3:.1f} GiB free at {folder}."
    is_good = free_bytes >= LITTLE_DISK_BYTES
    return Finding("disk", is_good, text if is_good else f"{text} Free some: a full disk stops intake.")


def _postgres(settings: Settings) -> Finding:
    if settings.database_url:
        return Finding("postgres", is_good=True, text="DATABASE_URL is set; the embedded one is not used.")
    major = existing_major(settings.data_dir / "postgres")
    try:
        binaries = find_postgres(major)
    except ConfigurationError as error:
        return Finding("postgres", is_good=False, text=error.message)
    if major not in {None, binaries.major}:
        text = f"The data is of Postgres {major}, the one found is {binaries.version}; see docs/runbook.md."
        return Finding("postgres", is_good=False, text=text)
    return Finding("postgres", is_good=True, text=f"{binaries.version} in {binaries.bin_dir}.")


def _valkey(settings: Settings) -> Finding:
    if settings.redis_url and settings.redis_ephemeral_url:
        return Finding("valkey", is_good=True, text="Both Redis addresses are set; the embedded ones are not used.")
    try:
        binary = find_valkey()
    except ConfigurationError as error:
        return Finding("valkey", is_good=False, text=error.message)
    return Finding("valkey", is_good=True, text=f"{binary.version[0]}.{binary.version[1]} at {binary.path}.")


def _redis_urls(settings: Settings) -> Finding:
    if settings.redis_url and settings.redis_url == settings.redis_ephemeral_url:
        text = (
            "REDIS_URL and REDIS_EPHEMERAL_URL are one server: a burst of live events can then fill or stall the one "
            "that acknowledges webhooks. Give REDIS_EPHEMERAL_URL a server of its own."
        )
        return Finding("redis addresses", is_good=False, text=text)
    return Finding("redis addresses", is_good=True, text="Durable and ephemeral Redis are two.")


def _port(settings: Settings) -> Finding:
    run = read_run_file(settings.data_dir / "hub.json")
    if run is not None and is_running(run):
        return Finding("port", is_good=True, text=f"The hub of this folder answers on port {run.port}.")
    if is_free(settings.host, settings.port):
        return Finding("port", is_good=True, text=f"{settings.port} is free.")
    by = port_holder(settings.port) or "another process"
    if settings.port_is_set:
        return Finding("port", is_good=False, text=f"HUB_PORT {settings.port} is taken by {by}. Choose another.")
    return Finding("port", is_good=True, text=f"{settings.port} is taken by {by}; the next free one will be used.")


def _secret_key(settings: Settings) -> Finding:
    if settings.secret_key:
        is_good = len(settings.secret_key) >= SHORTEST_KEY
        text = "HUB_SECRET_KEY is set." if is_good else "HUB_SECRET_KEY is too short: use 32 random bytes or more."
        return Finding("secret key", is_good, text)
    path: Path = settings.data_dir / KEY_FILE
    if not path.exists():
        is_good = existing_major(settings.data_dir / "postgres") is None
        text = "It will be made at the first start." if is_good else f"{path} is lost; put it back from your backup."
        return Finding("secret key", is_good, text)
    mode = stat.S_IMODE(path.stat().st_mode)
    text = f"{path} is private." if not mode & 0o077 else f"{path} is open to others ({mode:o}): chmod 600 {path}"
    return Finding("secret key", not mode & 0o077, text)


def _public_url(settings: Settings) -> Finding:
    if settings.public_url.startswith("https://"):
        return Finding("public address", is_good=True, text=f"Vendors reach {settings.public_url}.")
    text = "Vendors cannot reach this computer; live chat works, others need HUB_PUBLIC_URL (https)."
    return Finding("public address", is_good=True, text=text)
