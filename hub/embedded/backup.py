"""A dump of the embedded database, taken before a migration; the newest five are kept."""

from __future__ import annotations

import os
import subprocess
from typing import TYPE_CHECKING

from hub.clock import now
from hub.embedded.folders import private_dir
from hub.errors import ConfigurationError, Unavailable

if TYPE_CHECKING:
    from pathlib import Path

    from hub.embedded.binaries import PostgresBinaries

BACKUPS_KEPT = 5


def back_up(binaries: PostgresBinaries, owner_url: str, backup_dir: Path, label: str) -> Path:
    """
    Dump the whole database in pg_dump's custom format.

    Args:
        binaries: The installation that serves it; its pg_dump never is older than the server.
        owner_url: Address of a role that sees every row.
        backup_dir: Where dumps are kept, 0700.
        label: What the dump is of, e.g. the schema's revision; part of the file's name.

    Returns:
        The dump; a half-written one never has this name.

    Raises:
        ConfigurationError: The installation has no pg_dump.
        Unavailable: pg_dump failed; nothing was changed.
    """
    program = binaries.bin_dir / "pg_dump"
    if not os.access(program, os.X_OK):
        raise ConfigurationError(
            f"{program} is missing, so the database cannot be backed up before its upgrade. "
            "Install Postgres' client tools."
        )
    path = private_dir(backup_dir) / f"hub-{now():%Y%m%dT%H%M%SZ}-{label}.dump"
    partial = path.with_suffix(".partial")
    descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        done = subprocess.run(  # noqa: S603  # our own parts, no shell
            (str(program), "--format=custom", "--dbname", owner_url),
            stdout=descriptor,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    if done.returncode != 0:
        partial.unlink()
        raise Unavailable(
            f"The backup before the upgrade failed, so nothing was changed:\n{done.stderr.strip()[-2000:]}"
        )
    partial.rename(path)
    _keep_newest(backup_dir)
    return path


def _keep_newest(backup_dir: Path) -> None:
    for old in sorted(backup_dir.glob("hub-*.dump"))[:-BACKUPS_KEPT]:
        old.unlink()
