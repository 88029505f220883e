"""The command ``hub operator``: who operates this installation. Called by ``cli``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import operator
from hub.accounts import store
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, OPERATOR
from hub.db import Database
from hub.errors import NotFound

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from hub.config import Settings


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument("action", choices=("list", "grant", "revoke"))
    parser.add_argument("email", nargs="?", default="", help="whose; not for list")


async def run(settings: Settings, options: argparse.Namespace, say: Callable[[str], None]) -> None:
    """
    List the operators, or make somebody one, or none any more.

    Raises:
        NotFound: Nobody signs in with that address.
    """
    async with operator.reached(settings) as stores:
        database = await Database.open(stores.database_url, lambda _: None, max_size=2)
        try:
            if options.action == "list":
                async with database.across() as conn:
                    for _, email, name in await store.list_operators(conn):
                        say(f"{email}  {name}")
                return
            say(await set_operator(database, options.email.strip().lower(), is_operator=options.action == "grant"))
        finally:
            await database.close()


async def set_operator(database: Database, email: str, *, is_operator: bool) -> str:
    """Make who signs in with an address an operator, or none any more; returns what to tell."""
    async with database.transaction([INSTALLATION]) as conn:
        login = await store.find_login(conn, email)
        if login is None:
            raise NotFound("login")
        if not await store.set_operator(conn, login.id, is_operator=is_operator):
            return "Nothing to change."
        action = "operator.granted" if is_operator else "operator.revoked"
        await audit.record(conn, audit.made_by(OPERATOR, INSTALLATION, action, ("login", login.id)))
    return f"{email} operates this installation now." if is_operator else f"{email} does not operate it any more."
