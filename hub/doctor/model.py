"""What a look of the doctor finds, and what looks may ask of the machine. Pure."""

from __future__ import annotations

import os
import resource
import shutil
from collections.abc import Callable
from enum import StrEnum
from pathlib import Path

import msgspec

from hub.config import Settings


class Level(StrEnum):
    """``fault``: something does not work or may lose data; ``warning``: it will, or could be better."""

    OK = "ok"
    WARNING = "warning"
    FAULT = "fault"


class Finding(msgspec.Struct, frozen=True):
    """
    One thing looked at.

    Attributes:
        title: What was seen, a short sentence.
        what_to_do: Empty when nothing needs doing.
        detail: Figures and names behind it; nothing secret.
    """

    level: Level
    title: str
    what_to_do: str = ""
    detail: str = ""


def ok(title: str, detail: str = "") -> Finding:
    """Make a finding with nothing to do."""
    return Finding(Level.OK, title, detail=detail)


def warning(title: str, what_to_do: str, detail: str = "") -> Finding:
    """Make a finding that should be seen to."""
    return Finding(Level.WARNING, title, what_to_do, detail)


def fault(title: str, what_to_do: str, detail: str = "") -> Finding:
    """Make a finding that must be seen to."""
    return Finding(Level.FAULT, title, what_to_do, detail)


def _free_bytes(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def _descriptor_limit() -> int:
    # Serve raises its soft limit to the hard one.
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return hard if hard != resource.RLIM_INFINITY else 1 << 30


def _kernel_value(path: str) -> int | None:
    try:
        return int(Path(path).read_text().split()[0])
    except (OSError, ValueError, IndexError):
        return None


class Probes(msgspec.Struct, frozen=True):
    """
    What is asked of the machine; tests answer for it.

    Attributes:
        free_bytes: Free and total bytes of the file system of a folder.
        descriptor_limit: How many files a process of ours may open.
        kernel_value: A number of /proc/sys, None where there is no such file.
        user_id: Who we are.
    """

    free_bytes: Callable[[Path], tuple[int, int]] = _free_bytes
    descriptor_limit: Callable[[], int] = _descriptor_limit
    kernel_value: Callable[[str], int | None] = _kernel_value
    user_id: Callable[[], int] = os.getuid


class Patient(msgspec.Struct, frozen=True):
    """
    What is looked at.

    Attributes:
        settings: The environment.
        frontend_dir: Holds ``app/index.html`` once the pages are built.
        takes_webhooks: Whether the vendor of a channel calls us.
    """

    settings: Settings
    frontend_dir: Path
    takes_webhooks: Callable[[str], bool]
    probes: Probes = Probes()
