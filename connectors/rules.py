"""When a channel takes what, in the store's words. Called where messages are queued and where they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.inbox.windows import Rules

if TYPE_CHECKING:
    from connectors.base import Capabilities


def rules_of(capabilities: Capabilities) -> Rules:
    """Return a channel's rules of sending."""
    return Rules(
        window_s=capabilities.window_s,
        human_window_s=capabilities.human_window_s,
        templates=capabilities.templates,
        human_only=capabilities.human_only,
    )
