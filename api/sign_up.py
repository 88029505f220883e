"""Making an account, and a new password by mail. What is answered never tells whether an address is known."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Annotated

import msgspec

from api.session import start_session
from hub.accounts import actions as accounts
from hub.accounts import passwords as rules
from hub.accounts import sessions
from hub.errors import Forbidden, InvalidInput
from hub.signin import actions, store
from hub.signin.model import Registration
from hub.throttle import Allowance

if TYPE_CHECKING:
    from starlette.responses import Response

    from api.call import Call

Locale = Annotated[str, msgspec.Meta(pattern=r"^[A-Za-z]{2,3}(-[A-Za-z0-9]{2,8})*$", max_length=35)]


class SignUpState(msgspec.Struct, frozen=True):
    """Whether anybody may make an account; otherwise members are invited."""

    is_open: bool


class SignUpRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Who wants an account."""

    email: str
    name: str
    locale: Locale = "en"


class MailSent(msgspec.Struct, frozen=True):
    """The answer whether or not the address is known: if it can be used, a mail is on its way."""

    email: str


class VerificationRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The token of the mail, and the password its owner chooses.

    Attributes:
        name: Instead of the one they gave when they signed up.
    """

    token: str
    password: str
    name: str | None = None


class ResetRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    email: str


async def read(call: Call) -> SignUpState:
    """Say whether anybody may make an account."""
    return SignUpState(call.resources.settings.registration_open)


async def create(call: Call) -> MailSent:
    """Send the link that makes an account; whoever has one is told that somebody tried."""
    wanted = await call.decode(SignUpRequest)
    if not call.resources.settings.registration_open:
        raise Forbidden("Nobody can sign up here by themselves. Ask for an invitation.")
    registration = Registration(
        accounts.clean_email(wanted.email), accounts.clean_name("name", wanted.name), wanted.locale
    )
    await _limit_mails(call, "sign_up", registration.email)
    async with call.resources.database.across() as conn:
        await actions.register(conn, registration, call.resources.settings.base_url)
    return MailSent(registration.email)


async def verify(call: Call) -> Response:
    """Make the account whose link was opened, and sign its owner in; reading the page uses nothing up."""
    wanted = await call.decode(VerificationRequest)
    await call.resources.throttle.take((Allowance(f"verify:address:{call.address}", times=60, window_s=900),))
    async with call.resources.database.across() as conn:
        found = await store.find_registration(conn, sessions.token_hash(wanted.token))
    if found is None:
        raise InvalidInput("token", "This link was used already or has run out. Sign up again.")
    # Everything that can be refused is refused before the link is used up.
    name = accounts.clean_name("name", wanted.name) if wanted.name else ""
    rules.check_new(wanted.password, about=(found.email, name or found.name))
    password_hash = await call.resources.passwords.make_hash(wanted.password)
    async with call.resources.database.across() as conn:
        login = await actions.verify(conn, wanted.token, name, password_hash)
    return await start_session(call, login.id)


async def ask_for_reset(call: Call) -> MailSent:
    """Send a link to choose a new password to whoever has an account at this address."""
    email = accounts.clean_email((await call.decode(ResetRequest)).email)
    await _limit_mails(call, "reset", email)
    async with call.resources.database.across() as conn:
        await actions.ask_for_reset(conn, email, call.resources.settings.base_url)
    return MailSent(email)


async def _limit_mails(call: Call, what: str, email: str) -> None:
    """Nobody's mailbox is filled through us, and no address tries out thousands of others."""
    account = hashlib.sha256(email.encode()).hexdigest()[:32]
    await call.resources.throttle.take(
        (
            Allowance(f"{what}:account:{account}", times=5, window_s=3600),
            Allowance(f"{what}:address:{call.address}", times=30, window_s=3600),
        )
    )
