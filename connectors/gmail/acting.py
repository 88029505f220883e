"""Marks mails as read, asks whether the sign-in is good, and tries the mailbox without writing to anybody."""

from __future__ import annotations

import base64

import msgspec

from connectors.base import Account, Act, Checked
from connectors.gmail.api import ME, Gmail
from connectors.gmail.errors import NOT_FOUND, failure, harmless, is_code
from connectors.gmail.mails import Row, find
from connectors.gmail.signin import who
from hub.errors import ConnectorError, ErrorClass


class _Draft(msgspec.Struct, frozen=True):
    id: str


async def act(account: Account, wanted: Act) -> None:
    """
    Mark a mail as read in the mailbox; one that is gone needs no mark.

    Raises:
        ConnectorError: Gmail refuses, or ``UNSUPPORTED`` for anything else than reading.
    """
    if wanted.kind != "mark_read":
        raise failure(ErrorClass.UNSUPPORTED, "act", "Gmail cannot do this to a mail.")
    gmail = Gmail(account)
    found = await find(gmail, wanted.external_id)
    if found is None:
        return
    try:
        with harmless():
            body = {"removeLabelIds": ["UNREAD"]}
            await gmail.ask(lambda users: users.messages().modify(userId=ME, id=found.id, body=body), Row)
    except ConnectorError as error:
        if not is_code(error, NOT_FOUND):
            raise


async def check(account: Account) -> Checked:
    """
    Ask whose token it is and whether there is a mailbox to it.

    Raises:
        ConnectorError: ``AUTH``, or ``ACCOUNT`` where there is no mailbox.
    """
    return Checked(external_ref=(await who(Gmail(account))).email_address.lower())


async def test(account: Account) -> str:
    """Write a draft and remove it: what sending needs, with nothing sent."""
    gmail = Gmail(account)
    mail = b"Subject: Test\r\nContent-Type: text/plain\r\n\r\nA test; it is removed at once.\r\n"
    body = {"message": {"raw": base64.urlsafe_b64encode(mail).decode()}}
    with harmless():
        made = await gmail.ask(lambda users: users.drafts().create(userId=ME, body=body), _Draft)
        await gmail.ask(lambda users: users.drafts().delete(userId=ME, id=made.id), dict[str, object])
    return "Gmail took a draft from us and removed it again. Nothing was sent."
