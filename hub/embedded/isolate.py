"""Run in a fresh interpreter before a server: ties it to its parent, drops root, then becomes the server.

A script, started by process.py as `python -I -S isolate.py … -- command`; nothing imports it. It exists so that no
code runs between fork and exec inside the hub itself. The standard library only.
"""

from __future__ import annotations

import argparse
import ctypes
import os
import sys

PR_SET_PDEATHSIG = 1
CLONE_NEWUSER = 0x10000000
INNER_ID = 1000
FOLDER_FD = 9


def main() -> None:
    """
    Read the options, apply them in the one order that works, and exec.

    A namespace or a change of user clears the death signal, so it is set last; the parent may have died before that,
    so it is compared afterwards.
    """
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, default=0)
    parser.add_argument("--death-signal", type=int, default=0)
    parser.add_argument("--user-namespace", action="store_true")
    parser.add_argument("--user", type=int, default=0)
    parser.add_argument("--folder", default="")
    parser.add_argument("command", nargs=argparse.REMAINDER)
    options = parser.parse_args()
    command = options.command[1:]
    os.umask(0o077)
    if options.folder:
        _hold_folder(options.folder)
    if options.user_namespace:
        _enter_user_namespace()
    if options.user:
        os.setgroups([])
        os.setgid(options.user)
        os.setuid(options.user)
    if options.death_signal and sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, options.death_signal, 0, 0, 0)
        if os.getppid() != options.parent:
            sys.exit("The process that asked for this one is gone.")
    os.execv(command[0], command)  # noqa: S606  # no shell is the point


def _hold_folder(path: str) -> None:
    """Open a folder that the next user may own yet not reach by name; it stays reachable as /proc/self/fd/9."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    os.dup2(descriptor, FOLDER_FD, inheritable=True)
    os.chdir("/")


def _enter_user_namespace() -> None:
    """Become uid 1000 in a namespace where that is the only user; outside it stays the caller's own."""
    uid, gid = os.getuid(), os.getgid()
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWUSER) != 0:
        sys.exit(f"No user namespace: {os.strerror(ctypes.get_errno())}.")
    for name, text in (
        ("setgroups", "deny"),
        ("uid_map", f"{INNER_ID} {uid} 1"),
        ("gid_map", f"{INNER_ID} {gid} 1"),
    ):
        with open(f"/proc/self/{name}", "w") as file:  # noqa: PTH123  # pathlib costs 10 ms of every start
            file.write(text)


if __name__ == "__main__":
    main()
