"""Keys with which a channel account signs what must come back to it unaltered, e.g. the thread of a mail. No IO."""

from __future__ import annotations

import hashlib
import hmac
from functools import lru_cache
from uuid import UUID

from hub.channels.sealing import Sealer, read_keys


def signing_key(secret_key: str, workspace_id: int, account_id: UUID) -> bytes:
    """
    Derive the signing key of one channel account.

    Args:
        secret_key: ``HUB_SECRET_KEY`` as configured.
        workspace_id: Tenant.
        account_id: Channel account.

    Returns:
        32 bytes, the same until the installation's oldest key is dropped: what was signed before a change of keys
        stays good while both are named.

    Raises:
        ConfigurationError: There is no usable key.
    """
    return hmac.digest(_base(secret_key), f"{workspace_id}:{account_id.hex}".encode(), hashlib.sha256)


# Deriving costs 40 µs and the input never changes within a process; the webhook edge asks for every call.
@lru_cache(maxsize=4)
def _base(secret_key: str) -> bytes:
    keys = Sealer(read_keys(secret_key)).derive_keys("account-signing")
    return keys[min(keys)]
