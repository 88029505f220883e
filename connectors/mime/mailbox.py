"""What the settings of a mailbox say that was connected by signing in: its addresses, and since when. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from connectors.base import Account


def own_addresses(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the addresses whose mail is ours, lower case, the mailbox's own first."""
    both = (settings.get("address", ""), *settings.get("aliases", "").split(","))
    return tuple(dict.fromkeys(one.strip().lower() for one in both if one.strip()))


def connected_at(account: Account) -> datetime | None:
    """Say when the mailbox was signed in; None where that is not known."""
    try:
        moment = datetime.fromisoformat(account.settings.get("connected_at", ""))
    except ValueError:
        return None
    return moment if moment.tzinfo else None
