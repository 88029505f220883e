"""Mails of the hub's own, queued on a real Postgres."""

from __future__ import annotations

import asyncpg
import pytest

from hub.errors import InvalidInput, Unavailable
from hub.mailer import actions, store
from hub.mailer.model import Mail, Template
from hub.mailer.vault import Vault
from tests.system_mails import queued_mails

pytestmark = pytest.mark.postgres

RESET = Mail(
    to="ann@example.com",
    template=Template.RESET_PASSWORD,
    fields={"name": 'Ann "A"', "url": "https://hub.example/reset#s3cret", "minutes": "30"},
    lifetime_s=1800,
)


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


async def test_a_mail_is_queued_with_the_transaction_it_tells_of(database, owner):
    """With its fields, due at once, worth sending for as long as it said; gone with a rollback."""
    async with database.across() as conn:
        mail_id = await actions.queue(conn, RESET)
    with pytest.raises(RuntimeError):
        async with database.across() as conn:
            await actions.queue(conn, RESET)
            raise RuntimeError
    row = await owner.fetchrow(
        "SELECT recipient, template, state, due_at = created_at AS is_due,"
        " extract(epoch FROM expires_at - created_at)::int AS life_s FROM system_mail WHERE id = $1",
        mail_id,
    )
    assert tuple(row) == ("ann@example.com", "reset_password", "queued", True, 1800)
    assert await queued_mails(database) == [("ann@example.com", "reset_password", RESET.fields)]


async def test_links_are_not_readable_in_the_database(database, owner):
    """Not by its owner either: a copy of it opens no account."""
    async with database.across() as conn:
        await actions.queue(conn, RESET)
    assert b"s3cret" not in bytes(str(await owner.fetch("SELECT m::text FROM system_mail m")), "utf-8")
    sealed = await owner.fetchval("SELECT sealed FROM system_mail")
    assert b"s3cret" not in sealed


async def test_the_application_does_not_read_queued_mails(database):
    """Nor change them: only the listed functions do."""
    for sql in ("SELECT sealed FROM system_mail", "DELETE FROM system_mail", "UPDATE system_mail SET state = 'queued'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with database.across() as conn:
                await conn.fetch(sql)


async def test_a_mail_that_could_not_be_sent_is_not_queued(database):
    """Refused where it is made, with the field's name."""
    async with database.across() as conn:
        with pytest.raises(InvalidInput):
            await actions.queue(conn, Mail(to="a@b.c\r\nBcc: d@e.f", template=RESET.template, fields=RESET.fields))
    assert await queued_mails(database) == []


async def test_nothing_is_queued_in_the_open(database, owner):
    """Without a key a mail is refused, never written as it is."""
    await owner.execute("DELETE FROM mail_key")
    async with database.across() as conn:
        with pytest.raises(Unavailable):
            await actions.queue(conn, RESET)


async def test_a_process_with_another_secret_makes_its_own_key_known(database):
    """Whoever lost the secret key starts over; the same key again changes nothing."""
    other = Vault({1: b"o" * 32})
    async with database.across() as conn:
        await actions.keep_key(conn, other.newest)
        await actions.keep_key(conn, other.newest)
        assert await store.newest_key(conn) == other.newest
