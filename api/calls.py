"""Calls that members make to contacts: their own telephone rings, and the vendor puts them through."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Literal
from uuid import UUID

import msgspec

from api.channel_accounts import connector_of
from api.conversations import visible
from api.softphones import open_connected
from connectors.base import CallOrder
from hub import clock
from hub.accounts import store as accounts
from hub.accounts.model import Permission
from hub.channels import actions as channels
from hub.envelope import Identity
from hub.errors import Conflict, ConnectorError, ConnectorErrorInfo, ErrorClass
from hub.inbox import placing
from hub.inbox.replies import Author
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import MemberCall
    from connectors.base import Account, Call, Connector
    from hub.accounts.model import Member
    from hub.inbox.rows import ConversationRow

_TIMES: Final = 20
_WINDOW_S: Final = 600


class CallRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """
    A member calls the contact.

    Attributes:
        client_call_id: The client's own id; the same one again rings nobody a second time.
        device: The caller's own telephone, which the vendor rings; or the one in the browser, which calls by itself.
    """

    client_call_id: UUID
    device: Literal["phone", "browser"] = "phone"


class CallAccepted(msgspec.Struct, frozen=True):
    """
    The call's row.

    Attributes:
        problem: Why it could not be made, in words; empty where the member's telephone is about to ring, and for a
            repeated call, whose row says how it stands.
        connect: For a call in the browser: what its telephone gives the vendor, good for two minutes; private.
    """

    message_id: UUID
    seq: int
    problem: str = ""
    connect: str = ""

    def __repr__(self) -> str:
        return f"CallAccepted(message_id={self.message_id})"


async def place(call: MemberCall) -> CallAccepted:
    """Call the contact of a conversation: the caller's own telephone rings first, or the one in their browser calls."""
    wanted = await call.decode(CallRequest)
    workspace_id, conversation_id = call.actor.workspace_id, call.path_id("conversation_id")
    async with call.resources.database.snapshot([workspace_id]) as conn:
        row = await visible(conn, call.actor, conversation_id, Permission.INBOX_REPLY)
        member = await accounts.get_member(conn, workspace_id, call.actor.member_id)
    connector = connector_of(call, row.channel)
    if not connector.manifest.capabilities.call or connector.render_call is None:
        raise Conflict("On this channel nobody can be called.")
    await call.resources.throttle.take((Allowance(f"call:{call.actor.member_id}", times=_TIMES, window_s=_WINDOW_S),))
    _, account = await open_connected(call, row.channel_account_id)
    order = _order(row, member, clock.new_id())
    rendered = connector.render_call(order, account) if wanted.device == "phone" else None
    if wanted.device == "browser":
        # Refused before anything is written, as what cannot be rendered is.
        _connect(connector, order, account)
    new = placing.NewCall(message_id=UUID(order.message_id), client_call_id=wanted.client_call_id)
    author = Author(id=member.id, name=member.name)
    async with call.resources.database.transaction([workspace_id]) as conn:
        sent, is_new = await placing.place_call(conn, workspace_id, conversation_id, author, new)
    if rendered is None:
        order = msgspec.structs.replace(order, message_id=str(sent.message_id))
        return CallAccepted(sent.message_id, sent.seq, connect=_connect(connector, order, account))
    if not is_new:
        return CallAccepted(sent.message_id, sent.seq)
    problem = await _ring(call, connector, account, rendered, row, sent.message_id)
    return CallAccepted(sent.message_id, sent.seq, problem)


def _connect(connector: Connector, order: CallOrder, account: Account) -> str:
    if connector.connect_softphone is None:
        raise Conflict("On this channel nobody can be called from the browser.")
    return connector.connect_softphone(order, account, clock.now())


def _order(row: ConversationRow, member: Member, message_id: UUID) -> CallOrder:
    return CallOrder(
        message_id=str(message_id),
        to=Identity(row.identity_scheme, row.identity_value, row.identity_scope),
        member_name=member.name,
        member_email=member.email,
    )


async def _ring(
    call: MemberCall, connector: Connector, account: Account, rendered: Call, row: ConversationRow, message_id: UUID
) -> str:
    """Ask the vendor once, outside any transaction; returns why it did not take the call, if it did not."""
    assert connector.call is not None
    database, workspace_id = call.resources.database, call.actor.workspace_id
    try:
        external_id = await connector.call(account, rendered)
    except Exception as error:  # edge: a vendor library may raise anything; classified
        info = error.info if isinstance(error, ConnectorError) else connector.classify(error)
        return await _note_failure(call, row, message_id, info)
    async with database.transaction([workspace_id]) as conn:
        await placing.name_call(conn, workspace_id, message_id, external_id)
    return ""


async def _note_failure(call: MemberCall, row: ConversationRow, message_id: UUID, info: ConnectorErrorInfo) -> str:
    if info.klass is ErrorClass.AMBIGUOUS:
        # The telephone may ring: what the vendor then says of the call finds its row, which stays as it is.
        return info.message
    workspace_id = call.actor.workspace_id
    async with call.resources.database.transaction([workspace_id]) as conn:
        await placing.fail_call(conn, workspace_id, message_id, info)
    if info.klass is ErrorClass.AUTH:
        async with call.resources.database.transaction([workspace_id]) as conn:
            await channels.mark_needs_sign_in(conn, workspace_id, row.channel_account_id, info.message)
    return info.message
