"""Mails of the hub's own, on their way through a real SMTP server, with everything that goes wrong there."""

from __future__ import annotations

import asyncio
import ssl
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default

import asyncpg
import pytest
from aiosmtpd.controller import Controller

from hub import clock
from hub.config import MailServer, read_settings
from hub.mailer import actions, store
from hub.mailer.model import FIELDS, Mail, Template
from hub.mailer.sending import LEASE, Postman
from hub.mailer.smtp import Fate, NotTaken, connected
from tests.certificates import make_certificate
from tests.mail_services import PASSWORD, SmtpSink, free_port
from tests.system_mails import VAULT
from tests.unit.hub.mailer.test_letters import fields_of

pytestmark = pytest.mark.postgres

SENDER = "Northwind Hub <hub@hub.example>"


@pytest.fixture
def sink():
    started = SmtpSink()
    yield started
    started.stop()


@pytest.fixture
async def owner(database_urls):
    connection = await asyncpg.connect(database_urls.owner_url)
    yield connection
    await connection.close()


class Clock:
    """Moves when told."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return clock.now() + self.ahead


def server_of(sink: SmtpSink, **changes: object) -> MailServer:
    fields = {
        "host": "127.0.0.1",
        "port": sink.port,
        "tls": "none",
        "username": "hub",
        "password": PASSWORD,
        "sender": SENDER,
    }
    return MailServer(**(fields | changes))  # type: ignore[arg-type]


def postman(database, sink: SmtpSink, now=clock.now) -> Postman:
    return Postman(database, VAULT, server_of(sink), now=now)


async def queue(database, template=Template.VERIFY_EMAIL, to="ann@example.com", **more: object):
    async with database.across() as conn:
        mail = Mail(to=to, template=template, fields=fields_of(template), **more)  # type: ignore[arg-type]
        return await actions.queue(conn, mail)


async def waiting(database):
    async with database.across() as conn:
        return await store.list_waiting(conn, 50)


@pytest.mark.parametrize("kind", Template)
async def test_every_template_arrives(database, sink, kind):
    """Whole, to the one recipient, from the set sender, as text and HTML; the row is gone afterwards."""
    mail_id = await queue(database, kind, locale="de")
    assert await postman(database, sink).send_due() == 1
    (taken,) = sink.taken
    mail = message_from_bytes(taken.content, policy=default)
    assert (taken.sender, taken.recipients) == ("hub@hub.example", ["ann@example.com"])
    assert mail["message-id"] == f"<{mail_id.hex}.hub@hub.example>"
    assert mail["from"] == SENDER
    assert mail["auto-submitted"] == "auto-generated"
    text, page = (mail.get_body((kind,)).get_content() for kind in ("plain", "html"))
    if "url" in FIELDS[kind]:
        assert fields_of(kind)["url"] in text
        assert "https://hub.example/join#t0ken?a=1&amp;b=2" in page
    assert await waiting(database) == []


async def test_links_go_before_digests(database, sink):
    """Somebody waits for a link in front of a screen; and all go over one connection."""
    for template in (Template.DIGEST, Template.RESET_PASSWORD, Template.DIGEST, Template.INVITATION):
        await queue(database, template)
    assert await postman(database, sink).send_due() == 4
    subjects = [str(message_from_bytes(one.content, policy=default)["subject"]) for one in sink.taken]
    assert [subject.startswith("Unread") for subject in subjects] == [False, False, True, True]


async def test_two_workers_send_each_mail_once(database, sink):
    """They never claim the same row."""
    for number in range(10):
        await queue(database, to=f"n{number}@example.com")
    await asyncio.gather(*(postman(database, sink).send_due() for _ in range(3)))
    assert sorted(one.recipients[0] for one in sink.taken) == sorted(f"n{number}@example.com" for number in range(10))


async def test_an_unknown_recipient_is_final(database, sink):
    """5xx at RCPT: dropped with its secrets, and the next mail goes out over the same connection."""
    sink.refuse_recipients["gone@example.com"] = "550 5.1.1 No such user"
    await queue(database, to="gone@example.com")
    await queue(database)
    office = postman(database, sink)
    assert await office.send_due() == 2
    assert [one.recipients for one in sink.taken] == [["ann@example.com"]]
    assert office.refused == {"verify_email": 1}
    assert await waiting(database) == []


async def test_a_busy_server_is_asked_again(database, sink):
    """4xx: put off, each time for longer, and sent when the server takes it; until then it is not due."""
    sink.refuse_recipients["ann@example.com"] = "451 4.7.1 Greylisted"
    await queue(database)
    now = Clock()
    office = postman(database, sink, now)
    assert await office.send_due() == 1
    assert await office.send_due() == 0
    (row,) = await waiting(database)
    assert (row.attempt, row.error_code) == (1, "451")
    now.ahead = timedelta(seconds=10)
    assert await office.send_due() == 1
    now.ahead = timedelta(seconds=11)
    sink.refuse_recipients.clear()
    assert await office.send_due() == 0
    now.ahead = timedelta(seconds=40)
    assert await office.send_due() == 1
    assert len(sink.taken) == 1


@pytest.mark.parametrize("fault", ["login", "sender", "away"])
async def test_a_server_that_is_wrong_keeps_every_mail(database, sink, fault):
    """Wrong password, refused sender, nobody there: nothing is dropped, one try a run is made, all go out later."""
    for _ in range(3):
        await queue(database)
    now = Clock()
    office = postman(database, sink, now)
    if fault == "login":
        sink.refuse_login = "535 5.7.8 Authentication failed"
    elif fault == "sender":
        sink.refuse_sender = "550 5.7.1 Not your address"
    else:
        office._server = server_of(sink, port=free_port())
    assert await office.send_due() == 1
    assert len(await waiting(database)) == 3
    sink.refuse_login = sink.refuse_sender = ""
    office._server = server_of(sink)
    now.ahead = timedelta(seconds=30)
    assert await office.send_due() == 3
    assert len(sink.taken) == 3


@pytest.mark.parametrize(("kind", "times"), [(Template.RESET_PASSWORD, 2), (Template.DIGEST, 1)])
async def test_a_lost_answer(database, sink, kind, times):
    """The server took the mail and the answer was lost: a link comes once more under one Message-ID, a digest does not."""
    sink.answer_data, sink.takes_before_cut = "cut", True
    await queue(database, kind)
    now = Clock()
    office = postman(database, sink, now)
    await office.send_due()
    sink.answer_data = ""
    now.ahead = timedelta(seconds=30)
    await office.send_due()
    assert len(sink.taken) == times
    assert len({message_from_bytes(one.content)["message-id"] for one in sink.taken}) == 1
    assert await waiting(database) == []


@pytest.mark.parametrize(("kind", "left"), [(Template.VERIFY_EMAIL, 1), (Template.DIGEST, 0)])
async def test_a_sender_that_died(database, sink, kind, left):
    """Its mail is nobody else's while the lease holds; then what may come twice is queued again, the rest dropped."""
    await queue(database, kind)
    now = Clock()
    async with database.across() as conn:
        assert len(await store.claim(conn, now(), LEASE, 1)) == 1
    office = postman(database, sink, now)
    await office.sweep()
    assert await office.send_due() == 0
    now.ahead = LEASE + timedelta(seconds=1)
    await office.sweep()
    assert len(await waiting(database)) == left
    assert await office.send_due() == left


async def test_a_link_that_ran_out_is_not_sent(database, sink):
    """It helps nobody any more: dropped, and counted."""
    await queue(database, lifetime_s=60)
    now = Clock()
    now.ahead = timedelta(seconds=61)
    office = postman(database, sink, now)
    assert await office.send_due() == 0
    await office.sweep()
    assert await waiting(database) == []
    assert office.dropped == {"verify_email": 1}


async def test_mail_nobody_can_read_does_not_hold_up_others(database, sink, owner):
    """Sealed under a secret key that is no more, or a template of another version: dropped, the next one goes out."""
    lost, foreign = await queue(database), await queue(database)
    await queue(database)
    await owner.execute("UPDATE system_mail SET sealed = '\\x00' WHERE id = $1", lost)
    await owner.execute("UPDATE system_mail SET template = 'of_tomorrow' WHERE id = $1", foreign)
    assert await postman(database, sink).send_due() == 3
    assert len(sink.taken) == 1
    assert await waiting(database) == []


async def test_without_a_server_mails_wait(database):
    """They are kept until they run out."""
    await queue(database)
    assert await Postman(database, VAULT, None).send_due() == 0
    assert len(await waiting(database)) == 1


async def test_it_runs_until_stopped(database, sink):
    """What is queued while it runs goes out by itself."""
    stop = asyncio.Event()
    running = asyncio.create_task(postman(database, sink).run(stop))
    await queue(database)
    await asyncio.to_thread(sink.wait_for, 1)
    stop.set()
    await asyncio.wait_for(running, 5)


class Relay:
    """An SMTP server that insists on TLS."""

    async def handle_DATA(self, server, session, envelope):
        return "250 OK" if server.transport.get_extra_info("ssl_object") else "550 in the open"


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_tls_is_checked_and_insisted_on(tmp_path, tls):
    """Both ways to TLS work with a certificate we trust, and with no other; a server without it is not spoken to."""
    certificate, key = make_certificate(tmp_path, "localhost")
    theirs = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    theirs.load_cert_chain(certificate, key)
    options = {"ssl_context": theirs} if tls == "tls" else {"tls_context": theirs, "require_starttls": True}
    relay = Controller(Relay(), hostname="127.0.0.1", port=free_port(), ready_timeout=10, **options)
    relay.start()
    try:
        server = MailServer("localhost", relay.port, tls, "", "", SENDER)
        trusting = ssl.create_default_context(cafile=str(certificate))
        async with connected(server, trusting) as client:
            await client.sendmail("a@hub.example", ["b@example.com"], b"Subject: x\r\n\r\nx")
        with pytest.raises(NotTaken) as refused:
            async with connected(server):
                pass
        assert (refused.value.fate, refused.value.code) == (Fate.SERVER_DOWN, "tls")
    finally:
        relay.stop()


@pytest.mark.parametrize("tls", ["starttls", "tls"])
async def test_no_password_goes_to_a_server_without_tls(sink, tls):
    """A server (or whoever sits before it) that offers none gets nothing."""
    with pytest.raises(NotTaken):
        async with connected(server_of(sink, tls=tls)):
            pass


def test_settings_name_the_server():
    """Ports follow from the kind of TLS; the password is unquoted, and shown nowhere."""
    env = {"HOME": "/tmp", "HUB_MAIL_FROM": SENDER}
    mail = read_settings(env | {"HUB_MAIL_URL": "smtp://me%40x:p%2Fw@mx.example"}).mail
    assert mail == MailServer("mx.example", 587, "starttls", "me@x", "p/w", SENDER)
    assert "p/w" not in repr(mail)
    assert read_settings(env | {"HUB_MAIL_URL": "smtps://mx.example"}).mail.port == 465
    assert read_settings(env | {"HUB_MAIL_URL": "smtp://mx.example?tls=none"}).mail.port == 25
