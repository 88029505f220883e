"""Whom a member's mail goes to: what an answer starts with, what they may make of it, and who takes part afterwards."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from hub import clock
from hub.contacts.model import Contact, ContactChanged, ContactIdentity, LifecycleStage
from hub.envelope import Addressing, Identity, Party, clean_text
from hub.errors import InvalidInput
from hub.events import store as events
from hub.events.model import NewEvent
from hub.inbox import mail_store
from hub.inbox.mail import (
    HEADERS_LIMIT_BYTES,
    NAME_LIMIT_CHARS,
    PARTIES_LIMIT,
    SUBJECT_LIMIT_CHARS,
    fit_headers,
    reply_subject,
)
from hub.inbox.model import MessageHeaders
from hub.inbox.people import PARTICIPANTS_PER_CONVERSATION
from hub.inbox.plan import encoder

if TYPE_CHECKING:
    from hub.db import TenantConn
    from hub.inbox.rows import ConversationRow, MessageRow

# An addr-spec without quoting, comments or control characters; the vendor has the last word.
_ADDRESS = re.compile(r"[^\s@<>\"(),:;\\\x00-\x20\x7f]{1,64}@[^\s@<>\"(),:;\\_\x00-\x20\x7f]{1,250}")


async def read_defaults(conn: TenantConn, row: ConversationRow) -> MessageHeaders:
    """Return what an answer starts with: the subject, and everybody in the newest mail from a contact."""
    own = await mail_store.own_addresses(conn, row.workspace_id)
    return make_defaults(row, await mail_store.newest_mail(conn, row), own)


async def choose_headers(conn: TenantConn, row: ConversationRow, chosen: Addressing) -> MessageHeaders:
    """
    Complete what a member chose.

    Args:
        conn: A transaction of the workspace.
        row: The conversation.
        chosen: Subject and people. Where ``to`` names somebody the people are exactly those given; where it names
            nobody they are those an answer starts with, ``cc`` too unless it is given.

    Raises:
        InvalidInput: As ``check_headers``.
    """
    defaults = await read_defaults(conn, row)
    return check_headers(
        MessageHeaders(
            subject=defaults.subject if chosen.subject is None else chosen.subject,
            to=chosen.to or defaults.to,
            cc=chosen.cc if chosen.to or chosen.cc else defaults.cc,
            bcc=chosen.bcc,
        )
    )


def make_defaults(row: ConversationRow, answered: MessageRow | None, own: set[str]) -> MessageHeaders:
    """
    Decide what an answer starts with.

    Args:
        row: The conversation.
        answered: The newest mail from a contact, else our newest, else None.
        own: The workspace's own addresses, lower case.

    Returns:
        The latest subject with one ``Re:``; to whoever wrote (again to the same people, where we did); a copy to
        everybody else the mail named, but us.
    """
    headers = answered.headers if answered else None
    subject = reply_subject(row.subject)
    contact = Party(name="", address=row.identity_value)
    if answered is None or headers is None:
        return MessageHeaders(subject=subject, to=(contact,))
    if answered.direction == "outbound":
        to = _others(headers.to, own, set()) or (contact,)
        return MessageHeaders(subject=subject, to=to, cc=_others(headers.cc, own, {one.address for one in to}))
    author = headers.sender or contact
    rest = _others((*headers.to, *headers.cc), own, {author.address})
    return fit_headers(MessageHeaders(subject=subject, to=(author,), cc=rest))


def check_headers(headers: MessageHeaders) -> MessageHeaders:
    """
    Check what a member wants to send.

    Args:
        headers: Subject and people, as given.

    Returns:
        The same in one form: one-line subject, addresses in lower case, nobody twice.

    Raises:
        InvalidInput: ``field`` says what: a subject over 300 characters, no address of mail, nobody in ``to``, more
            than 50 people.
    """
    subject = " ".join(clean_text(headers.subject).split())
    if len(subject) > SUBJECT_LIMIT_CHARS:
        raise InvalidInput("subject", f"At most {SUBJECT_LIMIT_CHARS} characters, this has {len(subject)}.")
    taken: set[str] = set()
    to, cc, bcc = (_check_parties(name, getattr(headers, name), taken) for name in ("to", "cc", "bcc"))
    if not to:
        raise InvalidInput("to", "Name at least one recipient.")
    if len(taken) > PARTIES_LIMIT:
        raise InvalidInput("cc", f"A message goes to at most {PARTIES_LIMIT} people, this names {len(taken)}.")
    checked = MessageHeaders(subject=subject, to=to, cc=cc, bcc=bcc)
    if len(encoder.encode(checked)) > HEADERS_LIMIT_BYTES:
        raise InvalidInput("cc", "These names are too long for one message. Leave some out.")
    return checked


async def add_people(conn: TenantConn, heads: dict[int, int], row: ConversationRow, headers: MessageHeaders) -> None:
    """
    Let everybody a message goes to take part: their answers then join the conversation. New ones become contacts.

    Args:
        conn: The transaction that holds the workspace's lock.
        heads: Newest seqs; moved on.
        row: The conversation.
        headers: Of the message.
    """
    own = await mail_store.own_addresses(conn, row.workspace_id)
    parties = _others((*headers.to, *headers.cc, *headers.bcc), own, set())
    known = await mail_store.find_contacts(conn, row, [one.address for one in parties])
    for party in parties:
        if party.address not in known:
            known[party.address] = (await _make_contact(conn, heads, row, party)).id
    added = [one for one in dict.fromkeys(known.values()) if one != row.contact_id]
    if added:
        await mail_store.add_participants(conn, row, added, PARTICIPANTS_PER_CONVERSATION, clock.now())


async def _make_contact(conn: TenantConn, heads: dict[int, int], row: ConversationRow, party: Party) -> Contact:
    now = clock.now()
    contact = Contact(
        id=clock.new_id(),
        name=party.name,
        lifecycle_stage=LifecycleStage.VISITOR,
        identities=(ContactIdentity(row.identity_scheme, party.address, row.identity_scope),),
        created_at=now,
        version=heads[row.workspace_id] + 1,
    )
    identity = Identity(scheme=row.identity_scheme, value=party.address, scope=row.identity_scope)
    await mail_store.make_contact(conn, row.workspace_id, contact, identity)
    event = NewEvent(
        workspace_id=row.workspace_id,
        type="contact_changed",
        data=encoder.encode(ContactChanged(contact)),
        occurred_at=now,
        contact_id=contact.id,
    )
    await events.append(conn, heads, [event])
    return contact


def _check_parties(field: str, parties: tuple[Party, ...], taken: set[str]) -> tuple[Party, ...]:
    checked: list[Party] = []
    for one in parties[: PARTIES_LIMIT + 1]:
        address = clean_text(one.address).strip().lower()
        if not _ADDRESS.fullmatch(address):
            raise InvalidInput(field, "That is not a mail address.")
        name = " ".join(clean_text(one.name).split())[:NAME_LIMIT_CHARS]
        if address not in taken:
            taken.add(address)
            checked.append(msgspec.structs.replace(one, name=name, address=address))
    return tuple(checked)


def _others(parties: tuple[Party, ...], own: set[str], but: set[str]) -> tuple[Party, ...]:
    """Return each once, without ourselves (also under a plus tag) and those named already."""
    found: dict[str, Party] = {}
    for one in parties:
        local, at, domain = one.address.rpartition("@")
        plain = f"{local.split('+')[0]}{at}{domain}"
        if one.address not in but and own.isdisjoint((one.address.lower(), plain.lower())):
            found.setdefault(one.address, one)
    return tuple(found.values())
