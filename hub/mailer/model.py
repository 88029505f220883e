"""A mail the hub itself sends: which template, to whom, with what in it. Pure."""

from __future__ import annotations

from enum import StrEnum

import msgspec


class Template(StrEnum):
    """Each has a subject, a text and an HTML version in every language; ``fields`` names what it needs."""

    VERIFY_EMAIL = "verify_email"  # name, url
    RESET_PASSWORD = "reset_password"  # noqa: S105  a template's name  # name, url, minutes
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  # name, at
    INVITATION = "invitation"  # inviter, workspace, url, days
    ADDED_TO_WORKSPACE = "added_to_workspace"  # inviter, workspace, url
    SIGN_IN_NOTICE = "sign_in_notice"  # name, at, address, device
    SECURITY_CHANGED = "security_changed"  # name, at, what
    DIGEST = "digest"  # name, workspace, url, lines (one a line feed)


class Mail(msgspec.Struct, frozen=True, kw_only=True):
    """
    One mail to be sent.

    Attributes:
        to: The address, cleaned.
        fields: What the template names, as plain text; escaped where it becomes HTML.
        locale: Such as ``en`` or ``de-AT``; a language without a translation gets English.
        lifetime_s: Worth sending for this long: a link that has run out helps nobody.
    """

    to: str
    template: Template
    fields: dict[str, str]
    locale: str = "en"
    lifetime_s: int = 86_400
