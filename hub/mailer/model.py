"""A mail the hub itself sends: which template, to whom, with what in it, and what became of it. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from enum import StrEnum
from typing import Final
from uuid import UUID

import msgspec

from hub.errors import InvalidInput

# Longest value of a field; the lines of a digest together may be longer.
FIELD_LIMIT_CHARS: Final = 2_000
LINES_LIMIT_CHARS: Final = 8_000
# The one field that holds several lines.
LINES: Final = "lines"

_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_URL: Final = re.compile(r"https?://[^\s<>\"'\\]+")
_ADDRESS: Final = re.compile(r"[^\s<>()\[\],;:\"\\@]+@[^\s<>()\[\],;:\"\\@]+")


class Template(StrEnum):
    """Each has a subject, a text and an HTML version in every language; ``FIELDS`` names what it needs."""

    VERIFY_EMAIL = "verify_email"
    RESET_PASSWORD = "reset_password"  # noqa: S105  a template's name
    PASSWORD_CHANGED = "password_changed"  # noqa: S105  a template's name
    INVITATION = "invitation"
    ADDED_TO_WORKSPACE = "added_to_workspace"
    SIGN_IN_NOTICE = "sign_in_notice"
    SECURITY_CHANGED = "security_changed"
    CONFIRM_ADDRESS = "confirm_address"
    ADDRESS_CHANGING = "address_changing"
    OPERATOR_ENTERED = "operator_entered"
    DIGEST = "digest"


class SecurityChange(StrEnum):
    """What ``security_changed`` tells of: a sentence in every language, with ``{about}`` where it names something."""

    TOTP_ADDED = "totp_added"
    TOTP_REMOVED = "totp_removed"
    # About: the name its owner gave it.
    PASSKEY_ADDED = "passkey_added"
    PASSKEY_REMOVED = "passkey_removed"
    PASSKEY_COPIED = "passkey_copied"
    RECOVERY_CODES_RENEWED = "recovery_codes_renewed"
    # About: how many are left.
    RECOVERY_CODE_USED = "recovery_code_used"
    RECOVERY_CODES_FEW = "recovery_codes_few"
    FACTORS_RESET = "factors_reset"
    TOKEN_REUSED = "token_reused"  # noqa: S105  a change's name
    # About: the issuer's address.
    IDENTITY_LINKED = "identity_linked"
    IDENTITY_UNLINKED = "identity_unlinked"
    # About: the key's name.
    API_KEY_MADE = "api_key_made"
    PERSONAL_TOKEN_MADE = "personal_token_made"  # noqa: S105  a change's name
    SIGN_UP_TRIED = "sign_up_tried"
    ADDRESS_WANTED = "address_wanted"


FIELDS: Final[Mapping[Template, frozenset[str]]] = {
    Template.VERIFY_EMAIL: frozenset({"name", "url"}),
    Template.RESET_PASSWORD: frozenset({"name", "url", "minutes"}),
    Template.PASSWORD_CHANGED: frozenset({"name", "at"}),
    Template.INVITATION: frozenset({"inviter", "workspace", "url", "days"}),
    Template.ADDED_TO_WORKSPACE: frozenset({"inviter", "workspace", "url"}),
    Template.SIGN_IN_NOTICE: frozenset({"name", "at", "address", "device"}),
    # ``what``: a ``SecurityChange``; ``about``: what its sentence names, or empty.
    Template.SECURITY_CHANGED: frozenset({"name", "at", "what", "about"}),
    Template.CONFIRM_ADDRESS: frozenset({"name", "url", "minutes"}),
    # ``address``: the new one, told to the old one; ``url`` stops the change.
    Template.ADDRESS_CHANGING: frozenset({"name", "at", "address", "url", "days"}),
    Template.OPERATOR_ENTERED: frozenset({"name", "workspace", "reason", "at", "until"}),
    # ``lines``: what is told, one a line feed; ``unsubscribe_url`` takes one click, ``settings_url`` is a page.
    Template.DIGEST: frozenset({"name", "workspace", "url", LINES, "unsubscribe_url", "settings_url"}),
}

# Mails that may come twice when nobody knows whether the first one left: a link that is the same both times, or a
# warning. A digest, or word of a workspace somebody is in already, is rather lost.
REPEATABLE: Final = frozenset(Template) - {Template.DIGEST, Template.ADDED_TO_WORKSPACE}


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

    def __repr__(self) -> str:
        return f"Mail(template={self.template.value!r})"


class QueuedMail(msgspec.Struct, frozen=True, kw_only=True):
    """
    A row of ``system_mail``.

    Attributes:
        attempt: Tries so far, the one it was claimed for included.
        error_code: Why the last try failed; empty where none did.
    """

    id: UUID
    recipient: str
    template: str
    locale: str
    sealed: bytes
    key_version: int
    created_at: datetime
    expires_at: datetime
    attempt: int
    error_code: str = ""

    def __repr__(self) -> str:
        return f"QueuedMail(id={self.id}, template={self.template!r}, attempt={self.attempt})"


class Backlog(msgspec.Struct, frozen=True):
    """How many mails wait, how many of them were tried in vain, and since when the oldest waits."""

    waiting: int
    tried: int
    oldest: datetime | None


def check(mail: Mail) -> None:
    """
    Refuse a mail that could not be sent as it is meant.

    Raises:
        InvalidInput: A field is missing, too many, too long, or holds what would end a header or a line.
    """
    if not _ADDRESS.fullmatch(mail.to) or _CONTROL.search(mail.to) or len(mail.to) > 320:
        raise InvalidInput("to", "This is not an e-mail address.")
    wanted = FIELDS[mail.template]
    for name in wanted ^ mail.fields.keys():
        raise InvalidInput(name, f"The mail {mail.template.value} takes {', '.join(sorted(wanted))}.")
    for name, value in mail.fields.items():
        limit = LINES_LIMIT_CHARS if name == LINES else FIELD_LIMIT_CHARS
        if len(value) > limit or _CONTROL.search(value.replace("\n", "") if name == LINES else value):
            raise InvalidInput(name, "Line ends and control characters cannot be in here.")
        if (name == "url" or name.endswith("_url")) and not _URL.fullmatch(value):
            raise InvalidInput(name, "This is not the address of a page.")
