"""The keys of sealed texts a process has at hand: asked for by ``hub.tenant``, remembered for minutes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub import clock
from hub.texts import store

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from hub.channels.sealing import DataKey, Sealer
    from hub.sealed import KeyName
    from hub.tenant import TenantConn

# A key that was thrown away opens nothing here after this long.
KEPT_S: Final = 300.0
# A key that is not there: asked for again soon, but not for every row somebody wrote to look like a sealed one.
MISSED_S: Final = 30.0
MOST_KEYS: Final = 10_000


class Keyring:
    """Opens wrapped keys with the installation's; one a process, shared by all its transactions."""

    def __init__(self, sealer: Sealer, now_s: Callable[[], float] = clock.monotonic_s) -> None:
        self._sealer = sealer
        self._now_s = now_s
        self._held: dict[KeyName, tuple[DataKey | None, float]] = {}

    async def find(self, conn: TenantConn, names: set[KeyName]) -> Mapping[KeyName, DataKey]:
        """
        Return those of the keys that there are, without a query where they are remembered.

        Raises:
            ConfigurationError: The installation's key that wrapped one of them is not here.
        """
        now_s = self._now_s()
        held = {one: self._held[one] for one in names if one in self._held}
        fresh = {one: key for one, (key, until_s) in held.items() if until_s > now_s}
        if missing := [one for one in names if one not in fresh]:
            fresh |= await self._load(conn, missing, now_s)
        return {name: key for name, key in fresh.items() if key is not None}

    async def _load(self, conn: TenantConn, names: list[KeyName], now_s: float) -> dict[KeyName, DataKey | None]:
        loaded: dict[KeyName, DataKey | None] = dict.fromkeys(names)
        for wrapped in await store.read_keys(conn, names):
            loaded[wrapped.workspace_id, wrapped.id] = self._sealer.unwrap(wrapped)
        if len(self._held) + len(loaded) > MOST_KEYS:
            # Rare, and cheaper than keeping them in the order of their use: each is one small query away.
            self._held.clear()
        # Only now: who asks meanwhile must not take "not read yet" for "not there".
        for name, key in loaded.items():
            self._held[name] = (key, now_s + (MISSED_S if key is None else KEPT_S))
        return loaded
