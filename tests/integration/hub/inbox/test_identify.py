"""A visitor who proves who they are: one contact, one conversation, told by one event; otherwise nothing changes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec
import pytest

from hub import clock
from hub.channels.visitors import VisitorClaims
from hub.envelope import InboundItem, ItemKind
from hub.inbox import actions, store
from hub.inbox.batch import ReceivedItem
from hub.inbox.identify import Recognised, recognise_visitor
from tests import factories
from tests.verify_action import verify_action

if TYPE_CHECKING:
    from hub.db import Database

pytestmark = pytest.mark.postgres


def make_claims(workspace: factories.WorkspaceFacts, user_id: str | None = None) -> VisitorClaims:
    return VisitorClaims(
        workspace_id=workspace.id,
        channel_account_id=workspace.livechat_id,
        visitor_id=clock.new_id(),
        expires_at_s=0,
        external_user_id=user_id,
    )


def recognised(visitor: VisitorClaims, user_id: str) -> Recognised:
    user = msgspec.structs.replace(visitor, external_user_id=user_id)
    return Recognised(
        workspace_id=visitor.workspace_id,
        channel_account_id=visitor.channel_account_id,
        visitor=visitor.identity(),
        user=user.identity(),
        visitor_thread=visitor.thread_key(),
        user_thread=user.thread_key(),
    )


async def write(database: Database, claims: VisitorClaims) -> None:
    item = InboundItem(
        kind=ItemKind.MESSAGE,
        key=str(clock.new_id()),
        occurred_at=clock.now(),
        thread_key=claims.thread_key(),
        sender=claims.sender(),
        text="Hello",
    )
    received = ReceivedItem(
        workspace_id=claims.workspace_id, channel_account_id=claims.channel_account_id, channel="livechat", item=item
    )
    async with database.transaction([claims.workspace_id]) as conn:
        await actions.receive(conn, [received])


async def recognise(database: Database, visitor: VisitorClaims, user_id: str) -> bool:
    async with database.transaction([visitor.workspace_id]) as conn:
        return await recognise_visitor(conn, recognised(visitor, user_id))


async def test_recognising_moves_the_thread_and_tells_the_contact(
    database: Database, workspace: factories.WorkspaceFacts
):
    """The conversation is found under the user only, its replies go to the user, and the events equal the state."""
    visitor = make_claims(workspace)
    await write(database, visitor)
    async with verify_action(database, workspace.actor(), events_expected=1):
        assert await recognise(database, visitor, "ann")
    who = recognised(visitor, "ann")
    async with database.snapshot([workspace.id]) as conn:
        assert await store.find_thread(conn, workspace.id, workspace.livechat_id, who.visitor_thread) is None
        row = await store.find_thread(conn, workspace.id, workspace.livechat_id, who.user_thread)
    assert row is not None
    assert (row.identity_scheme, row.identity_value) == ("external", "ann")


async def test_recognising_somebody_silent_writes_nothing(database: Database, workspace: factories.WorkspaceFacts):
    """A visitor who wrote nothing needs no contact: their first message will make it."""
    async with verify_action(database, workspace.actor(), events_expected=0):
        assert await recognise(database, make_claims(workspace), "ann")


async def test_recognising_never_merges(database: Database, workspace: factories.WorkspaceFacts):
    """A user with a contact keeps it, and a visitor who is a user already does not become a second one."""
    ann, visitor, second = make_claims(workspace, "ann"), make_claims(workspace), make_claims(workspace)
    for claims in (ann, visitor, second):
        await write(database, claims)
    async with verify_action(database, workspace.actor(), events_expected=0):
        assert not await recognise(database, visitor, "ann")
    assert await recognise(database, second, "bob")
    async with verify_action(database, workspace.actor(), events_expected=0):
        assert not await recognise(database, second, "eve")


async def test_recognising_stays_in_its_workspace(database: Database, workspace: factories.WorkspaceFacts):
    """The same user id in another workspace is somebody else."""
    other = await factories.make_workspace(database)
    await write(database, make_claims(other, "ann"))
    visitor = make_claims(workspace)
    await write(database, visitor)
    assert await recognise(database, visitor, "ann")
