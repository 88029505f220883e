"""Mail as bytes, read by the parser and written by the composer, through the store: does a thread stay one?"""

from __future__ import annotations

from datetime import UTC, datetime
from email.message import EmailMessage
from functools import partial

import pytest

from connectors.mime.compose import compose_mail
from connectors.mime.model import MailContext, MailSettings
from connectors.mime.parse import parse_mail
from hub.envelope import Addressing
from hub.inbox import actions, recipients, store
from tests.mails import OURS, make_mailbox
from tests.outgoing import claim, mark_sent, queue_mail

pytestmark = pytest.mark.postgres

KEY = b"k" * 32
ANA, BOB, EVE = "ana@example.com", "bob@example.com", "eve@example.net"


class Correspondence:
    """A mailbox and those who write to it."""

    def __init__(self, database, workspace, mailbox) -> None:
        self.database, self.workspace, self.mailbox = database, workspace, mailbox
        self.number = 0

    async def write(self, sender: str, **headers: str):
        """Bring in a mail from somebody; returns what became of it and its Message-ID."""
        self.number += 1
        mail = EmailMessage()
        message_id = headers.pop("message_id", f"<m{self.number}@client.example>")
        body = headers.pop("body", f"Mail {self.number}")
        fields = {"From": sender, "To": OURS, "Subject": "Re: Lamp", "Message-ID": message_id} | headers
        for name, value in fields.items():
            mail[name.replace("_", "-")] = value
        mail["Date"] = f"Sun, 22 Nov 2026 12:{self.number:02d}:00 +0000"
        mail.set_content(body)
        return await self.receive(mail.as_bytes()), message_id

    async def receive(self, raw: bytes, *, trust_own_from: bool = False):
        context = MailContext(
            addresses=(OURS,),
            signing_key=KEY,
            workspace_id=self.workspace.id,
            account_id=str(self.mailbox.id),
            received_at=datetime(2026, 11, 22, 13, tzinfo=UTC),
            key="raw",
            trust_own_from=trust_own_from,
        )
        items = parse_mail(raw, context)
        async with self.database.transaction([self.workspace.id]) as conn:
            (outcome,) = await actions.receive(conn, [self.mailbox.received(one) for one in items])
        return outcome

    async def reply(self, conversation_id):
        """Answer everybody; returns the composed mail, and what records that SMTP took it."""
        async with self.database.transaction([self.workspace.id]) as conn:
            row = await store.get_conversation(conn, self.workspace.id, conversation_id)
            headers = await recipients.choose_headers(conn, row, Addressing())
        people = {name: [one.address for one in getattr(headers, name)] for name in ("to", "cc")}
        await queue_mail(self.database, self.workspace, conversation_id, subject=headers.subject, **people)
        claimed = await claim(self.database, self.workspace)
        settings = MailSettings(
            address=OURS,
            signing_key=KEY,
            workspace_id=self.workspace.id,
            account_id=str(self.mailbox.id),
            date=datetime(2026, 11, 22, 12, tzinfo=UTC),
            plus_addressing=True,
        )
        mail = compose_mail(claimed.outbound, (), settings)
        return mail, partial(mark_sent, self.database, self.workspace, claimed, mail.message_id)


@pytest.fixture
async def mails(database, workspace):
    return Correspondence(database, workspace, await make_mailbox(database, workspace))


@pytest.mark.parametrize("style", ["references", "in_reply_to_only", "subject_only", "marker_only"])
async def test_five_turns_stay_one_conversation(mails, style):
    """Whatever of the thread a customer's program keeps, five turns are one conversation; the copy in Sent adds none."""
    first, message_id = await mails.write(ANA, Subject="Lamp", Cc=BOB)
    references = message_id
    for turn in range(5):
        ours, record = await mails.reply(first.conversation_id)
        if turn % 2 == 0:
            await record()
        copy = await mails.receive(ours.content, trust_own_from=True)
        headers = {
            "references": {"In_Reply_To": f"<{ours.message_id}>", "References": f"{references} <{ours.message_id}>"},
            "in_reply_to_only": {"In_Reply_To": f"<{ours.message_id}>", "Subject": f"Turn {turn}"},
            "subject_only": {},
            "marker_only": {
                "Subject": "Hello",
                "body": "ok\n\n" + ours.content.decode().split("\r\n\r\n", 2)[2].replace("\r\n", "\n"),
            },
        }[style]
        answer, message_id = await mails.write((ANA, BOB)[turn % 2], **headers)
        references = f"{references} <{ours.message_id}> {message_id}"
        if turn % 2:
            await record()
        assert {copy.conversation_id, answer.conversation_id} == {first.conversation_id}, f"turn {turn}"

    async with mails.database.transaction([mails.workspace.id]) as conn:
        assert await conn.fetchval("SELECT count(*) FROM message") == 11


async def test_answer_that_overtakes_the_record_of_our_send_is_joined(mails):
    """Our Message-ID is signed: the answer finds the conversation before we know that the mail was sent."""
    first, _ = await mails.write(ANA, Subject="Lamp")
    ours, _ = await mails.reply(first.conversation_id)

    answer, _ = await mails.write(ANA, Subject="Thanks!", In_Reply_To=f"<{ours.message_id}>")

    assert answer.conversation_id == first.conversation_id


async def test_strangers_and_forgeries_are_not_joined(mails):
    """A known Message-ID, our own signed one, a stolen or a forged plus-address: none lets a stranger in."""
    first, message_id = await mails.write(ANA, Subject="Lamp")
    ours, record = await mails.reply(first.conversation_id)
    await record()
    reply_to = next(line for line in ours.content.decode().splitlines() if line.startswith("Reply-To")).split()[-1]
    forged = reply_to.strip("<>")
    at = forged.index("+") + 3
    forged = forged[:at] + ("b" if forged[at] == "a" else "a") + forged[at + 1 :]

    outcomes = [
        (await mails.write(EVE, In_Reply_To=message_id, References=message_id))[0],
        (await mails.write(EVE, In_Reply_To=f"<{ours.message_id}>"))[0],
        (await mails.write(EVE, To=reply_to))[0],
        (await mails.write(ANA, To=f"<{forged}>", Subject="Another matter"))[0],
    ]

    assert first.conversation_id not in {one.conversation_id for one in outcomes}
