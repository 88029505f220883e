"""How Postgres, which refuses to run as root, runs when we are root: a user namespace, else another user id.

Nothing outside our own folders is changed: no user is made and no parent folder is opened up.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.embedded.binaries import PostgresBinaries
from hub.embedded.folders import private_dir, short_dir
from hub.embedded.isolate import FOLDER_FD
from hub.embedded.process import ISOLATE
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

NOBODY = 65534
PROBE_TIMEOUT_S = 20.0


class RunAs(msgspec.Struct, frozen=True):
    """
    What Postgres runs as.

    Attributes:
        binaries: The programs, copied where that user could not reach the originals.
        owner: User id that must own the data folder and the socket folder.
        socket_dir: Folder for the socket.
        in_namespace: Whether it runs in a user namespace of its own.
    """

    binaries: PostgresBinaries
    owner: int
    socket_dir: Path
    in_namespace: bool = False

    def place(self, data_dir: Path) -> tuple[tuple[str, ...], str]:
        """Return the options for isolate.py, and the path by which the server then reaches ``data_dir``."""
        if self.in_namespace:
            return ("--user-namespace",), str(data_dir)
        if self.owner == os.getuid():
            return (), str(data_dir)
        # The folder may lie below /root, which this user cannot enter: it inherits the opened folder instead.
        return ("--user", str(self.owner), "--folder", str(data_dir)), f"/proc/self/fd/{FOLDER_FD}"


def run_as(
    binaries: PostgresBinaries,
    data_dir: Path,
    socket_dir: Path,
    *,
    has_namespaces: Callable[[], bool] | None = None,
) -> RunAs:
    """
    Decide what Postgres runs as.

    Args:
        binaries: The installation to use.
        data_dir: Its cluster's folder, absolute.
        socket_dir: Where its socket should be.
        has_namespaces: Answers whether this machine allows user namespaces; asked only as root.

    Raises:
        ConfigurationError: We are root on a system without a way out of it.
    """
    if os.getuid() != 0:
        return RunAs(binaries, os.getuid(), socket_dir)
    if sys.platform != "linux":
        raise ConfigurationError("Postgres does not run as root here. Start the hub as an ordinary user.")
    if (has_namespaces or allows_user_namespaces)():
        return RunAs(binaries, 0, socket_dir, in_namespace=True)
    place = short_dir(data_dir)
    _open_place(place)
    return RunAs(_reachable(binaries, place), NOBODY, place / "socket")


def allows_user_namespaces() -> bool:
    """Whether an unprivileged user namespace can be made here; containers often forbid it."""
    command = (sys.executable, "-I", "-S", str(ISOLATE), "--user-namespace", "--", "/bin/true")
    try:
        done = subprocess.run(command, capture_output=True, timeout=PROBE_TIMEOUT_S, check=False)  # noqa: S603  # ours
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def own_tree(top: Path, owner: int) -> None:
    """Give a folder and all in it to ``owner``; as root only, and only when its top belongs to another."""
    if os.getuid() != 0 or top.lstat().st_uid == owner:
        return
    for folder, names, files in os.walk(top):
        for name in (*names, *files):
            os.chown(Path(folder) / name, owner, owner, follow_symlinks=False)
    os.chown(top, owner, owner)


def _open_place(place: Path) -> None:
    """Make our folder below /tmp passable, and in it a socket folder of that user's own."""
    private_dir(place)
    place.chmod(0o711)
    sockets = place / "socket"
    sockets.mkdir(mode=0o700, exist_ok=True)
    os.chown(sockets, NOBODY, NOBODY, follow_symlinks=False)


def _reachable(binaries: PostgresBinaries, place: Path) -> PostgresBinaries:
    """Copy the installation where every user may read it, unless it is already so."""
    if all(parent.stat().st_mode & 0o001 for parent in (binaries.bin_dir, *binaries.bin_dir.parents)):
        return binaries
    root = binaries.bin_dir.parent.parent
    copied = place / f"postgres-{binaries.version}" / root.name
    if not copied.exists():
        partial = place / f"partial-{os.getpid()}"
        partial.mkdir(mode=0o755)
        shutil.copytree(root, partial / root.name)
        # The wheel keeps its shared libraries beside the package and finds them by relative path.
        libraries = root.with_name(f"{root.name}.libs")
        if libraries.exists():
            shutil.copytree(libraries, partial / libraries.name)
        partial.chmod(0o755)
        partial.rename(copied.parent)
    return PostgresBinaries(copied / binaries.bin_dir.parent.name / "bin", binaries.version, binaries.major)
