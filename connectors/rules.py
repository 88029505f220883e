"""When a channel takes what, in the store's words. Called where messages are queued and where they are sent."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub.inbox.windows import Rules

if TYPE_CHECKING:
    from collections.abc import Mapping

    from connectors.base import Capabilities, Manifest


def rules_of(capabilities: Capabilities) -> Rules:
    """Return a channel's rules of sending."""
    return Rules(
        window_s=capabilities.window_s,
        human_window_s=capabilities.human_window_s,
        templates=capabilities.templates,
        human_only=capabilities.human_only,
    )


def why_closed(manifest: Manifest, settings: Mapping[str, str]) -> str:
    """
    Say why nothing can be sent on an account.

    Args:
        manifest: The channel's.
        settings: The account's.

    Returns:
        The reason in words for members; empty where messages can be sent.
    """
    defaults = {one.name: one.default for one in manifest.settings}
    for rule in manifest.closed:
        if (settings.get(rule.setting) or defaults.get(rule.setting, "")) == rule.value:
            return rule.why
    return ""
