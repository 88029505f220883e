"""What the operator sees of mails that wait: `hub mail list`, `hub doctor`; and where reactions begin after an upgrade."""

from __future__ import annotations

from pathlib import Path

import asyncpg
import msgspec
import pytest

from hub import operator
from hub.channels.sealing import Sealer
from hub.config import MailServer, read_settings
from hub.doctor import traffic
from hub.doctor.model import Level, Patient
from hub.mailer import actions
from hub.mailer.model import Mail, Template
from hub.mailer.vault import PURPOSE, Vault
from tests.unit.hub.mailer.test_letters import SAMPLE, fields_of

pytestmark = pytest.mark.postgres

SECRET = "s" * 40
SERVER = MailServer("mx.example", 587, "starttls", "", "", "hub@hub.example")


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


@pytest.fixture
def settings(database_urls, tmp_path):
    env = {"HOME": str(tmp_path), "HUB_SECRET_KEY": SECRET, "DATABASE_URL": database_urls.database_url}
    return read_settings(env)


async def queue(database, template=Template.INVITATION):
    async with database.across() as conn:
        await actions.keep_key(conn, Vault(Sealer({1: SECRET}).derive_keys(PURPOSE)).newest)
        await actions.queue(conn, Mail(to="ann@example.com", template=template, fields=fields_of(template)))


async def test_operator_sees_the_links(database, settings):
    """Recipient, template and link; without the key that opens it no link, and no failure."""
    await queue(database, Template.PASSWORD_CHANGED)
    await queue(database)
    newest, other = await operator.waiting_mails(settings, 10)
    assert (newest.recipient, newest.template, newest.link) == ("ann@example.com", "invitation", SAMPLE["url"])
    assert (other.template, other.link, other.attempt) == ("password_changed", "", 0)
    strange = msgspec.structs.replace(settings, secret_key="x" * 40)
    assert [one.link for one in await operator.waiting_mails(strange, 10)] == ["", ""]


async def test_doctor_tells_of_mails_that_do_not_go_out(database, settings, owner):
    """Nothing to do while nothing waits; a warning without a server, a fault when they grow old with one."""

    async def look(with_server: bool):
        patient_settings = msgspec.structs.replace(settings, mail=SERVER if with_server else None)
        (finding,) = await traffic.own_mail(owner, Patient(patient_settings, Path(), lambda _: False))
        return finding

    assert [(await look(one)).level for one in (False, True)] == [Level.OK, Level.OK]
    await queue(database)
    assert [(await look(one)).level for one in (False, True)] == [Level.WARNING, Level.OK]
    assert "HUB_MAIL_URL" in (await look(False)).what_to_do
    await owner.execute("UPDATE system_mail SET created_at = created_at - interval '10 minutes'")
    assert (await look(True)).level is Level.FAULT


async def test_workspaces_there_before_begin_now(workspace, owner):
    """The statements of the migration that fill the places, run by the owner: row security does not hide workspaces."""
    sql = (Path(__file__).parents[4] / "hub/migrations/versions/m0010_notices.sql").read_text()
    start = sql.index("ALTER TABLE workspace NO FORCE")
    end = sql.index("ALTER TABLE workspace FORCE ROW LEVEL SECURITY;") + len(
        "ALTER TABLE workspace FORCE ROW LEVEL SECURITY;"
    )
    await owner.execute("UPDATE workspace SET event_seq = 41")
    await owner.execute("ALTER TABLE reaction_cursor DISABLE ROW LEVEL SECURITY")
    await owner.execute(sql[start:end])
    assert await owner.fetchval("SELECT seq FROM reaction_cursor WHERE workspace_id = $1", workspace.id) == 41
    forced = await owner.fetchval("SELECT relforcerowsecurity FROM pg_class WHERE relname = 'workspace'")
    assert forced
