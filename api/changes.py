"""What members do to messages that were written: edit, delete, react; and what a message said before."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from api.call import required
from api.conversations import check_length, visible
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.audit import actions as audit
from hub.errors import Forbidden, NotFound
from hub.inbox import acts, change_store, store
from hub.inbox.acts import Allowed, Changed, Doer, Place
from hub.inbox.change_store import Version
from hub.inbox.model import Message, MessageKind

if TYPE_CHECKING:
    from api.call import MemberCall
    from connectors.base import Capabilities
    from hub.db import TenantConn
    from hub.inbox.rows import ConversationRow


class EditRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    text: str


class ChangeView(msgspec.Struct, frozen=True):
    """The message as it is now; a ``change`` that waits is done once the vendor agreed."""

    message: Message
    seq: int


class VersionsView(msgspec.Struct, frozen=True):
    """What a message said before, the oldest first."""

    versions: list[Version]


async def edit(call: MemberCall) -> ChangeView:
    """Let a message or note say something else."""
    wanted = await call.decode(EditRequest)
    place = _place(call)
    async with call.resources.database.transaction([place.workspace_id]) as conn:
        row, capabilities = await _open(conn, call)
        message = await store.get_message(conn, place.workspace_id, place.message_id)
        if message.kind is not MessageKind.NOTE:
            check_length(capabilities, wanted.text)
        doer = _doer(call, row)
        changed = await acts.edit_message(conn, place, wanted.text, doer, _allowed(capabilities))
        if message.author_id != doer.id:
            await _record(conn, call, "message.edited", place)
    return _view(changed)


async def remove(call: MemberCall) -> ChangeView:
    """Take a message or note back."""
    place = _place(call)
    async with call.resources.database.transaction([place.workspace_id]) as conn:
        row, capabilities = await _open(conn, call)
        changed = await acts.delete_message(conn, place, _doer(call, row), _allowed(capabilities))
        await _record(conn, call, "message.deleted", place)
    return _view(changed)


async def react(call: MemberCall) -> ChangeView:
    """React to a message."""
    return await _set_reaction(call, removed=False)


async def unreact(call: MemberCall) -> ChangeView:
    """Take a reaction back."""
    return await _set_reaction(call, removed=True)


async def dismiss(call: MemberCall) -> ChangeView:
    """Forget a change that failed, or call off one that was not begun."""
    place = _place(call)
    async with call.resources.database.transaction([place.workspace_id]) as conn:
        await visible(conn, call.actor, place.conversation_id, Permission.INBOX_REPLY)
        changed = await acts.dismiss_change(conn, place)
    return _view(changed)


async def read_versions(call: MemberCall) -> VersionsView:
    """Return what a message said before it was edited."""
    place = _place(call)
    async with call.resources.database.snapshot([place.workspace_id]) as conn:
        await visible(conn, call.actor, place.conversation_id, Permission.INBOX_READ)
        message = await store.get_message(conn, place.workspace_id, place.message_id)
        if message.conversation_id != place.conversation_id:
            raise NotFound("message")
        return VersionsView(await change_store.list_versions(conn, place.workspace_id, place.message_id))


async def _set_reaction(call: MemberCall, *, removed: bool) -> ChangeView:
    place, emoji = _place(call), call.path["emoji"]
    async with call.resources.database.transaction([place.workspace_id]) as conn:
        row, capabilities = await _open(conn, call)
        doer = _doer(call, row)
        changed = await acts.set_reaction(conn, place, emoji, doer, _allowed(capabilities), removed=removed)
    return _view(changed)


async def _open(conn: TenantConn, call: MemberCall) -> tuple[ConversationRow, Capabilities]:
    row = await visible(conn, call.actor, call.path_id("conversation_id"), Permission.INBOX_REPLY)
    return row, required(call.resources.registry, "channels").get(row.channel).manifest.capabilities


def _place(call: MemberCall) -> Place:
    return Place(call.actor.workspace_id, call.path_id("conversation_id"), call.path_id("message_id"))


def _doer(call: MemberCall, row: ConversationRow) -> Doer:
    try:
        policy.require(call.actor, Permission.INBOXES_MANAGE, row.inbox_id, kind="conversation")
    except (Forbidden, NotFound):
        return Doer(id=call.actor.member_id)
    return Doer(id=call.actor.member_id, is_moderator=True)


def _allowed(capabilities: Capabilities) -> Allowed:
    return Allowed(
        edit=capabilities.edit,
        edit_within_s=capabilities.edit_within_s,
        delete=capabilities.delete,
        delete_within_s=capabilities.delete_within_s,
        react=capabilities.react,
    )


async def _record(conn: TenantConn, call: MemberCall, action: str, place: Place) -> None:
    details = {"conversation_id": str(place.conversation_id)}
    await audit.record(
        conn, audit.made_by(call.caller, place.workspace_id, action, ("message", place.message_id), details)
    )


def _view(changed: Changed) -> ChangeView:
    return ChangeView(message=changed.message.view(), seq=changed.message.version)
