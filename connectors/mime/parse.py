"""
A mail's bytes to items of the envelope: message, receipts or a complaint. Pure and total.

Mail connectors call it from ``parse``; ``read_part`` gives them the bytes of an attachment later.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime, timedelta

from connectors.mime.addresses import is_own, read_addresses
from connectors.mime.automatic import is_automatic
from connectors.mime.bodies import read_body
from connectors.mime.bounces import read_bounce
from connectors.mime.headers import Headers, decode_words, one_line, read_date, read_ids
from connectors.mime.model import MAIL_LIMIT_BYTES, NAME_LIMIT_CHARS, SUBJECT_LIMIT_CHARS, Body, MailContext
from connectors.mime.quoting import split_quoted
from connectors.mime.receipts import report_items
from connectors.mime.reports import read_report
from connectors.mime.smime import signed_content
from connectors.mime.structure import Part, decode_part, read_structure, with_line_feeds
from connectors.mime.threads import read_hints
from connectors.mime.tnef import read_tnef
from connectors.mime.tokens import TokenKey, without_token
from hub.envelope import Direction, Identity, InboundItem, ItemKind
from hub.errors import MalformedPayload, NotFound, UnsupportedPayload
from hub.subjects import is_forward

_EARLIEST = datetime(1990, 1, 1, tzinfo=UTC)
_LATEST_AHEAD = timedelta(days=1)


def parse_mail(raw: bytes, context: MailContext) -> list[InboundItem]:
    """
    Read one mail.

    Args:
        raw: RFC 5322 as fetched, up to 64 MiB, however broken. Memory taken stays below four times its length.
        context: The mailbox and when the mail came.

    Returns:
        One message; or, for a bounce or a read receipt, one receipt per recipient; or, for a complaint, one consent.

    Raises:
        MalformedPayload: Nothing of a mail is in the bytes.
        UnsupportedPayload: Longer than 64 MiB, or a report that asks for nothing.
    """
    if len(raw) > MAIL_LIMIT_BYTES:
        raise UnsupportedPayload("a mail longer than 64 MiB")
    raw = with_line_feeds(raw)
    root = read_structure(raw)
    if not root.headers:
        raise MalformedPayload("no header field: not a mail")
    key = mail_key(raw, root)
    moment = _moment(root.headers, context)
    report = read_report(raw, root) or read_bounce(raw, root, context.addresses)
    if report is not None and (items := report_items(report, context, key, moment)):
        return items
    return [_message(raw, root, context, key, moment)]


def read_part(raw: bytes, ref: str) -> bytes:
    """
    Return the decoded bytes of an attachment.

    Args:
        raw: The mail, the same bytes ``parse_mail`` read.
        ref: ``AttachmentRef.ref`` it gave.

    Raises:
        NotFound: There is no such part.
    """
    raw = with_line_feeds(raw)
    outer, _, signed = ref.partition("/smime:")
    if signed:
        return read_part(_signed(raw, outer), signed)
    path, _, inner = ref.partition("/tnef:")
    content = _leaf(raw, path)
    if not inner:
        return content
    files = read_tnef(content)
    if not (inner.isascii() and inner.isdigit() and len(inner) < 4 and int(inner) < len(files)):
        raise NotFound("attachment")
    return bytes(files[int(inner)].content)


def _signed(raw: bytes, path: str) -> bytes:
    content = signed_content(_leaf(raw, path))
    if content is None:
        raise NotFound("attachment")
    return content


def _leaf(raw: bytes, path: str) -> bytes:
    part = next((one for one in read_structure(raw).walk() if one.path == path and not one.children), None)
    if part is None:
        raise NotFound("attachment")
    return decode_part(raw, part)


def mail_key(raw: bytes, root: Part) -> str:
    """
    Return what tells a mail from others: its Message-ID, or a hash of what it says where that is missing or broken.

    Returns:
        At most 260 characters, the same whenever the same mail is fetched.
    """
    if own_id := message_id(root.headers):
        return own_id
    digest = hashlib.sha256()
    for name in ("date", "from", "to", "subject"):
        digest.update(root.headers.raw(name).encode("utf-8", "replace") + b"\x00")
    digest.update(raw[root.start : min(root.end, root.start + 1024)])
    return f"sha256:{digest.hexdigest()}"


def message_id(headers: Headers) -> str:
    """Return a usable Message-ID without its brackets; ``""`` where it is missing, has no ``@`` or is too long."""
    ids = read_ids(headers.raw("message-id"))
    return ids[0] if len(ids) == 1 and "@" in ids[0].strip("@") else ""


def _message(raw: bytes, root: Part, context: MailContext, key: str, moment: datetime) -> InboundItem:
    headers = root.headers
    body = read_body(raw, root)
    subject = headers.text("subject")[:SUBJECT_LIMIT_CHARS].rstrip()
    text, quoted = split_quoted(body.text, is_forward=is_forward(subject))
    signer = TokenKey(context.signing_key, context.workspace_id, context.account_id)
    hints, own = read_hints(headers, signer, key, (body.text, body.html or ""))
    direction, sender = _parties(headers, context, is_signed=bool(own.message_ids))
    return InboundItem(
        kind=ItemKind.MESSAGE,
        key=key,
        occurred_at=moment,
        thread_key=hints.root,
        direction=direction,
        sender=sender,
        external_id=message_id(headers) or None,
        text=_with_notes(text, body),
        attachments=body.attachments,
        correlation_id=own.message_ids[0] if own.message_ids and direction is Direction.OUTBOUND else None,
        auto_submitted=is_automatic(headers, context.addresses),
        subject=subject,
        html=body.html,
        quoted=quoted,
        to=_recipients(headers, "to"),
        cc=_recipients(headers, "cc"),
        thread=hints,
    )


def _parties(headers: Headers, context: MailContext, *, is_signed: bool) -> tuple[Direction, Identity]:
    """
    Say who a mail is about on the customer's side.

    A web form often writes from our own address to our own address with the visitor in Reply-To.
    """
    sender = _sender(headers)
    if not is_own(sender.value, context.addresses):
        return Direction.INBOUND, sender
    others = [
        one
        for name in ("to", "cc", "bcc")
        for one in _recipients(headers, name)
        if not is_own(one.value, context.addresses)
    ]
    if others and (context.trust_own_from or is_signed):
        return Direction.OUTBOUND, others[0]
    answers = [one for one in read_addresses(headers.raw("reply-to")) if not is_own(one.value, context.addresses)]
    return Direction.INBOUND, answers[0] if answers and not others else sender


def _sender(headers: Headers) -> Identity:
    """Return the first usable address of From, else Sender, Reply-To, Return-Path; else a stand-in per From line."""
    for name in ("from", "sender", "reply-to", "return-path"):
        for field in headers.raw_all(name):
            if found := read_addresses(field):
                return found[0]
    shown = one_line(decode_words(headers.raw("from")))[:NAME_LIMIT_CHARS]
    digest = hashlib.sha256(headers.raw("from").encode("utf-8", "replace")).hexdigest()[:12]
    return Identity(scheme="email", value=f"unknown-{digest}@address.invalid", display_name=shown or None)


def _recipients(headers: Headers, name: str) -> tuple[Identity, ...]:
    found: dict[str, Identity] = {}
    for field in headers.raw_all(name):
        for one in read_addresses(field):
            value = without_token(one.value)
            found.setdefault(value, Identity(scheme="email", value=value, display_name=one.display_name))
    return tuple(found.values())


def _moment(headers: Headers, context: MailContext) -> datetime:
    """Take the Date field unless it is broken, before mail had dates, or more than a day ahead of us."""
    moment = read_date(headers.raw("date"))
    if moment is None or moment < _EARLIEST or moment > context.received_at + _LATEST_AHEAD:
        return context.received_at
    return moment


def _with_notes(text: str, body: Body) -> str:
    """Say on lines of their own what the text does not: an invitation, or that something cannot be read here."""
    notes = [note for note in body.notes if note not in text]
    return "\n\n".join(([text] if text.strip() else []) + (["\n".join(notes)] if notes else []))
