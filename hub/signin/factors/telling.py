"""Tells of what happened to somebody's factors: the audit log, and a mail to them. Called by this room's actions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec

from hub import clock
from hub.accounts import store as logins
from hub.audit import actions as audit
from hub.audit.model import INSTALLATION, ActorKind, Entry
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hub.db import TenantConn
    from hub.mailer.model import SecurityChange
    from hub.signin.factors.model import Person

NO_DETAILS: Final[Mapping[str, str]] = {}


async def note(conn: TenantConn, person: Person, action: str, details: Mapping[str, str] = NO_DETAILS) -> None:
    """Write to the installation's audit log what somebody did with their own sign-in."""
    await audit.record(
        conn,
        Entry(
            workspace_id=INSTALLATION,
            action=action,
            actor_kind=ActorKind.LOGIN,
            actor_id=person.login_id,
            target_kind="login",
            target_id=str(person.login_id),
            address=person.address,
            details=msgspec.json.encode(details),
        ),
    )


async def warn(conn: TenantConn, person: Person, what: SecurityChange, about: str = "") -> None:
    """
    Mail somebody, in their language, that their sign-in changed: whoever did not do it themselves must hear of it.

    Args:
        conn: The transaction of the change.
        person: Whose sign-in.
        what: The change.
        about: What its sentence names: a key, an issuer, a number; empty where it names nothing.

    Source:
        OWASP ASVS 5.0 6.3.7 (May 2025): users are notified after authentication details are changed.
    """
    at = f"{clock.now():%Y-%m-%d %H:%M} UTC"
    fields = {"name": person.name, "at": at, "what": what.value, "about": about}
    locale = (await logins.get_login(conn, person.login_id)).locale or "en"
    await mailer.queue(conn, Mail(to=person.email, template=Template.SECURITY_CHANGED, fields=fields, locale=locale))
