"""Which device somebody signs in with, in a few words, and that it is a new one. Called by the edge at each sign-in."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hub import clock
from hub.accounts import store as logins
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template
from hub.signin import store

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn

# In this order: Edge and Opera say they are Chrome, Chrome says it is Safari, an iPhone that it is like a Mac.
_BROWSERS: Final = {"Edg": "Edge", "OPR/": "Opera", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
_SYSTEMS: Final = {
    "iPhone": "iPhone",
    "iPad": "iPad",
    "Android": "Android",
    "Windows": "Windows",
    "Mac OS": "macOS",
    "Linux": "Linux",
}
_MOST_CHARS: Final = 60


def device_of(user_agent: str) -> str:
    """Name a browser and system, such as ``Firefox, Linux``; of what is no browser the beginning of what it says."""
    browser = next((name for mark, name in _BROWSERS.items() if mark in user_agent), "")
    system = next((name for mark, name in _SYSTEMS.items() if mark in user_agent), "")
    known = ", ".join(one for one in (browser, system) if one)
    return known or user_agent.strip()[:_MOST_CHARS] or "?"


async def tell_of_new(conn: TenantConn, login_id: UUID, session_id: UUID, user_agent: str, address: str) -> bool:
    """
    Mail somebody whose account was signed in to with a device it has not been used with; False where it has.

    Args:
        conn: The transaction of the sign-in.
        login_id: Whose; the first sign-in of an account is no news.
        session_id: The one that began.
        user_agent: As sent.
        address: Where it came from.
    """
    if not await store.is_new_device(conn, login_id, session_id):
        return False
    login = await logins.get_login(conn, login_id)
    fields = {
        "name": login.name,
        "at": f"{clock.now():%Y-%m-%d %H:%M} UTC",
        "address": address or "?",
        "device": device_of(user_agent),
    }
    mail = Mail(to=login.email, template=Template.SIGN_IN_NOTICE, fields=fields, locale=login.locale or "en")
    await mailer.queue(conn, mail)
    return True
