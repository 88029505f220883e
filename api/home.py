"""What needs a member's attention in a workspace, on one page, over HTTP."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.home import store
from hub.home.model import Beginnings, ChannelRow, FailedRow, Sight, WaitingRow

if TYPE_CHECKING:
    from api.call import MemberCall

# "Today" without asking for the time zone: what comes back within a working day.
_SOON: Final = timedelta(hours=12)


class HomeView(msgspec.Struct, frozen=True, kw_only=True):
    """
    Everything of the home page, read at one moment, only of inboxes the caller sees.

    Attributes:
        waiting, mine_waiting, unassigned: Open conversations: where the contact wrote last, those of the caller, those
            of nobody.
        is_partial: Only the 2,000 that were silent longest were counted: each number is "at least".
        longest: Where the contact waits longest, five at most.
        snoozed_due: The caller's own that come back within twelve hours.
        failed: Where what was sent last did not go out, newest first, five at most; ``failed_amount`` counts all.
        channels: Accounts that must be connected again, or are paused.
        unreadable: Raw items that could not be stored, at most 1,000; null for who may not manage channels.
        invited: Open invitations; null for who may not manage members.
        beginnings: What a new workspace has done; null for who may do none of it.
    """

    waiting: int
    mine_waiting: int
    unassigned: int
    is_partial: bool
    longest: list[WaitingRow]
    snoozed_due: int
    failed: list[FailedRow]
    failed_amount: int
    channels: list[ChannelRow]
    unreadable: int | None
    invited: int | None
    beginnings: Beginnings | None


async def read(call: MemberCall) -> HomeView:
    """Say what needs the caller's attention."""
    actor, now = call.actor, clock.now()
    sight = Sight(
        workspace_id=actor.workspace_id,
        member_id=actor.member_id,
        visible_inboxes=actor.visible_inboxes,
        manages_channels=policy.may(actor, Permission.CHANNELS_MANAGE),
        manages_members=policy.may(actor, Permission.MEMBERS_MANAGE),
    )
    begins = sight.manages_channels and sight.manages_members
    async with call.resources.database.snapshot([actor.workspace_id]) as conn:
        counts = await store.open_counts(conn, sight)
        failed, failed_amount = await store.failed_sends(conn, sight)
        return HomeView(
            waiting=counts.waiting,
            mine_waiting=counts.mine_waiting,
            unassigned=counts.unassigned,
            is_partial=counts.is_partial,
            longest=await store.longest_waiting(conn, sight),
            snoozed_due=await store.count_snoozed_due(conn, sight, now + _SOON),
            failed=failed,
            failed_amount=failed_amount,
            channels=await store.idle_channels(conn, sight),
            unreadable=await store.count_unreadable(conn, actor.workspace_id) if sight.manages_channels else None,
            invited=await store.count_invited(conn, actor.workspace_id, now) if sight.manages_members else None,
            beginnings=await store.beginnings(conn, actor.workspace_id) if begins else None,
        )
