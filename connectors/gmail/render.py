"""Looks a message over before it is sent, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from connectors.base import Account, Call, Charge, Limit
from connectors.outgoing_mail import check_mail
from hub.envelope import OutboundMessage

# What ``compose_mail`` writes; Gmail takes five times as many.
MOST_RECIPIENTS: Final = 100
# Units of a send, with the searches before it and the look at what became of it.
# Source: developers.google.com/gmail/api/reference/quota, as the reference notes it, read 2026-11-23.
_UNITS: Final = 120


def render(message: OutboundMessage, account: Account) -> list[Call]:  # noqa: ARG001  every mailbox sends alike
    """Make the one call of a mail; see ``check_mail``."""
    return [check_mail(message, MOST_RECIPIENTS)]


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> tuple[Charge, ...]:
    """
    Say what a mail takes: units of the mailbox's quota, and recipients of its day.

    Args:
        account: Accounts of one mailbox share its buckets.
        message: What is sent.
        limits: The manifest's.
    """
    mailbox = account.settings.get("address") or account.id
    people = 1 + len(message.also_to) + len(message.cc) + len(message.bcc)
    costs = {"units": _UNITS, "recipients": people}
    return tuple(
        # One that costs more than the bucket holds would wait for ever.
        Charge(key=f"gmail:{mailbox}:{name}", limits=limits[name], cost=float(min(cost, limits[name][0].burst)))
        for name, cost in costs.items()
    )
