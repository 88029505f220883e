"""Where embedded services keep their files: data 0700, and a socket folder short enough for a socket's path."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path

from hub.errors import ConfigurationError

SOCKET_DIR_LIMIT_BYTES = 80


def private_dir(path: Path) -> Path:
    """
    Make a folder only we can read, or check that it is one.

    Args:
        path: Absolute; missing parents are made.

    Returns:
        The same path.

    Raises:
        ConfigurationError: It belongs to another user, or cannot be made; nothing is changed then.
    """
    try:
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = path.lstat()
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.getuid():
            raise ConfigurationError(
                f"{path} belongs to another user; choose another HUB_DATA_DIR.", field="HUB_DATA_DIR"
            )
        path.chmod(0o700)
    except OSError as error:
        raise ConfigurationError(
            f"{path} cannot be used ({error.strerror}); choose another folder with HUB_DATA_DIR.",
            field="HUB_DATA_DIR",
        ) from error
    return path


def socket_dir(data_dir: Path) -> Path:
    """
    Choose the folder of the unix sockets of a data folder, the same at each start.

    Args:
        data_dir: The hub's data folder.

    Returns:
        ``data_dir/run``, or, where that is too long for a socket's path, a private folder below /tmp.

    Raises:
        ConfigurationError: Somebody else made that folder below /tmp.

    Source:
        unix(7): 108 bytes for the path on Linux; 104 on macOS (sys/un.h); Postgres adds 16, we keep 80 for the folder.
    """
    near = data_dir / "run"
    if len(os.fsencode(near)) <= SOCKET_DIR_LIMIT_BYTES:
        return private_dir(near)
    return private_dir(short_dir(data_dir))


def short_dir(data_dir: Path) -> Path:
    """Return the folder below /tmp that belongs to ``data_dir``, short and stable, without making it."""
    digest = hashlib.sha256(os.fsencode(data_dir.absolute())).hexdigest()[:12]
    return Path(f"/tmp/hub-{os.getuid()}-{digest}")  # noqa: S108  # nosec B108  # made 0700 and checked to be ours
