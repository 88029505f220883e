"""Makers of mails for tests, as a mail connector's ``parse`` gives them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub import clock
from hub.envelope import Direction, Identity, InboundItem, ItemKind, ThreadHints
from hub.inbox.batch import ReceivedItem
from hub.subjects import normalise_subject

if TYPE_CHECKING:
    from hub.db import Database
    from tests.factories import WorkspaceFacts

OURS = "support@northwind.example"
EPOCH = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)


class Mailbox(msgspec.Struct, frozen=True):
    """A connected mailbox of a workspace."""

    workspace_id: int
    id: UUID

    def received(self, item: InboundItem) -> ReceivedItem:
        return ReceivedItem(workspace_id=self.workspace_id, channel_account_id=self.id, channel="imap_smtp", item=item)


async def make_mailbox(database: Database, workspace: WorkspaceFacts, address: str = OURS) -> Mailbox:
    """Connect a mailbox to the workspace's first inbox."""
    mailbox = Mailbox(workspace.id, clock.new_id())
    async with database.transaction([workspace.id]) as conn:
        await conn.execute(
            "INSERT INTO channel_account (workspace_id, id, inbox_id, channel, name, status, settings, created_at)"
            " VALUES ($1, $2, $3, 'imap_smtp', 'Support', 'connected', jsonb_build_object('address', $4::text), $5)",
            workspace.id,
            mailbox.id,
            workspace.inbox_id,
            address,
            clock.now(),
        )
    return mailbox


def person(address: str, name: str | None = None) -> Identity:
    return Identity(scheme="email", value=address, display_name=name)


def make_mail(number: int | str, sender: str, **overrides: object) -> InboundItem:
    """
    Make a mail ``<number@mail>`` from an address, as it is parsed.

    Args:
        number: Its Message-ID is ``{number}@mail``.
        sender: Address; for echoes the first recipient.
        overrides: ``answers`` (numbers, newest first), ``proved`` (conversation ids), and fields of the item.
    """
    answers = tuple(f"{one}@mail" for one in overrides.pop("answers", ()))  # type: ignore[attr-defined]
    proved = tuple(str(one) for one in overrides.pop("proved", ()))  # type: ignore[attr-defined]
    subject = str(overrides.get("subject", "Re: Broken lamp" if answers else "Broken lamp"))
    key, is_answer = normalise_subject(subject)
    fields: dict[str, object] = {
        "kind": ItemKind.MESSAGE,
        "key": f"{number}@mail",
        "external_id": f"{number}@mail",
        "occurred_at": EPOCH + timedelta(minutes=number if isinstance(number, int) else 0),
        "direction": Direction.INBOUND,
        "sender": person(sender),
        "subject": subject,
        "text": f"Mail {number}",
        "to": (person(OURS),),
        "thread": ThreadHints(
            root=f"root-{number}", conversation_ids=proved, references=answers, subject=key if is_answer else ""
        ),
    }
    return InboundItem(**(fields | overrides))  # type: ignore[arg-type]  # tests give any field by name
