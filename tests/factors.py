"""What people do with second factors over HTTP, and what is left behind of it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import asyncpg
import pyotp

from hub.mailer import letters
from tests.system_mails import VAULT

if TYPE_CHECKING:
    import httpx

    from tests.authenticator import Authenticator


def code_of(secret: str, steps: int = 0) -> str:
    """The code an app shows now, or so many steps later."""
    return pyotp.TOTP(secret).generate_otp(int(time.time()) // 30 + steps)


async def add_totp(client: httpx.AsyncClient) -> tuple[str, list[str]]:
    """Add an authenticator app; its secret and the recovery codes shown. The code of this moment is used up."""
    begun = await client.post("/api/v1/factors/totp")
    assert begun.status_code == 200, begun.text
    secret = begun.json()["secret"]
    done = await client.post("/api/v1/factors/totp/confirm", json={"code": code_of(secret)})
    assert done.status_code == 200, done.text
    return secret, done.json()["recovery_codes"]


async def add_passkey(client: httpx.AsyncClient, device: Authenticator, name: str = "Laptop") -> httpx.Response:
    """Add a passkey of a device."""
    begun = await client.post("/api/v1/passkeys/options")
    assert begun.status_code == 200, begun.text
    body = {"name": name, "attestation": device.create(begun.json()["options"])}
    return await client.post("/api/v1/passkeys", json=body)


class Records:
    """Reads what only the owner of the database may."""

    def __init__(self, owner_url: str) -> None:
        self._url = owner_url

    async def run(self, sql: str, *arguments: object) -> list[asyncpg.Record]:
        connection = await asyncpg.connect(self._url)
        try:
            return await connection.fetch(sql, *arguments)
        finally:
            await connection.close()

    async def audited(self) -> list[str]:
        """Actions of the audit log about factors and proofs, oldest first."""
        rows = await self.run(
            "SELECT action FROM audit_entry WHERE split_part(action, '.', 1) NOT IN ('login', 'installation', 'workspace')"
            " ORDER BY id"
        )
        return [row["action"] for row in rows]

    async def mails(self) -> list[tuple[str, str]]:
        """Warnings queued: to whom, and what happened."""
        rows = await self.run(
            "SELECT id, recipient, template, key_version, sealed FROM system_mail ORDER BY created_at, id"
        )
        assert {row["template"] for row in rows} <= {"security_changed"}
        opened = [(row["recipient"], VAULT.open(row["id"], row["key_version"], row["sealed"])) for row in rows]
        english = letters.LANGUAGES["en"].changes
        return [(to, english[fields["what"]].replace("{about}", fields["about"])) for to, fields in opened]

    async def age_proofs(self, minutes: float) -> None:
        """Make every session's last proof older."""
        await self.run(f"UPDATE login_session SET proved_at = now() - interval '{minutes} minutes'")

    async def forget_steps(self) -> None:
        """Let codes of this moment be used again, as if time had passed."""
        await self.run("UPDATE login_totp SET last_step = 0")
