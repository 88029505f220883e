"""What an operator does from the shell: first set-up, members' links, mails that wait. Called by ``cli``."""

from __future__ import annotations

from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import msgspec

from hub.accounts import actions
from hub.accounts.model import Owner, Role, SetUp
from hub.accounts.passwords import Passwords
from hub.channels.sealing import Sealer, read_keys
from hub.db import Database
from hub.embedded.runfile import is_running, read_run_file
from hub.embedded.secret import KEY_FILE
from hub.embedded.services import LocalServices
from hub.errors import ConfigurationError
from hub.mailer import store as mails
from hub.mailer.vault import PURPOSE, Vault
from hub.migrations import runner
from hub.signin.factors import insisting

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from hub.config import Settings
    from hub.mailer.model import QueuedMail


class Stores(msgspec.Struct, frozen=True):
    """Where the stores of this installation answer, and the address people open."""

    database_url: str
    redis_ephemeral_url: str
    base_url: str
    redis_url: str = ""


class WaitingMail(msgspec.Struct, frozen=True):
    """
    A mail that has not gone out.

    Attributes:
        link: What its button leads to; empty where it has none, or the key that opens it is another.
        error_code: Why the last try failed.
    """

    recipient: str
    template: str
    link: str
    created_at: datetime
    expires_at: datetime
    attempt: int
    error_code: str


@asynccontextmanager
async def reached(settings: Settings) -> AsyncIterator[Stores]:
    """
    Reach the stores of this installation, whether the hub runs or not.

    Args:
        settings: Addresses given are used; else the running hub's; else the embedded services are started, migrated,
            and stopped again at the end.
    """
    run = read_run_file(settings.data_dir / "hub.json")
    is_up = run is not None and is_running(run)
    base_url = run.url.rstrip("/") if run is not None and is_up else settings.base_url
    if settings.database_url:
        yield Stores(settings.database_url, settings.redis_ephemeral_url, base_url, settings.redis_url)
        return
    if run is not None and is_up:
        ephemeral_url = settings.redis_ephemeral_url or run.redis_ephemeral_url
        yield Stores(run.database_url, ephemeral_url, base_url, settings.redis_url or run.redis_url)
        return
    services = LocalServices(settings)
    addresses = await services.start()
    try:
        await runner.upgrade(addresses.database_owner_url, addresses.app_login)
        yield Stores(addresses.database_url, addresses.redis_ephemeral_url, base_url, addresses.redis_url)
    finally:
        await services.stop()


async def set_up(settings: Settings, wanted: SetUp) -> Owner:
    """Make the first workspace and its owner, once per installation; errors as in ``accounts.actions.set_up``."""
    async with reached(settings) as stores, _opened(stores) as database:
        return await actions.set_up(database, Passwords(), wanted)


async def add_member(settings: Settings, email: str, role: Role, workspace_id: int | None) -> str:
    """Add a person and return the one-time link with which they choose a password."""
    async with reached(settings) as stores, _opened(stores) as database:
        token = await actions.add_member_by_email(database, email, role=role, workspace_id=workspace_id)
        return f"{stores.base_url}/join#{token}"


async def reset_password(settings: Settings, email: str) -> str:
    """Return a one-time link, good for 30 minutes, with which somebody chooses a new password."""
    async with reached(settings) as stores, _opened(stores) as database:
        return f"{stores.base_url}/reset#{await actions.make_reset_link(database, email)}"


async def reset_factors(settings: Settings, email: str) -> None:
    """Take away the second factors of somebody who lost them, and end their sessions; they are told by mail."""
    async with reached(settings) as stores, _opened(stores) as database, database.across() as conn:
        await insisting.reset_login(conn, email)


async def waiting_mails(settings: Settings, limit: int) -> list[WaitingMail]:
    """
    Return mails that have not gone out, newest first, with the links in them: for who has no mail server.

    Args:
        settings: With the secret key, or the data folder that holds it.
        limit: Most to return, 1-1000.
    """
    vault = Vault(Sealer(read_keys(_secret_key(settings))).derive_keys(PURPOSE))
    async with reached(settings) as stores, _opened(stores) as database, database.across() as conn:
        found = await mails.list_waiting(conn, limit)
    return [
        WaitingMail(
            one.recipient, one.template, _link(vault, one), one.created_at, one.expires_at, one.attempt, one.error_code
        )
        for one in found
    ]


def _link(vault: Vault, mail: QueuedMail) -> str:
    try:
        return vault.open(mail.id, mail.key_version, mail.sealed).get("url", "")
    except ConfigurationError:
        return ""


def _secret_key(settings: Settings) -> str:
    path = settings.data_dir / KEY_FILE
    return settings.secret_key or (path.read_text().strip() if path.exists() else "")


def of_running_hub(settings: Settings) -> Settings:
    """
    Fill in what a command needs to join a hub that runs: the addresses given, else the running hub's.

    Raises:
        ConfigurationError: No hub runs here, and no address is given.
    """
    if settings.database_url:
        return settings
    run = read_run_file(settings.data_dir / "hub.json")
    if run is None or not is_running(run):
        raise ConfigurationError("The hub does not run here. Start it with ./scripts/run, or set DATABASE_URL.")
    return msgspec.structs.replace(
        settings,
        database_url=run.database_url,
        redis_ephemeral_url=settings.redis_ephemeral_url or run.redis_ephemeral_url,
        host=run.host,
        port=run.port,
        public_url=settings.public_url or run.url.rstrip("/"),
    )


@asynccontextmanager
async def _opened(stores: Stores) -> AsyncIterator[Database]:
    database = await Database.open(stores.database_url, lambda _: None, max_size=2)
    try:
        yield database
    finally:
        await database.close()
