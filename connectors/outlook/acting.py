"""Marks mails as read, asks whether the sign-in is good, and tries the mailbox without writing to anybody."""

from __future__ import annotations

import msgspec

from connectors.base import Account, Act, Checked
from connectors.outlook import draft as drafts
from connectors.outlook.draft import Draft
from connectors.outlook.errors import NOT_FOUND, failure, harmless, is_code
from connectors.outlook.graph import Graph, message_path
from connectors.outlook.signin import who
from hub.errors import ConnectorError, ErrorClass


class _Folder(msgspec.Struct, frozen=True):
    id: str


async def act(account: Account, wanted: Act) -> None:
    """
    Mark a mail as read in the mailbox; one that is gone needs no mark.

    Raises:
        ConnectorError: Graph refuses, or ``UNSUPPORTED`` for anything else than reading.
    """
    if wanted.kind != "mark_read":
        raise failure(ErrorClass.UNSUPPORTED, "act", "Outlook cannot do this to a mail.")
    graph = Graph(account)
    with harmless():
        found = await drafts.find_by_internet_id(graph, wanted.external_id)
        if found is None:
            return
        try:
            await graph.patch(message_path(found.id), {"isRead": True})
        except ConnectorError as error:
            if not is_code(error, NOT_FOUND):
                raise


async def check(account: Account) -> Checked:
    """
    Ask whose token it is and whether there is a mailbox to it.

    Raises:
        ConnectorError: ``AUTH``, or ``ACCOUNT`` where there is no mailbox.
    """
    graph = Graph(account)
    with harmless():
        me = await who(graph)
        await graph.get("/me/mailFolders/inbox?$select=id", _Folder)
    return Checked(external_ref=me.id)


async def test(account: Account) -> str:
    """Write a draft and remove it: what sending needs, with nothing sent."""
    graph = Graph(account)
    with harmless():
        body = {"subject": "Test", "body": {"contentType": "text", "content": "A test; it is removed at once."}}
        made = await graph.post("/me/messages", body, Draft)
        await graph.delete(message_path(made.id))
    return f"A draft was written in the mailbox of {account.settings.get('address', 'this account')} and removed again."
