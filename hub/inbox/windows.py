"""
Whether a channel takes what somebody wants to send now: windows, templates, people only. Pure.

Asked when a message is queued and again before it is sent.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from hub.errors import ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from hub.envelope import TemplateUse

_CLOSED: Final = "The time to answer freely is over on this channel."
_NEVER_OPEN: Final = "They have not written here yet, so this channel takes no free text."
_INSTEAD: Final = " Send a template instead."
_WAIT: Final = " You can write again once they do."


class Rules(msgspec.Struct, frozen=True, kw_only=True):
    """What the channel allows, as its capabilities say; see ``connectors.base.Capabilities``."""

    window_s: int = 0
    human_window_s: int = 0
    templates: bool = False
    human_only: bool = False


def expiry_for(rules: Rules, window_expires_at: datetime | None, *, is_human: bool) -> datetime | None:
    """
    Return until when somebody may write freely.

    Args:
        rules: The channel's.
        window_expires_at: The conversation's; None when the contact never opened one.
        is_human: Whether a person writes: their window may be longer.

    Returns:
        The moment; None when it was never open, or the channel has no windows.
    """
    if window_expires_at is None or not rules.window_s:
        return None
    longer_s = max(0, rules.human_window_s - rules.window_s) if is_human else 0
    return window_expires_at + timedelta(seconds=longer_s)


def why_refused(
    rules: Rules,
    window_expires_at: datetime | None,
    *,
    is_human: bool,
    template: TemplateUse | None,
    now: datetime,
) -> ConnectorErrorInfo | None:
    """
    Say why a message would not be taken.

    Args:
        rules: The channel's.
        window_expires_at: The conversation's.
        is_human: Whether a person wrote it.
        template: Set where it is sent as a template, which needs no window.
        now: The moment it would be sent.

    Returns:
        The reason in words for members; None when it may be sent.
    """
    if rules.human_only and not is_human:
        words = "Only people may write on this channel, no automation."
        return ConnectorErrorInfo(ErrorClass.PERMISSION, "human_only", words)
    if template is not None:
        if rules.templates:
            return None
        return ConnectorErrorInfo(ErrorClass.UNSUPPORTED, "no_templates", "This channel has no templates.")
    if not rules.window_s:
        return None
    expires_at = expiry_for(rules, window_expires_at, is_human=is_human)
    if expires_at is not None and now < expires_at:
        return None
    why = _NEVER_OPEN if window_expires_at is None else _CLOSED
    return ConnectorErrorInfo(ErrorClass.WINDOW_CLOSED, "window_closed", why + (_INSTEAD if rules.templates else _WAIT))
