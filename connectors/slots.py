"""The name of a worker: its machine and its slot there, the same after a restart. Called by the work process."""

from __future__ import annotations

import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

from hub.embedded.lock import FolderLock
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MOST_WORKERS = 64


@contextmanager
def worker_slot(data_dir: Path, machine: str = "") -> Iterator[str]:
    """
    Take the first free slot of this data folder, until the block ends or the process dies, however it dies.

    Args:
        data_dir: Shared by the workers of one machine, private to them.
        machine: What tells machines apart; this one's host name when left out.

    Yields:
        ``machine/slot``: a killed worker's successor gets the same name, two live workers never do.

    Raises:
        ConfigurationError: All 64 slots are taken.
    """
    for number in range(MOST_WORKERS):
        lock = FolderLock(data_dir / "run" / f"worker-{number}.lock")
        if lock.try_acquire():
            try:
                yield f"{machine or socket.gethostname()}/{number}"
            finally:
                lock.release()
            return
    raise ConfigurationError(f"{MOST_WORKERS} workers run on {data_dir} already.", field="HUB_DATA_DIR")
