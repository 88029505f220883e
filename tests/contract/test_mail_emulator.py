"""The mail emulator against clients we did not write: IMAPClient and the standard library's smtplib."""

from __future__ import annotations

import asyncio
import base64
import json
import smtplib
import socket
import urllib.request
from collections.abc import AsyncIterator
from datetime import UTC, date, datetime
from email.message import EmailMessage
from typing import Any

import pytest
from imapclient import IMAPClient
from imapclient.exceptions import IMAPClientAbortError, LoginError

from scripts.emulators.mail import MailEmulator
from scripts.emulators.mailboxes import with_crlf

ADDRESS, PASSWORD = "shop@lamps.example", "a secret with spaces"


@pytest.fixture
async def mail() -> AsyncIterator[MailEmulator]:
    async with MailEmulator({ADDRESS: PASSWORD}) as emulator:
        yield emulator


def signed_in(mail: MailEmulator) -> IMAPClient:
    client = IMAPClient("127.0.0.1", mail.ports["imap"], ssl=False, timeout=5)
    client.login(ADDRESS, PASSWORD)
    return client


def message(subject: str = "A lamp", message_id: str = "<1@lamps.example>", body: str = "Broken.\n") -> bytes:
    made = EmailMessage()
    made["From"], made["To"], made["Subject"], made["Message-ID"] = (
        "Ada <ada@post.example>",
        ADDRESS,
        subject,
        message_id,
    )
    made.set_content(body)
    return made.as_bytes()


def steer(mail: MailEmulator, op: str, **order: Any) -> Any:
    body = json.dumps({"op": op} | order).encode()
    return ask(mail, "", body)


def ask(mail: MailEmulator, query: str = "", body: bytes | None = None) -> Any:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(f"http://127.0.0.1:{mail.ports['control']}/_control{query}", data=body, timeout=10) as answer:
        return json.loads(answer.read())


async def test_mail_is_searched_and_fetched_by_uid_without_being_marked_seen(mail):
    """SELECT, UID SEARCH and BODY.PEEK give the cursor, the size, the header, a slice and the whole bytes."""
    inbox = mail.post.mailboxes[ADDRESS].folders["INBOX"]
    for number in range(1, 4):
        inbox.add(
            message(f"Lamp {number}", f"<{number}@lamps.example>"), received_at=datetime(2026, 11, number, tzinfo=UTC)
        )

    def read() -> dict[str, Any]:
        with signed_in(mail) as client:
            selected = client.select_folder("INBOX", readonly=False)
            return {
                "all": client.search("ALL"),
                "since": client.search(["SINCE", date(2026, 11, 2)]),
                "beyond": client.search(["UID", "9:*"]),
                "by_id": client.search(["HEADER", "Message-ID", "<2@lamps.example>"]),
                "selected": selected,
                "rows": client.fetch([1, 2, 3], ["FLAGS", "RFC822.SIZE", "INTERNALDATE", "BODY.PEEK[]"]),
                "header": client.fetch([2], ["BODY.PEEK[HEADER]"])[2][b"BODY[HEADER]"],
                "slice": client.fetch([2], ["BODY.PEEK[]<5.10>"])[2][b"BODY[]<5>"],
                "folders": client.list_folders(),
                "structure": client.fetch([1], ["BODYSTRUCTURE", "ENVELOPE"])[1],
            }

    found = await asyncio.to_thread(read)

    raw = inbox.mails[1].raw
    assert (found["all"], found["since"], found["beyond"], found["by_id"]) == ([1, 2, 3], [2, 3], [3], [2])
    assert (found["selected"][b"UIDVALIDITY"], found["selected"][b"UIDNEXT"]) == (inbox.uidvalidity, 4)
    assert found["rows"][2][b"BODY[]"] == raw
    assert found["rows"][2][b"RFC822.SIZE"] == len(raw)
    assert found["rows"][2][b"FLAGS"] == ()
    assert found["rows"][2][b"INTERNALDATE"].day == 2
    assert found["header"] == raw.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert found["slice"] == raw[5:15]
    assert {one[2] for one in found["folders"]} >= {"INBOX", "Sent"}
    assert found["structure"][b"BODYSTRUCTURE"][:2] == (b"text", b"plain")
    assert found["structure"][b"ENVELOPE"].message_id == b"<1@lamps.example>"


async def test_flags_append_copy_move_and_expunge_change_the_folders(mail):
    """What a client does to a folder is there afterwards, with the UIDs it was told."""
    inbox = mail.post.mailboxes[ADDRESS].folders["INBOX"]
    inbox.add(message())
    inbox.add(message("Second", "<2@lamps.example>"))

    def change() -> list[Any]:
        with signed_in(mail) as client:
            client.select_folder("INBOX")
            client.add_flags([1], ["\\Seen"])
            told = client.append(
                "Sent", message("Ours", "<3@lamps.example>"), ["\\Seen"], datetime(2026, 1, 2, tzinfo=UTC)
            )
            client.copy([1], "Junk")
            client.move([2], "Trash")
            client.add_flags([1], ["\\Deleted"])
            client.expunge()
            return [told, client.search("ALL")]

    told, left = await asyncio.to_thread(change)

    folders = mail.post.mailboxes[ADDRESS].folders
    assert b"APPENDUID" in told
    assert left == []
    assert [len(folders[name].mails) for name in ("INBOX", "Sent", "Junk", "Trash")] == [0, 1, 1, 1]
    assert folders["Sent"].mails[0].flags == {"\\Seen"}
    assert folders["Sent"].mails[0].received_at == datetime(2026, 1, 2, tzinfo=UTC)
    assert folders["Junk"].mails[0].flags == {"\\Seen"}


async def test_idle_tells_of_mail_delivered_over_the_control_port(mail):
    """A client in IDLE hears EXISTS at once; in silent mode it hears nothing; dropped, its line is cut."""

    def wait_for_mail() -> list[Any]:
        with signed_in(mail) as client:
            client.select_folder("INBOX")
            client.idle()
            steer(mail, "deliver", to=ADDRESS, raw=base64.b64encode(message()).decode())
            told = client.idle_check(timeout=5)
            client.idle_done()
            steer(mail, "idle", mode="silent")
            client.idle()
            steer(mail, "deliver", to=ADDRESS, raw=base64.b64encode(message()).decode())
            silent = client.idle_check(timeout=0.3)
            client.idle_done()
            return [told, silent, client.search("ALL")]

    told, silent, found = await asyncio.to_thread(wait_for_mail)
    assert told == [(1, b"EXISTS")]
    assert silent == []
    assert found == [1, 2]

    def be_dropped() -> None:
        client = signed_in(mail)
        try:
            client.select_folder("INBOX")
            steer(mail, "idle", mode="drop")
            client.idle()
            client.idle_check(timeout=5)
            client.idle_done()
        finally:
            client.shutdown()

    with pytest.raises((IMAPClientAbortError, OSError)):
        await asyncio.to_thread(be_dropped)


async def test_sign_in_is_refused_and_uids_change_on_order(mail):
    """A wrong password and an ordered refusal are both AUTHENTICATIONFAILED; a new UIDVALIDITY is seen by SELECT."""
    mail.post.mailboxes[ADDRESS].folders["INBOX"].add(message())
    before = mail.post.mailboxes[ADDRESS].folders["INBOX"].uidvalidity

    def refused(password: str) -> str:
        client = IMAPClient("127.0.0.1", mail.ports["imap"], ssl=False, timeout=5)
        try:
            client.login(ADDRESS, password)
        except LoginError as error:
            return str(error)
        finally:
            client.shutdown()
        return ""

    assert "AUTHENTICATIONFAILED" in await asyncio.to_thread(refused, "wrong")
    await asyncio.to_thread(steer, mail, "login", refuse="[UNAVAILABLE] later")
    assert "UNAVAILABLE" in await asyncio.to_thread(refused, PASSWORD)
    await asyncio.to_thread(steer, mail, "login", refuse="")
    await asyncio.to_thread(steer, mail, "uidvalidity", address=ADDRESS)

    def select() -> Any:
        with signed_in(mail) as client:
            return client.select_folder("INBOX")

    assert (await asyncio.to_thread(select))[b"UIDVALIDITY"] == before + 1


def send(mail: MailEmulator, to: list[str], *, password: str = PASSWORD) -> Any:
    with smtplib.SMTP("127.0.0.1", mail.ports["smtp"], timeout=5) as client:
        client.login(ADDRESS, password)
        return client.sendmail(ADDRESS, to, with_crlf(message(body=".hidden dot\nend\n")))


async def test_sent_mail_is_kept_with_its_bytes_and_reaches_accounts_here(mail):
    """AUTH, dot-stuffing and plus-addresses: the bytes come out as they went in, also in the recipient's inbox."""
    mail.post.add_account("ada@post.example", "other")

    assert await asyncio.to_thread(send, mail, ["ada+reply@post.example", "eve@post.example"]) == {}
    sent = (await asyncio.to_thread(ask, mail, "?sent_after=0&wait_s=5"))["sent"]

    (one,) = sent
    assert (one["from"], one["to"]) == (ADDRESS, ["ada+reply@post.example", "eve@post.example"])
    assert b"\r\n.hidden dot\r\nend\r\n" in base64.b64decode(one["raw"])
    inbox = mail.post.mailboxes["ada@post.example"].folders["INBOX"]
    assert [row.raw for row in inbox.mails] == [base64.b64decode(one["raw"])]


async def test_smtp_refuses_and_breaks_off_on_order(mail):
    """Planned answers come once, in order; ``cut`` keeps the message and ``lose`` does not."""
    with pytest.raises(smtplib.SMTPAuthenticationError):
        await asyncio.to_thread(send, mail, ["ada@post.example"], password="wrong")
    await asyncio.to_thread(steer, mail, "rcpt", answers=["550 5.1.1 No such user", "250 2.1.5 ok"])
    refused = await asyncio.to_thread(send, mail, ["eve@post.example", "ada@post.example"])
    assert list(refused) == ["eve@post.example"]
    await asyncio.to_thread(steer, mail, "data", answers=["452 4.3.1 later", "cut", "lose"])
    with pytest.raises(smtplib.SMTPDataError):
        await asyncio.to_thread(send, mail, ["ada@post.example"])
    for _ in range(2):
        with pytest.raises((smtplib.SMTPServerDisconnected, ConnectionError)):
            await asyncio.to_thread(send, mail, ["ada@post.example"])

    assert len(mail.post.sent) == 2


async def test_nobody_else_can_reach_it(mail):
    """It listens on loopback alone, and no mail leaves without a sign-in."""
    for port in mail.ports.values():
        with socket.create_connection(("127.0.0.1", port), timeout=5) as probe:
            assert probe.getsockname()[0] == "127.0.0.1"

    def send_unsigned() -> int:
        with smtplib.SMTP("127.0.0.1", mail.ports["smtp"], timeout=5) as client:
            client.ehlo()
            return client.mail(ADDRESS)[0]

    assert await asyncio.to_thread(send_unsigned) == 530
