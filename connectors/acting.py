"""What a connector is asked to do about a message, and why it may not be asked. Pure; dispatch calls it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from connectors.base import Act
from hub.errors import ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from hub.inbox.deliveries import Claimed
    from hub.inbox.wanted import WantedAct

CANNOT_ACT = ConnectorErrorInfo(ErrorClass.UNSUPPORTED, "no_act", "This channel cannot do that.")
NEVER_SENT = ConnectorErrorInfo(ErrorClass.PERMANENT, "never_sent", "The channel does not know this message.")


def act_of(claimed: Claimed, wanted: WantedAct) -> Act:
    """Make what the connector gets."""
    return Act(
        id=str(wanted.id),
        kind=wanted.kind,
        to=claimed.outbound.to,
        thread_key=claimed.outbound.thread_key,
        external_id=wanted.external_id,
        text=wanted.text,
        emoji=wanted.emoji,
    )
