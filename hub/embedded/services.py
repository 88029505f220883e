"""The stores of `hub up`: embedded where no address is given, the operator's own where one is."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import msgspec

from hub.embedded.binaries import PostgresBinaries, find_postgres, find_valkey
from hub.embedded.cluster import existing_major
from hub.embedded.folders import socket_dir
from hub.embedded.postgres import EmbeddedPostgres
from hub.embedded.valkey import EPHEMERAL_MAXMEMORY_BYTES, EmbeddedValkey, ValkeyOptions

if TYPE_CHECKING:
    from pathlib import Path

    from hub.config import Settings
    from hub.embedded.supervisor import Supervised

STREAMS = "valkey-streams"
EPHEMERAL = "valkey-ephemeral"


class Addresses(msgspec.Struct, frozen=True):
    """
    Where the stores answer.

    Attributes:
        database_url: Postgres for the application.
        database_owner_url: Postgres for migrations.
        app_login: Role the migrations grant to; None means the owner's own.
        redis_url: The durable Redis.
        redis_ephemeral_url: The one that may forget.
    """

    database_url: str
    database_owner_url: str
    app_login: str | None
    redis_url: str
    redis_ephemeral_url: str


class LocalServices:
    """
    The embedded servers a hub needs, none where the operator gave every address.

    Args:
        settings: Addresses given, and the data folder.

    Raises:
        ConfigurationError: A server is needed and not installed.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._postgres_binaries: PostgresBinaries | None = None
        self._postgres: EmbeddedPostgres | None = None
        self._valkeys: dict[str, EmbeddedValkey] = {}
        data_dir = settings.data_dir
        if not settings.database_url:
            self._postgres_binaries = find_postgres(existing_major(data_dir / "postgres"))
            self._postgres = EmbeddedPostgres(
                self._postgres_binaries, data_dir / "postgres", socket_dir(data_dir), log_path(data_dir, "postgres")
            )
        if not settings.redis_url:
            self._add_valkey(STREAMS, ValkeyOptions(is_durable=True))
        if not settings.redis_ephemeral_url:
            self._add_valkey(EPHEMERAL, ValkeyOptions(is_durable=False, maxmemory_bytes=EPHEMERAL_MAXMEMORY_BYTES))

    @property
    def postgres_binaries(self) -> PostgresBinaries | None:
        """The installation that serves the database, None when the operator's own does."""
        return self._postgres_binaries

    @property
    def members(self) -> tuple[Supervised, ...]:
        """The servers to keep running."""
        postgres: tuple[Supervised, ...] = (self._postgres,) if self._postgres is not None else ()
        return (*postgres, *self._valkeys.values())

    async def start(self) -> Addresses:
        """Start all at once and return where the stores answer; a failure stops those that started."""
        started = [asyncio.ensure_future(member.start()) for member in self.members]
        try:
            await asyncio.gather(*started)
        except BaseException:
            await asyncio.gather(*started, return_exceptions=True)
            await self.stop()
            raise
        return self._addresses()

    async def stop(self) -> None:
        """Stop all that run."""
        await asyncio.gather(*(member.stop() for member in self.members))

    def _addresses(self) -> Addresses:
        given = self._settings
        urls = self._postgres.urls if self._postgres is not None else None
        streams, ephemeral = self._valkeys.get(STREAMS), self._valkeys.get(EPHEMERAL)
        return Addresses(
            database_url=urls.database_url if urls else given.database_url,
            database_owner_url=urls.owner_url if urls else given.database_owner_url,
            app_login=urls.login_role if urls else None,
            redis_url=streams.url if streams else given.redis_url,
            redis_ephemeral_url=ephemeral.url if ephemeral else given.redis_ephemeral_url,
        )

    def _add_valkey(self, name: str, options: ValkeyOptions) -> None:
        data_dir = self._settings.data_dir
        self._valkeys[name] = EmbeddedValkey(
            find_valkey(), data_dir / name, socket_dir(data_dir), log_path(data_dir, name), options
        )


def log_path(data_dir: Path, name: str) -> Path:
    """Return where the process of that name logs."""
    return data_dir / "logs" / f"{name}.log"
