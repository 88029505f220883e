"""
Mints the token a telephone in the browser signs in with at Twilio. Pure.

No page and no route asks for one yet: the softphone itself is not built.
"""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Final

import msgspec
from joserfc import jwt
from joserfc.jwk import OctKey

from hub.errors import InvalidInput

LONGEST: Final = timedelta(hours=24)
_SHORTEST: Final = timedelta(minutes=1)
# What Twilio takes in the name of a client. Source: twilio.com/docs/voice/twiml/client, read 2026-11-23.
_IDENTITY: Final = re.compile(r"[A-Za-z0-9_]{1,121}")


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
