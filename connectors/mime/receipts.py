"""Reports to items: receipts for our deliveries, a stop for complaints. Pure."""

from __future__ import annotations

from datetime import datetime

from connectors.mime.addresses import is_own
from connectors.mime.model import MailContext
from connectors.mime.reports import Action, Outcome, Report
from connectors.mime.tokens import TokenKey, read_tokens
from hub.envelope import DeliveryStatus, Identity, InboundItem, ItemKind, Receipt
from hub.errors import ConnectorErrorInfo, ErrorClass, UnsupportedPayload

_STATUS: dict[Action, DeliveryStatus] = {
    "failed": DeliveryStatus.FAILED,
    # Still on its way: nothing a member has to do.
    "delayed": DeliveryStatus.SENT,
    "relayed": DeliveryStatus.SENT,
    "delivered": DeliveryStatus.DELIVERED,
    "processed": DeliveryStatus.DELIVERED,
    "read": DeliveryStatus.READ,
}
# Enhanced status codes, longest prefix first. Source: RFC 3463, section 3, and the IANA registry (read 2026-11-22).
_REASONS = (
    ("5.1.8", ErrorClass.ACCOUNT, "The receiving server does not accept our address as a sender."),
    ("5.1.7", ErrorClass.ACCOUNT, "The receiving server does not accept our address as a sender."),
    ("5.1.", ErrorClass.RECIPIENT, "This mail address does not exist."),
    ("5.2.2", ErrorClass.RECIPIENT, "The recipient's mailbox is full."),
    ("5.2.3", ErrorClass.CONTENT, "The mail is too large for the recipient."),
    ("5.2.", ErrorClass.RECIPIENT, "The recipient's mailbox does not accept mail."),
    ("5.3.4", ErrorClass.CONTENT, "The mail is too large for the recipient's server."),
    ("5.4.", ErrorClass.PERMANENT, "The recipient's mail server could not be reached."),
    ("5.6.", ErrorClass.CONTENT, "The recipient's server could not accept the contents of the mail."),
    ("5.7.", ErrorClass.PERMISSION, "The recipient's server refused the mail by its rules."),
    ("4.", ErrorClass.PERMANENT, "The mail could not be delivered in time."),
    ("550", ErrorClass.RECIPIENT, "The recipient's server refused this address."),
    ("551", ErrorClass.RECIPIENT, "The recipient's server refused this address."),
    ("552", ErrorClass.RECIPIENT, "The recipient's mailbox is full, or the mail is too large."),
    ("553", ErrorClass.RECIPIENT, "The recipient's server refused this address."),
    ("554", ErrorClass.PERMANENT, "The recipient's server refused the mail."),
)
_UNNAMED = (ErrorClass.PERMANENT, "The mail could not be delivered.")


def report_items(report: Report, context: MailContext, key: str, moment: datetime) -> list[InboundItem]:
    """
    Make the items of a report.

    Args:
        report: As read.
        context: The mailbox.
        key: Of the report's own mail.
        moment: When it was written.

    Returns:
        Items; empty where it is about no mail that can be named: then it is shown as a mail.

    Raises:
        UnsupportedPayload: A complaint that is none ("not spam").
    """
    signer = TokenKey(context.signing_key, context.workspace_id, context.account_id)
    tokens = read_tokens(signer, message_ids=report.target_ids)
    correlation = tokens.message_ids[0] if tokens.message_ids else None
    target = _target(report, signer)
    if report.complaint:
        return _complaint(report, context, key, moment, (target, correlation))
    if target is None:
        return []
    return [
        InboundItem(
            kind=ItemKind.RECEIPT,
            key=f"{key}#{number}",
            occurred_at=moment,
            sender=_identity(outcome.address),
            target_external_id=target,
            correlation_id=correlation,
            receipt=Receipt(status=_STATUS[outcome.action], error=_error(outcome)),
            auto_submitted=True,
        )
        for number, outcome in enumerate(report.outcomes)
    ]


def _complaint(
    report: Report, context: MailContext, key: str, moment: datetime, about: tuple[str | None, str | None]
) -> list[InboundItem]:
    if report.complaint == "not-spam":
        raise UnsupportedPayload("a complaint taken back")
    person = report.outcomes[0].address if report.outcomes else ""
    # Anybody can send a complaint about anybody: it counts only about a mail that we sent.
    is_ours = about[1] is not None or is_own(report.sender, context.addresses)
    if not is_ours or not person or is_own(person, context.addresses):
        return []
    return [
        InboundItem(
            kind=ItemKind.CONSENT,
            key=key,
            occurred_at=moment,
            thread_key=person,
            sender=_identity(person),
            target_external_id=about[0],
            correlation_id=about[1],
            consent="stop",
            auto_submitted=True,
        )
    ]


def _target(report: Report, signer: TokenKey) -> str | None:
    """Prefer the id we signed over one a relay wrote."""
    signed = next((one for one in report.target_ids if read_tokens(signer, message_ids=(one,)).message_ids), None)
    return signed or (report.target_ids[0] if report.target_ids else None)


def _identity(address: str) -> Identity | None:
    return Identity(scheme="email", value=address) if address else None


def _error(outcome: Outcome) -> ConnectorErrorInfo | None:
    if outcome.action != "failed":
        return None
    klass, text = next(((klass, text) for prefix, klass, text in _REASONS if outcome.code.startswith(prefix)), _UNNAMED)
    return ConnectorErrorInfo(klass=klass, code=outcome.code or "bounced", message=text)
