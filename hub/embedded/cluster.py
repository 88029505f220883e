"""A Postgres data folder: made by initdb, checked before use, and the settings its server runs with."""

from __future__ import annotations

import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

from hub.embedded.process import ISOLATE
from hub.embedded.unprivileged import RunAs, own_tree
from hub.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from hub.embedded.binaries import PostgresBinaries

OWNER_ROLE = "hub_owner"
INITDB_TIMEOUT_S = 120.0
BUILTIN_LOCALE_SINCE = 17

# Errors are for the client that caused them: their text may quote a customer's data, so the log keeps only what the
# server says of itself (log_min_messages=log is above error) and never a statement or a DETAIL line.
SETTINGS = (
    "listen_addresses=",
    "max_connections=100",
    "shared_buffers=256MB",
    "max_wal_size=1GB",
    # Without statistics intake is several times slower: a new or just recovered cluster gets them soon.
    "autovacuum_naptime=5s",
    "timezone=UTC",
    "log_timezone=UTC",
    "unix_socket_permissions=0700",
    "log_min_messages=log",
    "log_min_error_statement=panic",
    "log_error_verbosity=terse",
    "log_parameter_max_length_on_error=0",
)
UNSAFE_SETTINGS = ("fsync=off", "synchronous_commit=off", "full_page_writes=off")


def existing_major(data_dir: Path) -> int | None:
    """Return the major version a data folder was made by, None when there is no cluster in it."""
    path = data_dir / "PG_VERSION"
    text = path.read_text().strip() if path.exists() else ""
    return int(text) if text.isdigit() else None


def prepare_cluster(runner: RunAs, data_dir: Path, *, is_durable: bool) -> None:
    """
    Make sure ``data_dir`` holds a complete cluster that ``runner`` can serve.

    Args:
        runner: The installation and the user it runs as.
        data_dir: The cluster's folder; made by initdb when it holds no cluster.
        is_durable: False leaves out the final sync to disk.

    Raises:
        ConfigurationError: The cluster is of another major version; the text says what to do.
        Unavailable: initdb failed; the text ends with what it said.
    """
    major = existing_major(data_dir)
    if major is None:
        _make_cluster(runner, data_dir, is_durable=is_durable)
    elif major != runner.binaries.major:
        raise ConfigurationError(_other_major(data_dir, major, runner.binaries))
    own_tree(data_dir, runner.owner)


def server_command(runner: RunAs, path: str, *, is_durable: bool) -> tuple[str, ...]:
    """Return the server's command line for the folder it knows as ``path``; an upgrade changes the settings with it."""
    settings = SETTINGS if is_durable else (*SETTINGS, *UNSAFE_SETTINGS)
    flags = [part for setting in settings for part in ("-c", setting)]
    program = str(runner.binaries.bin_dir / "postgres")
    return (program, "-D", path, "-k", str(runner.socket_dir), *flags)


def _make_cluster(runner: RunAs, data_dir: Path, *, is_durable: bool) -> None:
    """Run initdb beside the folder and rename, so that one killed half-way never passes for a cluster."""
    if data_dir.exists() and any(data_dir.iterdir()):
        raise ConfigurationError(f"{data_dir} holds files but no Postgres cluster; move them elsewhere.")
    fresh = data_dir.with_name(f"{data_dir.name}.new")
    shutil.rmtree(fresh, ignore_errors=True)
    fresh.mkdir(mode=0o700)
    own_tree(fresh, runner.owner)
    isolation, path = runner.place(fresh)
    options = ["-E", "UTF8", "-U", OWNER_ROLE, "--auth-local=trust", "--auth-host=reject", "--data-checksums"]
    if runner.binaries.major >= BUILTIN_LOCALE_SINCE:
        options += ["--locale-provider=builtin", "--locale=C.UTF-8"]
    else:
        options += ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
    if not is_durable:
        options.append("--no-sync")
    program = str(runner.binaries.bin_dir / "initdb")
    done = subprocess.run(  # noqa: S603  # our own parts, no shell
        (sys.executable, "-I", "-S", str(ISOLATE), *isolation, "--", program, "-D", path, *options),
        capture_output=True,
        text=True,
        timeout=INITDB_TIMEOUT_S,
        check=False,
    )
    if done.returncode != 0:
        raise Unavailable(f"initdb failed in {fresh}:\n{(done.stdout + done.stderr).strip()[-2000:]}")
    fresh.rename(data_dir)


def _other_major(data_dir: Path, major: int, binaries: PostgresBinaries) -> str:
    return (
        f"{data_dir} was made by Postgres {major}; the one found here is {binaries.version} ({binaries.bin_dir}). "
        f"Nothing was changed. Either install Postgres {major} (it is then used for this folder), or move the data: "
        f"dump it with pg_dump of version {major}, move {data_dir} away, start the hub and restore the dump "
        "(docs/runbook.md, “Another Postgres version”)."
    )
