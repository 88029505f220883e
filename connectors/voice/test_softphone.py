"""The softphone's token is one that Twilio's own library reads."""

from __future__ import annotations

import base64
import json
from datetime import UTC, datetime, timedelta

import pytest
from msgspec.structs import replace
from twilio.jwt import JwtDecodeError
from twilio.jwt.access_token import AccessToken
from twilio.jwt.access_token.grants import VoiceGrant

from connectors.voice.softphone import LONGEST, SoftphoneGrant, mint_token
from hub.errors import InvalidInput

KEY = "s" * 32
GRANT = SoftphoneGrant(
    account_sid="AC" + "0" * 32,
    api_key_sid="SK" + "0" * 32,
    api_key_secret=KEY,
    identity="member_7",
    application_sid="AP" + "0" * 32,
)


def part(token: str, number: int) -> dict[str, object]:
    text = token.split(".")[number]
    found: dict[str, object] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return found


def test_token_says_what_twilios_library_would_say():
    """Header, grants and who signs are the library's, and the library finds the signature good."""
    now = datetime.now(UTC)
    ours = mint_token(GRANT, now)
    theirs = AccessToken(GRANT.account_sid, GRANT.api_key_sid, KEY, identity="member_7", ttl=3600)
    theirs.add_grant(VoiceGrant(incoming_allow=True, outgoing_application_sid=GRANT.application_sid))
    expected = theirs.to_jwt()

    assert part(ours, 0) == part(expected, 0)
    claims, wanted = part(ours, 1), part(expected, 1)
    assert claims["grants"] == wanted["grants"]
    assert (claims["iss"], claims["sub"]) == (wanted["iss"], wanted["sub"])
    assert claims["exp"] == int(now.timestamp()) + 3600
    assert AccessToken.from_jwt(ours, KEY).payload["grants"] == wanted["grants"]


def test_token_of_another_key_is_none():
    """The secret is what signs."""
    token = mint_token(replace(GRANT, api_key_secret="t" * 32), datetime.now(UTC))
    with pytest.raises(JwtDecodeError):
        AccessToken.from_jwt(token, KEY)


def test_without_an_application_nobody_calls_out():
    """The grant to call out is there only where an application answers for it."""
    claims = part(mint_token(replace(GRANT, application_sid=""), datetime.now(UTC)), 1)
    assert claims["grants"] == {"identity": "member_7", "voice": {"incoming": {"allow": True}}}


@pytest.mark.parametrize(
    "changed",
    [
        {"identity": "anna@example.com"},
        {"identity": ""},
        {"lasts": LONGEST + timedelta(seconds=1)},
        {"lasts": timedelta()},
    ],
    ids=str,
)
def test_what_twilio_would_refuse_is_refused_here(changed):
    """Names with other letters, and tokens of more than a day or of no time."""
    with pytest.raises(InvalidInput):
        mint_token(replace(GRANT, **changed), datetime.now(UTC))
