"""
A connection inside a transaction that has named its workspaces: what stores receive, and all they receive.

Sealed texts are opened here, for everybody who reads; sealing what is written is asked for where it is written
(``sealed_row``, ``sealed_json``, ``sealed_text``), once ``events.lock`` has said which workspaces seal.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Protocol, cast

import msgspec

from hub import sealed
from hub.errors import ConfigurationError
from hub.log import get_logger

if TYPE_CHECKING:
    from asyncpg import Record
    from asyncpg.pool import PoolConnectionProxy

    from hub.sealed import KeyName, SealingKey

Notice = msgspec.Struct

_log = get_logger("hub.db")
_decode = msgspec.json.Decoder().decode
_encode = msgspec.json.Encoder().encode


class Keyring(Protocol):
    """Where a process has the keys of sealed texts: ``hub.texts.keyring``."""

    async def find(self, conn: TenantConn, names: set[KeyName]) -> Mapping[KeyName, SealingKey]:
        """Return those of the keys that there are."""
        ...


class TenantConn:
    """
    A connection inside a transaction that has named its workspaces.

    Attributes:
        workspace_ids: The tenants this transaction may see and write.
        notices: What to tell others once the transaction has committed; dropped with a rollback.
        sealing: Workspaces that seal texts, with the key for what is written now; known once they are locked.
        blinding: Every key under which subjects of these workspaces may be blinded, the newest first.
    """

    def __init__(
        self,
        connection: PoolConnectionProxy[Record],
        workspace_ids: tuple[int, ...],
        keyring: Keyring | None = None,
    ) -> None:
        self._connection = connection
        self._keyring = keyring
        self.workspace_ids = workspace_ids
        self.notices: list[Notice] = []
        self.sealing: dict[int, SealingKey | None] = {}
        self.blinding: dict[int, list[SealingKey]] = {}

    async def fetch(self, sql: str, *arguments: object) -> list[Record]:
        """Run a statement and return its rows, sealed texts opened."""
        rows = await self._connection.fetch(sql, *arguments)
        return await self.opened(rows) if sealed.has_sealed(rows) else rows

    async def fetch_sealed(self, sql: str, *arguments: object) -> list[Record]:
        """Run a statement and return its rows as they are kept: for whoever seals them anew."""
        return await self._connection.fetch(sql, *arguments)

    async def fetchrow(self, sql: str, *arguments: object) -> Record | None:
        """Run a statement and return its first row, if any, sealed texts opened."""
        row = await self._connection.fetchrow(sql, *arguments)
        if row is None or not sealed.has_sealed([row]):
            return row
        return (await self.opened([row]))[0]

    async def fetchval(self, sql: str, *arguments: object) -> object:
        """Run a statement and return the first column of its first row; never asked for texts of messages."""
        return cast("object", await self._connection.fetchval(sql, *arguments))

    async def execute(self, sql: str, *arguments: object) -> str:
        """Run a statement and return its command tag, e.g. ``UPDATE 3``."""
        return await self._connection.execute(sql, *arguments)

    async def executemany(self, sql: str, rows: Sequence[Sequence[object]]) -> None:
        """Run a statement once a row, in one round trip."""
        await self._connection.executemany(sql, rows)

    # ── sealed texts ────────────────────────────────────────────────────────────────────────────────────────────

    async def opened(self, rows: Sequence[Record]) -> list[Record]:
        """
        Return rows with the sealed texts opened that belong where they stand.

        Args:
            rows: As ``fetch_sealed`` gives them; each with the id its texts are bound to.

        Raises:
            ConfigurationError: This process has no keys, or none that opens the workspace's.
        """
        names = sealed.keys_named(value for row in rows for value in row.values())
        keys = await self._find({one for one in names if one[0] in self.workspace_ids})
        return [cast("Record", _OpenedRow(row, keys)) if sealed.has_sealed([row]) else row for row in rows]

    async def prepare_sealing(self, newest: Mapping[int, int], former: Mapping[int, int]) -> None:
        """
        Get the keys ready for what this transaction writes; called by ``events.lock``.

        Args:
            newest: The key of each workspace that seals.
            former: The one it sealed with before, where not everything is sealed anew yet.
        """
        keys = await self._find({*newest.items(), *former.items()})
        self.sealing = {one[0]: keys.get(one) for one in newest.items()}
        self.blinding = {}
        for name in (*newest.items(), *former.items()):
            if name in keys:
                self.blinding.setdefault(name[0], []).append(keys[name])

    def sealed_text(self, workspace_id: int, row_id: object, name: str, text: str) -> str:
        """Return a text as it is to be kept: sealed for one field of one row, where its workspace seals."""
        if workspace_id not in self.sealing:
            return text
        return sealed.seal_text(self._key(workspace_id), workspace_id, row_id, name, text)

    def sealed_json(self, workspace_id: int, row_id: object, data: bytes) -> bytes:
        """Return JSON as it is to be kept: every text of a message in it sealed, where its workspace seals."""
        if workspace_id not in self.sealing:
            return data
        return _encode(self._sealed_tree(workspace_id, row_id, _decode(data)))

    def sealed_row(self, workspace_id: int, row_id: object, row: msgspec.Struct) -> object:
        """Return a row, to be encoded, as it is to be kept."""
        if workspace_id not in self.sealing:
            return row
        return self._sealed_tree(workspace_id, row_id, msgspec.to_builtins(row))

    def blind(self, workspace_id: int, text: str) -> str:
        """Return a text that is only ever compared as it is to be kept; what is blinded already stays so."""
        if workspace_id not in self.sealing or not text or text.startswith(sealed.BLIND_MARK):
            return text
        return self._key(workspace_id).blind(text)

    def _sealed_tree(self, workspace_id: int, row_id: object, tree: object) -> object:
        return sealed.seal_tree(tree, lambda name, text: self.sealed_text(workspace_id, row_id, name, text))

    def _key(self, workspace_id: int) -> SealingKey:
        key = self.sealing[workspace_id]
        if key is None:
            # Of a workspace that ends, or thrown away by hand: nothing is written in the open instead.
            raise ConfigurationError(f"The key that seals texts of workspace {workspace_id} is missing.")
        return key

    async def _find(self, names: set[KeyName]) -> Mapping[KeyName, SealingKey]:
        if not names:
            return {}
        if self._keyring is None:
            raise ConfigurationError("Texts here are sealed, and this process has no key.", field="HUB_SECRET_KEY")
        return await self._keyring.find(self, names)


class _OpenedRow:
    """A row whose texts were opened; read as an ``asyncpg.Record`` is."""

    def __init__(self, row: Record, keys: Mapping[KeyName, SealingKey]) -> None:
        self._keys = keys
        scope = sealed.ids_of(row.values())
        self._fields: dict[str, object] = {name: self._value(value, scope) for name, value in row.items()}

    def __getitem__(self, name: str | int) -> object:
        return self._fields[name] if isinstance(name, str) else list(self._fields.values())[name]

    def __iter__(self) -> Iterator[object]:
        return iter(self._fields.values())

    def __len__(self) -> int:
        return len(self._fields)

    def get(self, name: str, default: object = None) -> object:
        return self._fields.get(name, default)

    def keys(self) -> Iterator[str]:
        return iter(self._fields)

    def values(self) -> Iterator[object]:
        return iter(self._fields.values())

    def items(self) -> Iterator[tuple[str, object]]:
        return iter(self._fields.items())

    def _value(self, value: object, scope: frozenset[str]) -> object:
        if not isinstance(value, str) or sealed.MARK not in value:
            return value
        if value.startswith(sealed.MARK):
            return self._open(value, scope)
        try:
            tree = _decode(value)
        except msgspec.DecodeError:
            return value
        opened = sealed.open_tree(tree, scope, self._open)
        return value if opened == tree else _encode(opened).decode()

    def _open(self, text: str, scope: frozenset[str]) -> str:
        """Open one text. What does not open is shown as it stands: somebody may have written it so."""
        token = sealed.read_token(text)
        if token is None or token.row_id not in scope:
            return text
        key = self._keys.get(token.key)
        opened = None if key is None else sealed.open_token(key, token)
        if opened is None:
            _log.warning("sealed_text_stays_shut", workspace_id=token.workspace_id, key_id=token.key_id)
            return text
        return opened
