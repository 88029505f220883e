"""
Telephones in the browser: the token one signs in with at Twilio, and what it may ask to be put through to. Pure.

What a browser gives Twilio is the member's to choose: whom a call goes to is sealed by us, for that member alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import msgspec
from joserfc import jwt
from joserfc.jwk import OctKey

from connectors.base import Account, CallOrder, SoftphonePass
from connectors.twilio.numbers import is_e164
from connectors.voice.hours import find_browser
from connectors.voice.sealed import seal, unseal
from hub.envelope import Identity
from hub.errors import InvalidInput

LONGEST: Final = timedelta(hours=24)
_SHORTEST: Final = timedelta(minutes=1)
# What Twilio takes in the name of a client. Source: twilio.com/docs/voice/twiml/client, read 2026-11-23.
_IDENTITY: Final = re.compile(r"[A-Za-z0-9_]{1,121}")


# Long enough to hear a dial tone; nobody telephones with a page that was left open.
_ORDER_FOR_S: Final = 120
_ORDER: Final = b"voice order"
LASTS: Final = timedelta(hours=1)
_NOT_SET_UP: Final = (
    "This channel has no telephones in the browser. Whoever manages channels enters an API key and a TwiML app."
)
_NOT_LISTED: Final = (
    "No telephone in the browser of yours is named in this channel's settings. Whoever manages channels adds a line "
    "under “Whose phones ring”: browser Anna <anna@example.com>."
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """
    Whom a telephone in the browser may be put through to.

    Attributes:
        message_id: The call's row, 32 hexadecimal digits.
        place: Of the member's line in the settings, from 0.
    """

    message_id: str
    place: str
    customer: str
    is_recorded: bool


class SoftphoneGrant(msgspec.Struct, frozen=True, kw_only=True):
    """
    Whom a token lets do what.

    Attributes:
        account_sid: Whose minutes are used.
        api_key_sid: Names the key that signs.
        api_key_secret: Signs; never the Auth Token.
        identity: The member, as Twilio is to know the client.
        application_sid: The TwiML App whose address says what becomes of an outgoing call; empty for none.
        lasts: From one minute to 24 hours.
    """

    account_sid: str
    api_key_sid: str
    api_key_secret: str
    identity: str
    application_sid: str = ""
    lasts: timedelta = timedelta(hours=1)


def pass_softphone(account: Account, member_email: str, now: datetime) -> SoftphonePass:
    """
    Make what a member's telephone in the browser signs in with.

    Args:
        account: Its API key signs.
        member_email: The member's address; must have a ``browser`` line in the settings.
        now: UTC.

    Returns:
        A token for an hour.

    Raises:
        InvalidInput: The account has no telephones in the browser, or the member has none.
    """
    _find_line(account, member_email)
    identity = identity_of(account.signing_key, member_email)
    grant = SoftphoneGrant(
        account_sid=account.credentials.get("account_sid", ""),
        api_key_sid=account.credentials.get("api_key_sid", ""),
        api_key_secret=account.credentials.get("api_key_secret", ""),
        identity=identity,
        application_sid=account.settings.get("twiml_app_sid", ""),
        lasts=LASTS,
    )
    return SoftphonePass(token=mint_token(grant, now), identity=identity, expires_at=now + LASTS)


def connect_softphone(order: CallOrder, account: Account, now: datetime) -> str:
    """
    Write what a member's telephone in the browser gives Twilio to call a contact.

    Args:
        order: Who calls whom.
        account: Whose number is shown.
        now: UTC; good for two minutes from then.

    Raises:
        InvalidInput: ``conversation``: the customer's number is not known; ``member``: they have no such telephone.
    """
    if order.to.scheme != "phone" or not is_e164(order.to.value):
        raise InvalidInput("conversation", "This caller's number is not known, so nobody can call back.")
    place = _find_line(account, order.member_email)
    identity = identity_of(account.signing_key, order.member_email)
    is_recorded = "1" if account.settings.get("record_calls") == "yes" else ""
    until_s = str(int(now.timestamp()) + _ORDER_FOR_S)
    parts = (UUID(order.message_id).hex, str(place), is_recorded, until_s, identity, order.to.value)
    return seal(account.signing_key, _ORDER, parts)


def read_order(account: Account, sealed: str, caller: str, now: datetime) -> Order | None:
    """
    Read what a telephone in the browser gave Twilio.

    Args:
        account: Whose call it is.
        sealed: As it came; any text.
        caller: Twilio's word on who calls, e.g. ``client:m…``.
        now: UTC.

    Returns:
        None for what we did not seal, sealed for somebody else, or too long ago.
    """
    parts = unseal(account.signing_key, _ORDER, sealed)
    if parts is None or len(parts) != 6:
        return None
    message_id, place, is_recorded, until_s, identity, customer = parts
    if not hmac.compare_digest(f"client:{identity}".encode(), caller.encode("utf-8", "replace")):
        return None
    if now.timestamp() > int(until_s):
        return None
    return Order(message_id=message_id, place=place, customer=customer, is_recorded=is_recorded == "1")


def identity_of(signing_key: bytes, member_email: str) -> str:
    """Name a member to Twilio: always the same, and nobody reads an address from it."""
    digest = hmac.digest(signing_key, b"voice|client|" + member_email.strip().lower().encode(), hashlib.sha256)
    return f"m{digest.hex()[:40]}"


def customer_of(order: Order) -> Identity:
    """Return whom an order is for."""
    return Identity("phone", order.customer)


def has_softphones(account: Account) -> bool:
    """Say whether an account has everything that telephones in the browser need."""
    keys = all(account.credentials.get(name, "") for name in ("api_key_sid", "api_key_secret"))
    return keys and bool(account.settings.get("twiml_app_sid", ""))


def _find_line(account: Account, member_email: str) -> int:
    if not has_softphones(account):
        raise InvalidInput("channel", _NOT_SET_UP)
    found = find_browser(account.settings, member_email)
    if found is None:
        raise InvalidInput("member", _NOT_LISTED)
    return found[0]


def mint_token(grant: SoftphoneGrant, now: datetime) -> str:
    """
    Write an access token with a voice grant.

    Args:
        grant: For one member.
        now: UTC; the token is good from then.

    Returns:
        A JWT signed by HS256.

    Raises:
        InvalidInput: A name Twilio would not take, or a length of time it would refuse.

    Source:
        twilio.com/docs/iam/access-tokens, read 2026-11-23.
    """
    if not _IDENTITY.fullmatch(grant.identity):
        raise InvalidInput("identity", "A client's name has letters, digits and _ only, at most 121.")
    if not _SHORTEST <= grant.lasts <= LONGEST:
        raise InvalidInput("lasts", "A token lasts from one minute to 24 hours.")
    issued_s = int(now.timestamp())
    voice: dict[str, object] = {"incoming": {"allow": True}}
    if grant.application_sid:
        voice["outgoing"] = {"application_sid": grant.application_sid}
    claims = {
        "jti": f"{grant.api_key_sid}-{issued_s}",
        "iss": grant.api_key_sid,
        "sub": grant.account_sid,
        "iat": issued_s,
        "nbf": issued_s,
        "exp": issued_s + int(grant.lasts.total_seconds()),
        "grants": {"identity": grant.identity, "voice": voice},
    }
    header = {"alg": "HS256", "typ": "JWT", "cty": "twilio-fpa;v=1"}
    return jwt.encode(header, claims, OctKey.import_key(grant.api_key_secret.encode()), algorithms=["HS256"])
