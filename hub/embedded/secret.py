"""The key everything sealed depends on, for an installation whose operator set none."""

from __future__ import annotations

import base64
import os
import secrets
from typing import TYPE_CHECKING

from hub.embedded.folders import private_dir

if TYPE_CHECKING:
    from pathlib import Path

KEY_BYTES = 32
KEY_FILE = "secret.key"


def ensure_secret_key(data_dir: Path) -> str:
    """
    Read the key of a data folder, made at the first call.

    Args:
        data_dir: The hub's data folder; the key is its ``secret.key``, 0600, 32 random bytes in base64.

    Returns:
        The file's content. Losing it makes every stored channel credential unreadable.
    """
    path = private_dir(data_dir) / KEY_FILE
    if not path.exists():
        partial = path.with_name(f"{KEY_FILE}.{os.getpid()}")
        descriptor = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode() + "\n")
            file.flush()
            os.fsync(file.fileno())
        partial.rename(path)
    return path.read_text().strip()
