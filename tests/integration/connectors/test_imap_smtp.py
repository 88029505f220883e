"""The mail channel against a real dovecot and a real SMTP server: read once, sent once, errors in words."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime, timedelta

import msgspec
import pytest

from connectors.base import Account, ParseContext
from connectors.imap_smtp import make_connector
from connectors.imap_smtp.poll import Poller
from connectors.imap_smtp.send import Sender
from connectors.imap_smtp.watch import Pace
from hub import clock
from hub.envelope import Direction, Identity, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from tests.mail_services import DOVECOT, PASSWORD, Dovecot, SmtpSink, free_port, make_mail

pytestmark = pytest.mark.skipif(DOVECOT is None, reason="dovecot is not installed")

ADDRESS = "support@shop.example"


@pytest.fixture(scope="module")
def dovecot() -> Iterator[Dovecot]:
    started = Dovecot()
    yield started
    started.close()


@pytest.fixture
def sink() -> Iterator[SmtpSink]:
    started = SmtpSink()
    yield started
    started.stop()


class User:
    """A fresh mailbox and its account."""

    def __init__(self, dovecot: Dovecot, sink: SmtpSink | None = None) -> None:
        self.dovecot = dovecot
        self.name = f"u{clock.new_id().hex[:12]}@shop.example"
        self.settings = {
            "address": self.name,
            "imap_host": "127.0.0.1",
            "imap_port": str(dovecot.port),
            "imap_security": "none",
            "smtp_host": "127.0.0.1",
            "smtp_port": str(sink.port if sink else 1),
            "smtp_security": "none",
        }
        self.credentials = {"password": PASSWORD}

    def account(self, **settings: str) -> Account:
        return Account(
            id="0190b0a0-0000-7000-8000-0000000000aa",
            workspace_id=1,
            credentials=self.credentials,
            settings=self.settings | settings,
            webhook_url="",
            signing_key=b"k" * 32,
            reach="loopback",
        )

    def append(self, *mails: bytes, folder: str = "INBOX", at: datetime | None = None) -> None:
        for mail in mails:
            self.dovecot.append(self.name, mail, folder, at)


@pytest.fixture
def user(dovecot, sink) -> User:
    return User(dovecot, sink)


def connector(idle_s: float = 1.0):
    return make_connector(Poller(Pace(idle_s=idle_s, poll_s=0.3)), Sender(data_s=3.0))


async def read(account: Account, cursor: str | None = None, *, until: int = 0, idle_s: float = 1.0):
    """Poll until an empty batch once ``until`` items are there; returns items, cursor and batches."""
    items, batches = [], []
    async with asyncio.timeout(20), aclosing(connector(idle_s).poll(account, cursor)) as polled:
        async for batch in polled:
            items += batch.items
            batches.append(batch)
            cursor = batch.cursor
            if not batch.items and len(items) >= until:
                break
    return items, cursor, batches


def subjects(items) -> list[bytes]:
    return [next(line for line in one.body.split(b"\r\n") if line.startswith(b"Subject:"))[9:] for one in items]


# ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_poll_reads_inbox_and_sent_in_the_order_they_arrived(user):
    """Questions and answers of both folders come oldest first, each once, and none is marked as read."""
    now = datetime.now(UTC)
    for number, folder in enumerate(["INBOX", "Sent", "INBOX", "Sent"]):
        user.append(make_mail(subject=f"n{number}"), folder=folder, at=now - timedelta(hours=10 - number))

    items, cursor, _ = await read(user.account())
    again, _, _ = await read(user.account(), cursor)

    assert subjects(items) == [b"n0", b"n1", b"n2", b"n3"]
    assert [one.key.partition(":")[0] for one in items] == ["in", "sent", "in", "sent"]
    assert again == []
    assert all(b"\\Seen" not in flags for _, flags in user.dovecot.mails(user.name))


async def test_poll_hears_of_new_mail_by_idle(user):
    """A mail that comes while the connection idles is there long before the next round."""
    async with aclosing(connector(idle_s=60).poll(user.account(), None)) as polled:
        assert (await anext(polled)).items == ()
        waiting = asyncio.ensure_future(anext(polled))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(user.append, make_mail(subject="ding"))
        async with asyncio.timeout(10):
            batch = await waiting

    assert subjects(batch.items) == [b"ding"]


async def test_poll_reads_history_by_date_with_progress(user):
    """Only the asked days are read, in batches that say how far they are, and a crash between them goes on there."""
    now = datetime.now(UTC)
    user.append(make_mail(subject="ancient"), at=now - timedelta(days=40))
    for number in range(120):
        user.append(make_mail(subject=f"n{number}"), at=now - timedelta(days=5, minutes=-number))

    first = None
    async with aclosing(connector().poll(user.account(backfill_days="10"), None)) as polled:
        first = await anext(polled)
    rest, _, _ = await read(user.account(backfill_days="10"), first.cursor)

    assert first.progress is not None
    assert (first.progress.done, first.progress.total) == (50, 120)
    assert subjects([*first.items, *rest]) == [f"n{number}".encode() for number in range(120)]


async def test_poll_without_history_reads_only_what_comes(user):
    """With 0 days of history the mailbox begins now."""
    user.append(make_mail(subject="old"))
    items, cursor, _ = await read(user.account(backfill_days="0"))
    user.append(make_mail(subject="new"))

    later, _, _ = await read(user.account(backfill_days="0"), cursor, until=1)

    assert items == []
    assert subjects(later) == [b"new"]


async def test_poll_reads_again_after_uidvalidity_changed(user, dovecot):
    """New numbers: recent mail is read again under the same message ids, and nothing new is missed."""
    user.append(make_mail(subject="a", message_id="<a@x.example>"), make_mail(subject="b", message_id="<b@x.example>"))
    items, cursor, _ = await read(user.account())
    dovecot.stop()
    dovecot.renumber(user.name)
    dovecot.drop(user.name, make_mail(subject="c", message_id="<c@x.example>"), datetime.now(UTC))
    dovecot.start()

    again, _, _ = await read(user.account(), cursor)

    context = ParseContext(received_at=datetime.now(UTC), key="in:1:1:INBOX", settings=user.settings, signing_key=b"k")
    keys = [[one.key for raw in some for one in connector().parse(raw.body, context)] for some in (items, again)]
    assert sorted(subjects(again)) == [b"a", b"b", b"c"]
    assert set(keys[0]) < set(keys[1])


async def test_poll_of_another_mailbox_ignores_the_cursor(user, dovecot):
    """A cursor of one mailbox says nothing about the next one somebody enters."""
    user.append(make_mail(subject="mine"))
    _, cursor, _ = await read(user.account())
    other = User(dovecot)
    other.append(make_mail(subject="theirs"))

    items, _, _ = await read(other.account(), cursor)

    assert subjects(items) == [b"theirs"]


async def test_poll_reads_the_text_of_a_huge_mail_only(user):
    """Above the limit headers and text come with a note; the files stay at the server."""
    user.append(
        make_mail(subject="huge", text="See the films.", files=(("a.mov", "video/quicktime", b"x" * 3_000_000),))
    )

    (item,), _, _ = await read(user.account(largest_mail_mb="1"))

    context = ParseContext(received_at=datetime.now(UTC), key=item.key, settings=user.settings, signing_key=b"k")
    (parsed,) = connector().parse(item.body, context)
    assert len(item.body) < 10_000
    assert parsed.subject == "huge"
    assert "See the films." in parsed.text
    assert "left in the mailbox" in parsed.text


async def test_poll_reads_other_folders_when_asked(user):
    """Folders named in the settings are read too; one that has gone is left out."""
    with user.dovecot.client(user.name) as client:
        client.create_folder("Sales")
    user.append(make_mail(subject="lead"), folder="Sales")

    items, _, _ = await read(user.account(folders="Sales, Gone"))

    assert subjects(items) == [b"lead"]


async def test_poll_says_that_the_password_is_wrong(user):
    """A refused sign-in is AUTH, in words, without the password or the address."""
    user.credentials = {"password": "wrong-password"}

    with pytest.raises(ConnectorError) as caught:
        await read(user.account())

    assert caught.value.info.klass is ErrorClass.AUTH
    assert "wrong-password" not in caught.value.info.message
    assert user.name not in caught.value.info.message


async def test_poll_ends_within_two_seconds_amid_idle(user):
    """Closing the iterator ends the connection and its thread, whatever it waits for."""
    polled = connector(idle_s=600).poll(user.account(), None)
    await anext(polled)
    waiting = asyncio.ensure_future(anext(polled))
    await asyncio.sleep(0.3)
    waiting.cancel()
    started_s = clock.monotonic_s()
    await asyncio.gather(waiting, return_exceptions=True)
    await polled.aclose()

    assert clock.monotonic_s() - started_s < 2.5


async def test_poll_tells_when_the_server_goes_and_goes_on_after(user, dovecot):
    """A server that stops ends the iterator with words; from its cursor on nothing is missed."""
    user.append(make_mail(subject="before"))
    _, cursor, _ = await read(user.account())
    async with aclosing(connector(idle_s=600).poll(user.account(), cursor)) as polled:
        await anext(polled)
        waiting = asyncio.ensure_future(anext(polled))
        await asyncio.sleep(0.3)
        await asyncio.to_thread(dovecot.stop)
        with pytest.raises(ConnectorError) as caught:
            async with asyncio.timeout(10):
                await waiting
    two_days_ago = datetime.now(UTC) - timedelta(days=2)
    for number in range(3):
        dovecot.drop(user.name, make_mail(subject=f"away {number}"), two_days_ago + timedelta(hours=number))
    await asyncio.to_thread(dovecot.start)

    items, _, _ = await read(user.account(), cursor)

    assert caught.value.info.klass is ErrorClass.RETRYABLE
    assert subjects(items) == [b"away 0", b"away 1", b"away 2"]


# ── sending ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def make_message(**fields) -> OutboundMessage:
    values = {
        "message_id": str(clock.new_id()),
        "conversation_id": "0190b0a0-2222-7000-8000-000000000002",
        "to": Identity("email", "ada@customer.example", display_name="Ada"),
        "thread_key": "t",
        "subject": "Re: Where is my parcel?",
        "text": "On its way.",
    }
    return OutboundMessage(**(values | fields))


async def send(user: User, message: OutboundMessage, sender: Sender | None = None, **settings: str):
    sender = sender or Sender(data_s=2.0)
    one = make_connector(Poller(), sender)
    account = user.account(**settings)
    result = await one.send(account, message, one.render(message, account))
    await sender.settle()
    return result


async def test_send_hands_the_mail_over_and_keeps_a_copy(user, sink):
    """The server gets it for every recipient under our Message-ID, and the folder for sent mail has it, read."""
    message = make_message(
        cc=(Identity("email", "bob@customer.example"),), bcc=(Identity("email", "eve@shop.example"),)
    )
    result = await send(user, message)

    (taken,) = sink.taken
    ((copy, flags),) = user.dovecot.mails(user.name, "Sent")
    assert taken.recipients == ["ada@customer.example", "bob@customer.example", "eve@shop.example"]
    assert taken.sender == user.name
    assert result.external_ids[0].encode() in taken.content
    assert b"eve@shop.example" not in taken.content
    assert copy == taken.content
    assert b"\\Seen" in flags


async def test_sent_copy_is_read_as_our_own(user):
    """The copy comes back as an echo with our message id, so that it is shown once."""
    message = make_message()
    result = await send(user, message)

    (item,), _, _ = await read(user.account())

    account = user.account()
    context = ParseContext(
        received_at=datetime.now(UTC),
        key=item.key,
        settings=user.settings,
        account_id=account.id,
        workspace_id=account.workspace_id,
        signing_key=account.signing_key,
    )
    (parsed,) = connector().parse(item.body, context)
    assert parsed.direction is Direction.OUTBOUND
    assert parsed.correlation_id == message.message_id
    assert parsed.external_id == result.external_ids[0]


async def test_send_leaves_the_copy_to_a_server_that_keeps_it(user):
    """Gmail and Microsoft keep what is sent through them; a second copy would be one too many."""
    await send(user, make_message(), saves_sent="yes")

    assert user.dovecot.mails(user.name, "Sent") == []


async def test_send_carries_files(user, sink):
    """Files are read by their ids and travel as attachments."""

    async def read_file(file_id: str):
        yield b"hello "
        yield file_id.encode()

    from hub.envelope import OutboundAttachment

    file = OutboundAttachment(id="f1", kind="file", filename="note.txt", mime="text/plain", size_bytes=8)
    message = make_message(attachments=(file,))
    one = connector()
    account = msgspec.structs.replace(user.account(), read_file=read_file)
    await one.send(account, message, one.render(message, account))

    assert b"note.txt" in sink.taken[0].content
    assert b"aGVsbG8gZjE=" in sink.taken[0].content


@pytest.mark.parametrize(
    ("misbehave", "klass"),
    [
        ({"refuse_recipients": {"ada@customer.example": "550 5.1.1 No such user ada"}}, ErrorClass.RECIPIENT),
        ({"refuse_recipients": {"ada@customer.example": "451 4.7.1 Greylisted"}}, ErrorClass.RETRYABLE),
        ({"refuse_sender": "553 5.7.1 Not your address"}, ErrorClass.PERMISSION),
        ({"refuse_sender": "452 4.2.2 Out of space"}, ErrorClass.RETRYABLE),
        ({"answer_data": "554 5.7.1 Spam"}, ErrorClass.CONTENT),
        ({"answer_data": "451 4.3.0 Try again"}, ErrorClass.RETRYABLE),
        ({"answer_data": "cut"}, ErrorClass.AMBIGUOUS),
        ({"answer_data": "silence"}, ErrorClass.AMBIGUOUS),
        ({"refuse_login": "535 5.7.8 Bad credentials"}, ErrorClass.AUTH),
        ({"refuse_login": "454 4.7.0 Temporary failure"}, ErrorClass.RETRYABLE),
    ],
    ids=lambda one: str(one)[:50] if isinstance(one, dict) else one.value,
)
async def test_send_classifies_what_the_server_says(user, sink, misbehave, klass):
    """Refused before the text left is known not to be sent; silence after it is not known."""
    for name, value in misbehave.items():
        setattr(sink, name, value)

    with pytest.raises(ConnectorError) as caught:
        await send(user, make_message())

    assert caught.value.info.klass is klass
    assert "ada" not in caught.value.info.message
    assert sink.taken == []


async def test_send_to_nobody_when_one_recipient_is_refused(user, sink):
    """Half a group is not written to: the member hears which recipient was refused."""
    sink.refuse_recipients = {"bob@customer.example": "550 5.1.1 No such user"}

    with pytest.raises(ConnectorError) as caught:
        await send(user, make_message(cc=(Identity("email", "bob@customer.example"),)))

    assert caught.value.info.klass is ErrorClass.RECIPIENT
    assert "recipient 2 of 2" in caught.value.info.message
    assert sink.taken == []


async def test_send_refuses_what_is_larger_than_the_server_takes(dovecot):
    """The server's SIZE is believed before anything is sent."""
    small = SmtpSink(size_limit=2000)
    try:
        with pytest.raises(ConnectorError) as caught:
            await send(User(dovecot, small), make_message(text="word " * 2000))
    finally:
        small.stop()

    assert caught.value.info.klass is ErrorClass.CONTENT
    assert "MB" in caught.value.info.message


async def test_send_without_a_server_is_tried_again(user):
    """No connection: certainly not sent."""
    with pytest.raises(ConnectorError) as caught:
        await send(user, make_message(), smtp_port=str(free_port()))

    assert caught.value.info.klass is ErrorClass.RETRYABLE


async def test_reconcile_finds_a_mail_the_server_kept(user, sink):
    """After silence, a mail in the folder for sent mail was sent; one that is nowhere stays unknown."""
    message = make_message()
    sink.answer_data, sink.takes_before_cut = "cut", True
    sink.on_taken = lambda taken: user.append(taken.content, folder="Sent")
    with pytest.raises(ConnectorError):
        await send(user, message, saves_sent="yes")

    found = await connector().reconcile(user.account(), message)
    other = await connector().reconcile(user.account(), make_message())

    assert found is not None
    assert found.external_ids[0].encode() in sink.taken[0].content
    assert other is None


async def test_send_again_has_the_same_message_id_and_date(user, sink):
    """A retry is the same mail, byte for byte, so that whoever got both shows one."""
    message = make_message()
    await send(user, message)
    await send(user, message)

    first, second = sink.taken
    assert first.content == second.content


# ── the connect form ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_check_passes_and_warns(user):
    """Both directions work: nothing is sent, nothing is warned of."""
    checked = await connector().check(user.account())

    assert checked.warnings == ()


@pytest.mark.parametrize(
    ("settings", "field"),
    [
        ({"imap_host": "nowhere.invalid"}, "settings.imap_host"),
        ({"smtp_host": "nowhere.invalid"}, "settings.smtp_host"),
        ({"imap_port": "9"}, "settings.imap_port"),
        ({"smtp_port": "9"}, "settings.smtp_port"),
        ({"imap_security": "tls"}, "settings.imap_security"),
        ({"smtp_security": "tls"}, "settings.smtp_security"),
        ({"smtp_security": "starttls"}, "settings.smtp_security"),
        ({"folders": "Nope"}, "settings.folders"),
    ],
    ids=lambda one: str(one),
)
async def test_check_names_the_input_that_is_wrong(user, settings, field):
    """Each slip of the form is told of at its own input."""
    with pytest.raises(InvalidInput) as caught:
        await connector().check(user.account(**settings))

    assert caught.value.field == field


async def test_check_refuses_keys_and_foreign_addresses(user, sink):
    """A wrong password is AUTH; an address the server does not let us use is the address's fault."""
    sink.refuse_sender = "553 5.7.1 Not yours"
    with pytest.raises(InvalidInput) as foreign:
        await connector().check(user.account())
    sink.refuse_sender = ""
    user.credentials = {"password": "wrong"}
    with pytest.raises(ConnectorError) as wrong:
        await connector().check(user.account())
    user.credentials = {"password": PASSWORD, "smtp_username": "other", "smtp_password": "wrong"}
    with pytest.raises(ConnectorError) as wrong_smtp:
        await connector().check(user.account())

    assert foreign.value.field == "settings.address"
    assert wrong.value.info.klass is wrong_smtp.value.info.klass is ErrorClass.AUTH
    assert "for sending" in wrong_smtp.value.info.message


async def test_check_reaches_no_private_server(user):
    """Without the operator's word a member cannot make us connect to this computer or its network."""
    account = msgspec.structs.replace(user.account(), reach="public")
    with pytest.raises(InvalidInput) as caught:
        await connector().check(account)

    assert caught.value.field == "settings.imap_host"
    assert "private network" in caught.value.message
