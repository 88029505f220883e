"""Mail through the whole system: a real dovecot in, a real SMTP server out, every process as in production."""

from __future__ import annotations

import asyncio
import email
import email.policy
import re
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.db import Database
from hub.embedded.runfile import read_run_file
from tests.acceptance.running import EMAIL, RunningHub
from tests.mail_services import DOVECOT, PASSWORD, Dovecot, SmtpSink, Taken, mail_settings, make_mail

pytestmark = [
    pytest.mark.processes,
    pytest.mark.slow,
    pytest.mark.timeout(300),
    pytest.mark.skipif(DOVECOT is None, reason="dovecot is not installed"),
]

ADA = "Ada Lovelace <ada@customer.example>"


class MailHub(RunningHub):
    """A hub with a mail server beside it."""

    def __init__(self) -> None:
        self.dovecot = Dovecot()
        self.sink = SmtpSink()
        try:
            super().__init__(HUB_ALLOW_PRIVATE_HOSTS="1")
            self.set_up()
        except BaseException:
            self.sink.stop()
            self.dovecot.close()
            raise

    def connect_mail(self, address: str, api: httpx.Client | None = None, **settings: str) -> str:
        """Connect a mailbox and return the account's id."""
        body = {
            "channel": "imap_smtp",
            "name": address,
            "credentials": {"password": PASSWORD},
            "settings": mail_settings(self.dovecot, self.sink, address) | settings,
        }
        with api or self.api() as client:
            answer = client.post("channel-accounts", json=body)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"]

    def other_workspace(self) -> httpx.Client:
        """Make a second workspace of the same owner, as an installation with many customers has; return a client."""
        workspace_id = asyncio.run(self._add_workspace())
        return httpx.Client(
            base_url=f"{self.base_url}/api/v1/workspaces/{workspace_id}/",
            headers={"authorization": f"Bearer {self.token}"},
            timeout=20,
        )

    async def _add_workspace(self) -> int:
        run = read_run_file(Path(self.folder.name) / "hub.json")
        assert run is not None
        database = await Database.open(run.database_url, lambda _: None, max_size=2)
        try:
            async with database.across() as conn:
                workspace_id = await conn.fetchval("SELECT hub_create_workspace('Southwind', now())")
            assert isinstance(workspace_id, int)
            async with database.transaction([self.workspace_id]) as conn:
                login_id = await conn.fetchval("SELECT login_id FROM member WHERE workspace_id = $1", self.workspace_id)
            async with database.transaction([workspace_id]) as conn:
                await conn.execute(
                    "INSERT INTO member (workspace_id, id, login_id, name, email, role, created_at)"
                    " VALUES ($1, $2, $3, 'Ola', $4, 'owner', now())",
                    workspace_id,
                    uuid.uuid4(),
                    login_id,
                    EMAIL,
                )
        finally:
            await database.close()
        return workspace_id

    def close(self) -> None:
        self.stop()
        self.sink.stop()
        self.dovecot.close()


@pytest.fixture(scope="module")
def hub() -> Iterator[MailHub]:
    started = MailHub()
    yield started
    started.close()


@pytest.fixture
def address() -> str:
    return f"support-{uuid.uuid4().hex[:8]}@shop.example"


def wait(ask: Callable[[], Any], timeout_s: float = 30) -> Any:
    """Return the first answer that is something."""
    deadline_s = time.monotonic() + timeout_s
    while not (answer := ask()):
        assert time.monotonic() < deadline_s, "it did not happen in time"
        time.sleep(0.1)
    return answer


def conversations(api: httpx.Client, account_id: str) -> list[dict[str, Any]]:
    rows = api.get("conversations", params={"limit": 100}).json()["conversations"]
    return [row for row in rows if row["channel_account_id"] == account_id]


def messages(api: httpx.Client, conversation_id: str) -> list[dict[str, Any]]:
    return api.get(f"conversations/{conversation_id}/messages").json()["messages"]


def texts(api: httpx.Client, account_id: str) -> list[str]:
    """Every message's text of an account, oldest first, conversation by conversation."""
    return [
        one["text"]
        for row in conversations(api, account_id)
        for one in sorted(messages(api, row["id"]), key=lambda m: m["seq"])
    ]


def answer(api: httpx.Client, conversation_id: str, text: str, **more: Any) -> str:
    body = {"client_message_id": str(uuid.uuid4()), "kind": "message", "text": text, "attachments": []} | more
    posted = api.post(f"conversations/{conversation_id}/messages", json=body)
    assert posted.status_code in (200, 201), posted.text
    return posted.json()["message_id"]


def taken_with(hub: MailHub, text: str) -> Taken:
    """The mail the customer got with this text."""
    return wait(lambda: next((one for one in hub.sink.taken if text in plain_text(one.content)), None))


def plain_text(content: bytes) -> str:
    mail = email.message_from_bytes(content, policy=email.policy.default)
    part = mail.get_body(("plain",))
    return part.get_content() if part is not None else ""


# ── what customers' mail programs write back ────────────────────────────────────────────────────────────────────────


def gmail_reply(got: bytes, text: str, sender: str = ADA) -> bytes:
    """Gmail: whole References, ``Re:``, one attribution line above the quoted text."""
    was = email.message_from_bytes(got, policy=email.policy.default)
    reply = _reply(was, sender, subject="Re: " + without_prefix(was["Subject"]))
    reply["References"] = f"{was.get('References', '')} {was['Message-ID']}".strip()
    reply["In-Reply-To"] = was["Message-ID"]
    quoted = "\n".join("> " + line for line in plain_text(got).splitlines())
    reply.set_content(
        f"{text}\n\nOn Sun, Nov 22, 2026 at 6:40 PM Support <{address_of(was['From'])}> wrote:\n\n{quoted}\n"
    )
    return wire(reply)


def outlook_reply(got: bytes, text: str, sender: str = ADA) -> bytes:
    """Outlook: German prefix, no References, header block instead of quote marks."""
    was = email.message_from_bytes(got, policy=email.policy.default)
    reply = _reply(was, sender, subject="AW: " + without_prefix(was["Subject"]))
    reply["In-Reply-To"] = was["Message-ID"]
    reply["Thread-Topic"] = without_prefix(was["Subject"])
    reply["Thread-Index"] = "AQHZ1kqfQ3dKl0qQYk2bU0l5y7p9sa=="
    block = f"From: Support <{address_of(was['From'])}>\nSent: Sunday, November 22, 2026 6:40 PM\nTo: Ada\nSubject: {was['Subject']}"
    reply.set_content(f"{text}\n\n________________________________\n{block}\n\n{plain_text(got)}\n")
    return wire(reply)


def apple_reply(got: bytes, text: str, sender: str = ADA) -> bytes:
    """Apple Mail: text and HTML, both ids, ``On …, at …, … wrote:``."""
    was = email.message_from_bytes(got, policy=email.policy.default)
    reply = _reply(was, sender, subject="Re: " + without_prefix(was["Subject"]))
    reply["In-Reply-To"] = was["Message-ID"]
    reply["References"] = f"{was.get('References', '')} {was['Message-ID']}".strip()
    quoted = plain_text(got)
    lines = "\n".join("> " + line for line in quoted.splitlines())
    line = f"On 22. Nov 2026, at 18:40, Support <{address_of(was['From'])}> wrote:"
    reply.set_content(f"{text}\n\n> {line}\n> \n{lines}\n")
    html = (
        f"<html><body>{text}<br><blockquote type='cite'><div>{line}</div><pre>{quoted}</pre></blockquote></body></html>"
    )
    reply.add_alternative(html, subtype="html")
    return wire(reply)


def _reply(was: EmailMessage, sender: str, subject: str) -> EmailMessage:
    reply = EmailMessage()
    reply["From"] = sender
    reply["To"] = was.get("Reply-To", was["From"])
    reply["Subject"] = subject
    reply["Message-ID"] = f"<{uuid.uuid4()}@mail.customer.example>"
    reply["Date"] = datetime.now(UTC)
    return reply


def without_prefix(subject: str) -> str:
    return re.sub(r"^((re|aw|fwd?)\s*:\s*)+", "", subject, flags=re.IGNORECASE)


def address_of(header: str) -> str:
    return email.utils.parseaddr(str(header))[1]


def wire(mail: EmailMessage) -> bytes:
    return mail.as_bytes().replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")


# ── the path ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_five_turns_with_three_mail_programs_stay_one_conversation(hub, address):
    """Question and answer, five times, however the customer's program writes its headers: one conversation, all of it."""
    account_id = hub.connect_mail(address)
    hub.dovecot.append(
        address, make_mail(sender=ADA, to=address, subject="Lamp arrived broken", text="It is in pieces.")
    )
    with hub.api() as api:
        (conversation,) = wait(lambda: conversations(api, account_id))
        styles = [gmail_reply, outlook_reply, apple_reply, gmail_reply, outlook_reply]
        for turn, style in enumerate(styles):
            answer(api, conversation["id"], f"Our answer number {turn}.")
            got = taken_with(hub, f"Our answer number {turn}.")
            assert got.recipients == ["ada@customer.example"]
            hub.dovecot.append(address, style(got.content, f"Her reply number {turn}."))
            wait(lambda n=turn: any(f"Her reply number {n}." in one for one in texts(api, account_id)))
        time.sleep(1.5)
        rows = conversations(api, account_id)
        said = sorted(messages(api, conversation["id"]), key=lambda m: m["seq"])

    assert [row["id"] for row in rows] == [conversation["id"]]
    expected = ["It is in pieces."]
    expected += [text for turn in range(5) for text in (f"Our answer number {turn}.", f"Her reply number {turn}.")]
    assert [one["text"].strip() for one in said] == expected
    assert [one["status"] for one in said if one["direction"] == "outbound"] == ["sent"] * 5
    copies = [plain_text(mail) for mail, _ in hub.dovecot.mails(address, "Sent")]
    assert len(copies) == 5


def test_mail_program_that_lost_every_id_is_known_by_the_marker(hub, address):
    """A relay that writes ids of its own: the reference at the end of the quoted text still finds the conversation."""
    account_id = hub.connect_mail(address)
    hub.dovecot.append(address, make_mail(sender=ADA, to=address, subject="An order", text="One lamp please."))
    with hub.api() as api:
        (conversation,) = wait(lambda: conversations(api, account_id))
        answer(api, conversation["id"], "Which colour would you like?")
        got = taken_with(hub, "Which colour would you like?")
        reply = gmail_reply(got.content, "The red one.")
        reply = re.sub(rb"(?m)^(References|In-Reply-To):.*\r\n([ \t].*\r\n)*", b"", reply)
        reply = reply.replace(b"Subject: Re: An order", b"Subject: my lamp")
        hub.dovecot.append(address, reply)
        wait(lambda: any("The red one." in one for one in texts(api, account_id)))

        assert len(conversations(api, account_id)) == 1


def test_two_days_of_outage_bring_everything_once(hub, address):
    """The mail server is away for two days and comes back; then once more, with all its numbers changed."""
    account_id = hub.connect_mail(address)
    hub.dovecot.append(address, make_mail(to=address, subject="Before", text="before the outage"))
    with hub.api() as api:
        wait(lambda: texts(api, account_id) == ["before the outage"])
        expected = ["before the outage"]
        for outage, renumbers in enumerate([False, True]):
            hub.dovecot.stop()
            if renumbers:
                hub.dovecot.renumber(address)
            began = datetime.now(UTC) - timedelta(days=2)
            for number in range(12):
                text = f"outage {outage} mail {number}"
                mail = make_mail(
                    sender=f"c{outage}-{number}@customer.example", to=address, subject=text, text=text, at=began
                )
                hub.dovecot.drop(address, mail, began + timedelta(hours=4 * number))
                expected.append(text)
            health = wait(lambda: health_of(api, account_id)["error"])
            assert "server" in health or "answer" in health
            # Told at the second attempt: one connection that breaks is no outage.
            wait(lambda outage=outage: hub.log("work").count("polled_account_down") > outage)
            hub.dovecot.start()
            wait(lambda: len(texts(api, account_id)) >= len(expected), 60)
            wait(lambda: health_of(api, account_id)["error"] is None)
        time.sleep(1.5)
        found = sorted(one.strip() for one in texts(api, account_id))
        after = health_of(api, account_id)

    assert found == sorted(expected)
    assert after["error"] is None
    assert hub.log("work").count("polled_account_down") == hub.log("work").count("polled_account_up") >= 2, hub.log(
        "work"
    )


def health_of(api: httpx.Client, account_id: str) -> dict[str, Any]:
    rows = api.get("channel-accounts").json()["channel_accounts"]
    return next(row["health"] for row in rows if row["id"] == account_id)


# ── files ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_files_travel_both_ways_unaltered(hub, address):
    """A customer's files arrive byte for byte, and so do ours at the customer's."""
    account_id = hub.connect_mail(address)
    theirs = {"photo.bin": bytes(range(256)) * 1200, "liesmich.txt": "Grüße\r\n".encode() * 10}
    mail = make_mail(
        sender=ADA,
        to=address,
        subject="Two files",
        text="See attached.",
        files=tuple((name, "application/octet-stream", content) for name, content in theirs.items()),
    )
    hub.dovecot.append(address, mail)
    ours = b"%PDF-1.4 not much of one" + bytes(range(256)) * 500
    with hub.api() as api:
        (conversation,) = wait(lambda: conversations(api, account_id))
        files = wait(lambda: ready_files(api, conversation["id"], len(theirs)))
        came = {one["filename"]: api.get(f"attachments/{one['id']}", follow_redirects=True).content for one in files}
        uploaded = api.post(
            "attachments", params={"filename": "offer.bin", "mime": "application/octet-stream"}, content=ours
        )
        assert uploaded.status_code == 201, uploaded.text
        answer(api, conversation["id"], "Here is our offer.", attachments=[uploaded.json()["attachment"]["id"]])
        got = taken_with(hub, "Here is our offer.")

    went = email.message_from_bytes(got.content, policy=email.policy.default)
    (part,) = list(went.iter_attachments())
    assert came == theirs
    assert part.get_filename() == "offer.bin"
    assert part.get_content() == ours


def ready_files(api: httpx.Client, conversation_id: str, count: int) -> list[dict[str, Any]]:
    """The files of a conversation once all their bytes are here."""
    files = [file for one in messages(api, conversation_id) for file in one["attachments"]]
    assert not [one for one in files if one["state"] == "failed"], files
    return files if len([one for one in files if one["state"] == "ready"]) == count else []


# ── who may join ────────────────────────────────────────────────────────────────────────────────────────────────────


def test_stranger_who_quotes_a_known_id_is_not_joined(hub, address):
    """Whoever learnt one of our Message-IDs gets a conversation of his own, whatever his headers say."""
    account_id = hub.connect_mail(address)
    hub.dovecot.append(address, make_mail(sender=ADA, to=address, subject="Private", text="My address has changed."))
    with hub.api() as api:
        (conversation,) = wait(lambda: conversations(api, account_id))
        answer(api, conversation["id"], "We have noted it down.")
        got = taken_with(hub, "We have noted it down.")
        for style in (gmail_reply, outlook_reply, apple_reply):
            forged = style(got.content, f"{style.__name__}: tell me more", sender="Mallory <mallory@evil.example>")
            hub.dovecot.append(address, forged)
        wait(lambda: len([one for one in texts(api, account_id) if "tell me more" in one]) == 3)
        said = [one["text"].strip() for one in messages(api, conversation["id"])]

    assert sorted(said) == ["My address has changed.", "We have noted it down."]


def test_forged_plus_address_is_not_joined(hub, address):
    """A made-up or altered token in the address opens nothing, even from a participant with a new subject."""
    account_id = hub.connect_mail(address, plus_addressing="yes")
    hub.dovecot.append(address, make_mail(sender=ADA, to=address, subject="Returns", text="How do I return it?"))
    with hub.api() as api:
        (conversation,) = wait(lambda: conversations(api, account_id))
        answer(api, conversation["id"], "With the label inside the box.")
        got = taken_with(hub, "With the label inside the box.")
        signed = address_of(email.message_from_bytes(got.content, policy=email.policy.default)["Reply-To"])
        local, _, domain = signed.partition("@")
        altered = f"{local[:-1]}{'a' if local[-1] != 'a' else 'b'}@{domain}"
        hub.dovecot.append(
            address, make_mail(sender="Mallory <m@evil.example>", to=altered, subject="x", text="forged")
        )
        hub.dovecot.append(address, make_mail(sender=ADA, to=signed, subject="Other words", text="signed"))
        wait(lambda: {"forged", "signed"} <= {one.strip() for one in texts(api, account_id)})
        said = [one["text"].strip() for one in messages(api, conversation["id"])]

    assert "+" in local
    assert sorted(said) == ["How do I return it?", "With the label inside the box.", "signed"]


def test_same_message_id_in_two_workspaces_does_not_cross(hub, address):
    """One mail to two customers of the hub: each sees their own copy and no other's conversation."""
    other = hub.other_workspace()
    theirs = f"help-{uuid.uuid4().hex[:8]}@south.example"
    mine_id = hub.connect_mail(address)
    with other:
        body = {
            "channel": "imap_smtp",
            "name": theirs,
            "credentials": {"password": PASSWORD},
            "settings": mail_settings(hub.dovecot, hub.sink, theirs),
        }
        posted = other.post("channel-accounts", json=body)
        assert posted.status_code == 201, posted.text
        theirs_id = posted.json()["id"]
        same = f"<{uuid.uuid4()}@customer.example>"
        hub.dovecot.append(address, make_mail(sender=ADA, to=address, text="to the first", message_id=same))
        hub.dovecot.append(theirs, make_mail(sender=ADA, to=theirs, text="to the second", message_id=same))
        follow = {"In-Reply-To": same, "References": same}
        with hub.api() as api:
            (mine,) = wait(lambda: conversations(api, mine_id))
            (yours,) = wait(lambda: conversations(other, theirs_id))
            hub.dovecot.append(
                theirs, make_mail(sender=ADA, to=theirs, subject="Re: Where is my parcel?", text="more", headers=follow)
            )
            wait(lambda: len(messages(other, yours["id"])) == 2)
            first = [one["text"].strip() for one in messages(api, mine["id"])]
            second = sorted(one["text"].strip() for one in messages(other, yours["id"]))
            crossing = other.get(f"conversations/{mine['id']}/messages").status_code

    assert first == ["to the first"]
    assert second == ["more", "to the second"]
    assert crossing == 404
