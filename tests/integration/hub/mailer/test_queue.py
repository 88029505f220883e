"""Mails of the hub's own, queued on a real Postgres."""

from __future__ import annotations

import asyncpg
import pytest

from hub.mailer import actions
from hub.mailer.model import Mail, Template

pytestmark = pytest.mark.postgres


async def test_a_mail_is_queued_with_the_transaction_it_tells_of(database, database_urls):
    """With its fields, due at once, worth sending for as long as it said."""
    mail = Mail(
        to="ann@example.com", template=Template.RESET_PASSWORD, fields={"name": 'Ann "A"', "url": "u"}, lifetime_s=1800
    )
    async with database.across() as conn:
        mail_id = await actions.queue(conn, mail)
    owner = await asyncpg.connect(database_urls.owner_url)
    try:
        row = await owner.fetchrow(
            "SELECT recipient, template, fields->>'name' AS name, due_at = created_at AS is_due,"
            " extract(epoch FROM expires_at - created_at)::int AS life_s FROM system_mail WHERE id = $1",
            mail_id,
        )
    finally:
        await owner.close()
    assert tuple(row) == ("ann@example.com", "reset_password", 'Ann "A"', True, 1800)


async def test_the_application_does_not_read_queued_mails(database):
    """They carry links that open accounts."""
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with database.across() as conn:
            await conn.fetch("SELECT fields FROM system_mail")
