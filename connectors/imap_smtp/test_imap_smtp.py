"""The mail channel's pure parts: answers in words, cursors, what is kept of huge mails, what may be sent."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connectors.base import Account, ParseContext
from connectors.imap_smtp import CONNECTOR
from connectors.imap_smtp.cursor import Place, read_cursor
from connectors.imap_smtp.errors import describe_login, describe_smtp
from connectors.imap_smtp.fetching import Listed, cut_mail, find_text
from connectors.imap_smtp.mailbox import own_addresses, read_mailbox
from connectors.imap_smtp.render import FILES_LIMIT_BYTES, TEXT_LIMIT_CHARS
from connectors.imap_smtp.turns import Listing, Pending, batches, in_order
from connectors.manifest import read_manifest
from connectors.outgoing_mail import written_at
from hub import clock
from hub.envelope import Direction, Identity, OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass

SINCE = datetime(2026, 11, 1, tzinfo=UTC)
SETTINGS = {"address": "Support@Shop.example", "imap_host": "imap.shop.example", "smtp_host": "smtp.shop.example"}


def make_account(**settings: str) -> Account:
    return Account(
        id="0190b0a0-0000-7000-8000-0000000000aa",
        workspace_id=1,
        credentials={"password": "secret-1"},
        settings=SETTINGS | settings,
        webhook_url="",
        signing_key=b"k" * 32,
    )


def make_message(**fields) -> OutboundMessage:
    values = {
        "message_id": str(clock.new_id()),
        "conversation_id": str(clock.new_id()),
        "to": Identity("email", "ada@customer.example"),
        "thread_key": "t",
        "text": "Hello",
    }
    return OutboundMessage(**(values | fields))


@pytest.mark.parametrize(
    ("answer", "klass"),
    [
        ("[AUTHENTICATIONFAILED] Invalid credentials (Failure)", ErrorClass.AUTH),
        ("[ALERT] Application-specific password required: https://support.google.com (Failure)", ErrorClass.AUTH),
        ("LOGIN failed.", ErrorClass.AUTH),
        ("[UNAVAILABLE] Temporary authentication failure.", ErrorClass.RETRYABLE),
        ("[LIMIT] Too many simultaneous connections.", ErrorClass.RETRYABLE),
        ("[INUSE] Mailbox in use", ErrorClass.RETRYABLE),
        ("Server busy, try again later", ErrorClass.RETRYABLE),
        ("[AUTHENTICATIONFAILED] Too many login failures", ErrorClass.AUTH),
    ],
)
def test_refused_sign_in_is_told_from_a_busy_server(answer, klass):
    """A server that is busy stops nobody's account; one that refuses the keys does."""
    assert describe_login(answer).klass is klass


def test_wanted_app_password_is_said():
    """Where the server asks for an app password, the member reads so."""
    assert "wants an app password" in describe_login("[ALERT] Application-specific password required").message
    assert "may want an app password" in describe_login("LOGIN failed").message


@pytest.mark.parametrize(
    ("code", "answer", "step", "klass", "status"),
    [
        (550, "5.1.1 <ada@customer.example> unknown", "recipient", ErrorClass.RECIPIENT, "5.1.1"),
        (450, "4.2.1 mailbox busy", "recipient", ErrorClass.RETRYABLE, "4.2.1"),
        (552, "too big", "data", ErrorClass.CONTENT, "552"),
        (554, "5.7.1 spam", "data", ErrorClass.CONTENT, "5.7.1"),
        (535, "5.7.8 no", "auth", ErrorClass.AUTH, "5.7.8"),
        (454, "4.7.0 later", "auth", ErrorClass.RETRYABLE, "4.7.0"),
        (530, "5.7.0 sign in first", "sender", ErrorClass.AUTH, "5.7.0"),
        (553, "5.7.1 not yours", "sender", ErrorClass.PERMISSION, "5.7.1"),
        (421, "closing", "connect", ErrorClass.RETRYABLE, "421"),
        (554, "no service", "connect", ErrorClass.RETRYABLE, "554"),
    ],
)
def test_smtp_answers_are_classified(code, answer, step, klass, status):
    """Code and step say what follows; the server's text is not repeated, it holds addresses."""
    info = describe_smtp(code, answer, step=step)
    assert (info.klass, info.code) == (klass, status)
    assert "ada@" not in info.message


def test_cursor_is_kept_and_bound_to_its_mailbox():
    """What is kept is read again; another mailbox's, or nonsense, begins anew."""
    place = Place(validity=7, last=41, since=SINCE, seen=SINCE)
    kept = read_cursor(None, "m1", SINCE).at("INBOX", place).text()

    assert read_cursor(kept, "m1", SINCE).folders == {"INBOX": place}
    assert read_cursor(kept, "m2", SINCE).folders == {}
    assert read_cursor("{", "m1", SINCE).folders == {}


def listed(uid: int, day: int, size_bytes: int = 1000) -> Listed:
    return Listed(uid, size_bytes, datetime(2026, 11, day, tzinfo=UTC))


def test_folders_take_turns_by_arrival_and_uid():
    """Two folders are merged by time; a mail moved in later keeps its UID's place; a cut list holds the others back."""
    inbox = [listed(1, 2), listed(2, 9), listed(3, 4)]
    sent = [listed(7, 3), listed(8, 10)]
    whole = in_order({"INBOX": Listing(inbox, is_cut=False), "Sent": Listing(sent, is_cut=False)})
    cut = in_order({"INBOX": Listing(inbox, is_cut=True), "Sent": Listing(sent, is_cut=False)})

    assert [(one.folder, one.mail.uid) for one in whole] == [
        ("INBOX", 1),
        ("Sent", 7),
        ("INBOX", 2),
        ("INBOX", 3),
        ("Sent", 8),
    ]
    assert [one.mail.uid for one in cut] == [1, 7, 2, 3]


def test_batches_are_bounded_in_number_and_size():
    """Fifty mails or eight megabytes; one huge mail travels alone."""
    mails = [Pending("INBOX", listed(uid, 2, 9_000_000 if uid == 60 else 10), SINCE) for uid in range(1, 131)]
    assert [len(one) for one in batches(mails)] == [50, 9, 1, 50, 20]


def test_text_of_a_huge_mail_is_found():
    """Plain text before HTML, at any depth; a mail without text has none."""
    plain = (b"TEXT", b"PLAIN", (b"CHARSET", b"iso-8859-1"), None, None, b"QUOTED-PRINTABLE", 12, 1)
    html = (b"TEXT", b"HTML", (b"CHARSET", b"utf-8"), None, None, b"BASE64", 99, 3)
    film = (b"VIDEO", b"MP4", None, None, None, b"BASE64", 9_000_000)
    alternative = ([html, plain], b"ALTERNATIVE")

    path, media = find_text(([alternative, film], b"MIXED"))
    assert path == "1.2"
    assert media == "Content-Type: text/plain; charset=iso-8859-1\r\nContent-Transfer-Encoding: QUOTED-PRINTABLE"
    assert find_text(html)[0] == "1"
    assert find_text(([film], b"MIXED"))[0] == ""
    assert find_text(None)[0] == ""


def test_cut_mail_reads_like_the_original():
    """Headers stay, what described the parts goes, text and note are read; a part's charset cannot break out."""
    header = (
        b"From: Ada <ada@customer.example>\r\nSubject: Films\r\nMessage-ID: <f@customer.example>\r\n"
        b"Content-Type: multipart/mixed;\r\n boundary=abc\r\nMIME-Version: 1.0\r\n\r\n"
    )
    media = "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit"
    cut = cut_mail(header, media, "Grüße".encode(), 40 * 1024 * 1024)
    context = ParseContext(received_at=SINCE, key="in:1:1:INBOX", settings=SETTINGS, signing_key=b"k")
    (item,) = CONNECTOR.parse(cut, context)

    assert item.subject == "Films"
    assert item.external_id == "f@customer.example"
    assert item.text.startswith("Grüße")
    assert "40 MB" in item.text
    assert item.attachments == ()


def test_own_mail_is_trusted_in_the_sent_folder_only():
    """A stranger can put our address into From; into our sent folder he cannot put anything."""
    mail = b"From: support@shop.example\r\nTo: ada@customer.example\r\nMessage-ID: <x@y.example>\r\n\r\nHi"
    settings = SETTINGS | {"address": "support@shop.example"}
    directions = [
        CONNECTOR.parse(
            mail, ParseContext(received_at=SINCE, key=f"{role}:1:1:F", settings=settings, signing_key=b"k")
        )[0].direction
        for role in ("sent", "in")
    ]
    assert directions == [Direction.OUTBOUND, Direction.INBOUND]


def test_mailbox_is_read_with_its_defaults():
    """Both servers share a sign-in unless SMTP has its own; secrets do not show in text."""
    mailbox = read_mailbox(make_account(aliases="Sales@shop.example, hi@shop.example", folders="Leads ,Leads"))
    assert mailbox.addresses == ("support@shop.example", "sales@shop.example", "hi@shop.example")
    assert (mailbox.imap.username, mailbox.smtp.password) == ("Support@Shop.example", "secret-1")
    assert (mailbox.imap.port, mailbox.smtp.port, mailbox.backfill_days) == (993, 465, 30)
    assert mailbox.folders == ("Leads",)
    assert "secret-1" not in repr(mailbox)
    assert own_addresses({}) == ()


@pytest.mark.parametrize(
    ("fields", "klass"),
    [
        ({"text": "  "}, ErrorClass.CONTENT),
        ({"text": "x" * (TEXT_LIMIT_CHARS + 1)}, ErrorClass.CONTENT),
        ({"to": Identity("email", "ada@x\r\nRCPT TO:<eve@x>")}, ErrorClass.RECIPIENT),
        ({"cc": (Identity("email", "nobody"),)}, ErrorClass.RECIPIENT),
        ({"bcc": tuple(Identity("email", f"n{one}@x.example") for one in range(100))}, ErrorClass.CONTENT),
        (
            {
                "attachments": (
                    OutboundAttachment(id="1", kind="file", filename="a", mime="a/b", size_bytes=FILES_LIMIT_BYTES + 1),
                )
            },
            ErrorClass.CONTENT,
        ),
    ],
)
def test_render_refuses_what_cannot_be_sent(fields, klass):
    """Nothing, too much, and what is no address are refused before anything is asked of a server."""
    with pytest.raises(ConnectorError) as caught:
        CONNECTOR.render(make_message(**fields), make_account())
    assert caught.value.info.klass is klass


def test_charges_count_recipients():
    """Each recipient is charged, to the sign-in they are sent with, and never more than the bucket holds."""
    copies = tuple(Identity("email", f"n{one}@x.example") for one in range(4))
    (five,) = CONNECTOR.charges(make_account(), make_message(cc=copies))
    (many,) = CONNECTOR.charges(make_account(), make_message(bcc=copies * 20))
    assert five.cost == 5.0
    assert five.key == "smtp:smtp.shop.example:support@shop.example"
    assert many.cost == min(limit.burst for limit in many.limits)


def test_date_of_a_mail_is_its_messages():
    """Every try of a message says the same time, the one in its id."""
    message = make_message()
    assert written_at(message) == written_at(message)
    assert abs((written_at(message) - clock.now()).total_seconds()) < 5


def test_presets_are_complete():
    """Each provider has both servers, encrypted, and says what to do there first."""
    manifest = read_manifest(__import__("pathlib").Path(__file__).parent)
    assert manifest.rank == 10
    assert len(manifest.presets) >= 9
    domains = [domain for preset in manifest.presets for domain in preset.domains]
    assert len(set(domains)) == len(domains)
    for preset in manifest.presets:
        assert {"imap_host", "imap_port", "smtp_host", "smtp_port"} <= set(preset.values)
        assert {preset.values["imap_security"], preset.values["smtp_security"]} <= {"tls", "starttls"}
        assert preset.help.endswith(".")
