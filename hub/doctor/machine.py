"""Looks at this machine, without a connection to a store: folder, disk, limits, programs, port, key, addresses."""

from __future__ import annotations

import ipaddress
import os
import stat
import time
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from hub.channels.sealing import read_keys
from hub.doctor.model import Finding, fault, ok, warning
from hub.embedded.binaries import find_postgres, find_valkey
from hub.embedded.cluster import existing_major
from hub.embedded.ports import is_free, port_holder
from hub.embedded.postmaster import read_postmaster, runs_on
from hub.embedded.runfile import is_running, read_run_file
from hub.embedded.secret import KEY_FILE
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from hub.doctor.model import Patient

LITTLE_DISK_BYTES = 1024 * 1024 * 1024
LITTLE_DISK_SHARE = 0.05
SHORTEST_KEY_BYTES = 32
FEW_DESCRIPTORS = 4096
TOO_FEW_DESCRIPTORS = 1024
# What serve asks the kernel for (hub/descriptors.py): a smaller somaxconn cuts it without a word.
BACKLOG = 4096
OLD_BACKUP_S = 7 * 86_400.0


def data_folder(patient: Patient) -> Finding:
    """Is the data folder ours and private?"""
    path = patient.settings.data_dir
    if not path.exists():
        parent = next(folder for folder in path.parents if folder.exists())
        if os.access(parent, os.W_OK | os.X_OK):
            return ok("The data folder will be made", str(path))
        return fault("The data folder cannot be made", f"Make {parent} writable, or set HUB_DATA_DIR.", str(path))
    status = path.stat()
    if status.st_uid != patient.probes.user_id():
        return fault("The data folder belongs to somebody else", "Run as its owner, or set HUB_DATA_DIR.", str(path))
    mode = stat.S_IMODE(status.st_mode)
    if mode & 0o077:
        return fault("The data folder is open to others", f"chmod 700 {path}", f"mode {mode:o}")
    return ok("The data folder is private", str(path))


def disk(patient: Patient) -> Finding:
    """Is there room? A full disk stops intake."""
    data_dir = patient.settings.data_dir
    folder = next(path for path in (data_dir, *data_dir.parents) if path.exists())
    free_bytes, total_bytes = patient.probes.free_bytes(folder)
    detail = f"{free_bytes / 1024**3:.1f} of {total_bytes / 1024**3:.0f} GiB free at {folder}"
    if free_bytes < LITTLE_DISK_BYTES:
        return fault("The disk is nearly full", "Free some room: a full disk stops everything that comes in.", detail)
    if free_bytes < LITTLE_DISK_SHARE * total_bytes:
        return warning("The disk is filling up", "Free some room soon.", detail)
    return ok("There is room on the disk", detail)


def descriptors(patient: Patient) -> Finding:
    """May processes open enough files? Each socket is one."""
    limit = patient.probes.descriptor_limit()
    todo = "Raise it for whoever starts the hub: `ulimit -n 65536`, or LimitNOFILE=65536 in the service's unit."
    if limit < TOO_FEW_DESCRIPTORS:
        return fault("Too few files may be open", todo, f"limit {limit}")
    if limit < FEW_DESCRIPTORS:
        return warning("Few files may be open: each connection is one", todo, f"limit {limit}")
    return ok("Enough files may be open", f"limit {limit}")


def listen_backlog(patient: Patient) -> Finding:
    """Does the kernel let enough connections wait?"""
    limit = patient.probes.kernel_value("/proc/sys/net/core/somaxconn")
    if limit is not None and limit < BACKLOG:
        todo = f"sysctl -w net.core.somaxconn={BACKLOG} (and a file in /etc/sysctl.d), then restart the hub."
        return warning("The kernel lets few connections wait", todo, f"net.core.somaxconn is {limit}")
    return ok("The kernel lets enough connections wait")


def frontend(patient: Patient) -> Finding:
    """Are the pages built?"""
    if (patient.frontend_dir / "app" / "index.html").is_file():
        return ok("The pages are built")
    todo = "Run ./scripts/run once, or set HUB_FRONTEND_DIR to the folder of built pages."
    return fault("The pages are not built", todo, f"{patient.frontend_dir / 'app'} has no index.html")


def postgres_program(patient: Patient) -> Finding:
    """Is there a Postgres for the embedded data?"""
    settings = patient.settings
    if settings.database_url:
        return ok("DATABASE_URL is set: the embedded Postgres is not used")
    major = existing_major(settings.data_dir / "postgres")
    try:
        binaries = find_postgres(major)
    except ConfigurationError as error:
        return fault("No Postgres fits", error.message)
    if major not in {None, binaries.major}:
        text = f"The data is of Postgres {major}, the one found is {binaries.version}"
        return fault("The data is of another Postgres", 'See "Another Postgres version" in docs/runbook.md.', text)
    return ok("A Postgres is here", f"{binaries.version} in {binaries.bin_dir}")


def valkey_program(patient: Patient) -> Finding:
    """Is there a Valkey for the embedded streams?"""
    settings = patient.settings
    if settings.redis_url and settings.redis_ephemeral_url:
        return ok("Both Redis addresses are set: the embedded ones are not used")
    try:
        binary = find_valkey()
    except ConfigurationError as error:
        return fault("No Valkey or Redis fits", error.message)
    return ok("A Valkey is here", f"{binary.version[0]}.{binary.version[1]} at {binary.path}")


def shutdown(patient: Patient) -> Finding:
    """Was the embedded database shut down cleanly?"""
    folder = patient.settings.data_dir / "postgres"
    postmaster = None if patient.settings.database_url else read_postmaster(folder)
    if postmaster is None or runs_on(postmaster, folder):
        return ok("The embedded database was left in order")
    todo = "Nothing is lost: the next start recovers it from its log. Stop the hub with Ctrl-C or SIGTERM, not kill -9."
    return warning("The embedded database was not shut down cleanly", todo, f"process {postmaster.pid} is gone")


def backups(patient: Patient) -> Finding:
    """Is there a dump that is not old? Only of the embedded database: an operator's own has its own ways."""
    settings = patient.settings
    marker = settings.data_dir / "postgres" / "PG_VERSION"
    if settings.database_url or not marker.exists() or time.time() - marker.stat().st_mtime < OLD_BACKUP_S:
        return ok("No backup is overdue")
    newest = max((one.stat().st_mtime for one in (settings.data_dir / "backups").glob("hub-*.dump")), default=None)
    todo = 'Make one as written under "Back up and restore" in docs/runbook.md, and keep it on another machine.'
    if newest is None:
        return warning("There is no backup of the database", todo, f"looked in {settings.data_dir / 'backups'}")
    age_days = (time.time() - newest) / 86_400
    if age_days * 86_400 > OLD_BACKUP_S:
        return warning("The newest backup is old", todo, f"{age_days:.0f} days")
    return ok("There is a fresh backup", f"{age_days:.0f} days old")


def port(patient: Patient) -> Finding:
    """Is the port free, or ours?"""
    settings = patient.settings
    run = read_run_file(settings.data_dir / "hub.json")
    if run is not None and is_running(run):
        return ok("The hub of this folder answers", f"port {run.port}")
    if is_free(settings.host, settings.port):
        return ok("The port is free", str(settings.port))
    by = port_holder(settings.port) or "another process"
    if settings.port_is_set:
        todo = "If that is not this hub, stop it or choose another HUB_PORT."
        return warning("HUB_PORT is taken", todo, f"{settings.port} is taken by {by}")
    return ok("The port is taken; the next free one will be used", f"{settings.port} is taken by {by}")


def secret_key(patient: Patient) -> Finding:
    """Is there a key, long enough and private?"""
    settings = patient.settings
    path: Path = settings.data_dir / KEY_FILE
    if settings.secret_key:
        try:
            keys = read_keys(settings.secret_key)
        except ConfigurationError as error:
            return fault("HUB_SECRET_KEY cannot be read", error.message)
        if min(len(one.encode()) for one in keys.values()) < SHORTEST_KEY_BYTES:
            return fault("HUB_SECRET_KEY is too short", f"Use {SHORTEST_KEY_BYTES} random bytes or more.")
        return ok("HUB_SECRET_KEY is set")
    if not path.exists():
        if existing_major(settings.data_dir / "postgres") is None and not settings.database_url:
            return ok("The secret key will be made at the first start")
        todo = "Put it back from your backup, or set HUB_SECRET_KEY; else every channel must be connected again."
        return fault("The secret key is missing", todo, str(path))
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        return fault("The secret key is open to others", f"chmod 600 {path}", f"mode {mode:o}")
    return ok("The secret key is private", str(path))


def public_url(patient: Patient) -> Finding:
    """Can vendors call the address given?"""
    url = urlsplit(patient.settings.public_url)
    host = url.hostname or ""
    if not patient.settings.public_url:
        return ok("No public address is set", "live chat on this machine and mail work without one")
    if _is_loopback(host):
        return ok("The public address is this machine itself", host)
    if url.scheme != "https":
        todo = "Set HUB_PUBLIC_URL to an https address: browsers send no sign-in over plain http, vendors refuse it."
        return fault("The public address is not https", todo, patient.settings.public_url)
    if _is_private(host):
        todo = "Vendors on the internet cannot reach it: set HUB_PUBLIC_URL to a name that forwards to this machine."
        return warning("The public address looks private", todo, host)
    return ok("The public address is https", host)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _is_private(host: str) -> bool:
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host or host.endswith((".local", ".internal", ".lan", ".test", ".home.arpa"))


LOOKS = (
    data_folder,
    disk,
    descriptors,
    listen_backlog,
    frontend,
    postgres_program,
    valkey_program,
    shutdown,
    backups,
    port,
    secret_key,
    public_url,
)
