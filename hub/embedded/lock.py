"""The right to use a folder, held by one process at a time and freed by the kernel when its holder dies."""

from __future__ import annotations

import fcntl
import os
from typing import TYPE_CHECKING

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path


class FolderLock:
    """An flock on one file; the file names the holder for people and is never removed."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._descriptor: int | None = None

    @property
    def descriptor(self) -> int:
        """The open file, for a child that must go on holding the lock."""
        if self._descriptor is None:
            raise RuntimeError(f"{self.path} is not locked.")
        return self._descriptor

    def try_acquire(self) -> bool:
        """Take the lock unless another holds it; whether we have it now."""
        if self._descriptor is not None:
            return True
        self.path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        os.ftruncate(descriptor, 0)
        os.write(descriptor, f"{os.getpid()}\n".encode())
        self._descriptor = descriptor
        return True

    def acquire(self) -> None:
        """
        Take the lock.

        Raises:
            ConfigurationError: Another process has it; the text names both.
        """
        if not self.try_acquire():
            raise ConfigurationError(
                f"{self.path.parent} is in use by process {self.holder() or 'unknown'}. "
                "Stop that one, or choose another folder with HUB_DATA_DIR.",
                field="HUB_DATA_DIR",
            )

    def holder(self) -> str:
        """Return the process id written by the last holder, or an empty text."""
        return self.path.read_text().strip() if self.path.exists() else ""

    def release(self) -> None:
        """Close our descriptor; a child that inherited it keeps the lock."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
