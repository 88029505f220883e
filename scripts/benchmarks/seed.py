"""Puts workspaces with connected SMS accounts into an empty database, through the product's own actions."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.accounts import actions as accounts
from hub.accounts.model import SetUp
from hub.accounts.passwords import Passwords
from hub.channels import actions as channels
from hub.channels.model import NewAccount
from hub.channels.sealing import Sealer, read_keys
from hub.db import Database
from hub.migrations import runner
from scripts.benchmarks.forged import ACCOUNT_SID, AUTH_TOKEN, NUMBER, Target

if TYPE_CHECKING:
    from scripts.benchmarks.services import Services

EMAIL, PASSWORD = "ola@northwind.example", "correct horse battery"


async def seed(services: Services, secret_key: str, workspaces: int) -> list[Target]:
    """
    Migrate and fill an empty database.

    Args:
        services: Where it is.
        secret_key: What the hub's processes will open credentials with.
        workspaces: How many, 1 or more.

    Returns:
        The accounts made, one a workspace; the first workspace's owner can sign in.
    """
    await runner.upgrade(services.owner_url, services.login_role)
    database = await Database.open(services.database_url, lambda _: None, max_size=2)
    try:
        wanted = SetUp(workspace="Northwind", name="Ola", email=EMAIL, password=PASSWORD)
        owner = await accounts.set_up(database, Passwords(), wanted)
        ids = [owner.workspace_id]
        async with database.across() as conn:
            for number in range(1, workspaces):
                name = f"Workspace {number}"
                ids.append(int(str(await conn.fetchval("SELECT hub_create_workspace($1, $2)", name, clock.now()))))
        return await _connect(database, Sealer(read_keys(secret_key)), ids)
    finally:
        await database.close()


async def _connect(database: Database, sealer: Sealer, workspace_ids: list[int]) -> list[Target]:
    made = []
    for workspace_id in workspace_ids:
        account = NewAccount(
            workspace_id=workspace_id,
            id=clock.new_id(),
            channel="twilio_sms",
            name="Support line",
            credentials={"account_sid": ACCOUNT_SID, "auth_token": AUTH_TOKEN},
            settings={"phone_number": NUMBER},
        )
        async with database.transaction([workspace_id]) as conn:
            await channels.connect(conn, sealer, account)
        made.append(Target(workspace_id, str(account.id)))
    return made
