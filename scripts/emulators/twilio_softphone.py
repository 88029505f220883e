"""A telephone in a browser at the emulated Twilio: its token is checked claim by claim, then it calls as any does."""

from __future__ import annotations

import time
from typing import Any

import msgspec
from twilio.jwt import JwtDecodeError
from twilio.jwt.access_token import AccessToken

from scripts.emulators.twilio_line import Ask, PhoneMember
from scripts.emulators.twilio_outgoing import NewCall, OutgoingLine

# Source: twilio.com/docs/iam/access-tokens, read 2026-11-23.
_LONGEST_S = 24 * 3600


class Keys(msgspec.Struct, frozen=True, kw_only=True):
    """An API key of the account, and the TwiML app its tokens may name."""

    account_sid: str
    key_sid: str
    key_secret: str
    app_sid: str


def read_token(keys: Keys, token: str) -> str:
    """
    Check a token as Twilio does when a telephone signs in.

    Returns:
        The identity it signs in.

    Raises:
        ValueError: Signed by another key, of another account or app, not good now, or for no client at all.
    """
    try:
        read = AccessToken.from_jwt(token, keys.key_secret)  # type: ignore[no-untyped-call]
    except JwtDecodeError as reason:
        raise ValueError(f"20107 {reason}") from reason
    headers, claims = read.headers, read.payload
    if (headers.get("typ"), headers.get("alg"), headers.get("cty")) != ("JWT", "HS256", "twilio-fpa;v=1"):
        raise ValueError("20103 not the header of an access token")
    if (claims.get("iss"), claims.get("sub")) != (keys.key_sid, keys.account_sid):
        raise ValueError("20103 another key or account")
    now_s = int(time.time())
    begins_s, ends_s = int(claims.get("nbf") or claims.get("iat") or 0), int(claims["exp"])
    if not begins_s - 60 <= now_s < ends_s or ends_s - begins_s > _LONGEST_S:
        raise ValueError("20104 not good now, or for longer than a day")
    if not str(claims.get("jti", "")).startswith(f"{keys.key_sid}-"):
        raise ValueError("20103 no id of its own")
    grants = claims.get("grants", {})
    voice, identity = grants.get("voice", {}), str(grants.get("identity", ""))
    if voice.get("incoming") != {"allow": True} or voice.get("outgoing") != {"application_sid": keys.app_sid}:
        raise ValueError("20106 no grant for this app")
    if not (identity.replace("_", "").isascii() and identity.replace("_", "").isalnum() and len(identity) <= 121):
        raise ValueError("20106 no usable identity")
    return identity


class BrowserLine(OutgoingLine):
    """
    A call that a telephone in a browser makes.

    Args:
        ends: Identity of the browser, and the account's number.
        customer: What the dialled telephone does.
        parameters: What the browser gave; Twilio passes them on unread.
    """

    def __init__(
        self, account_sid: str, ends: tuple[str, str], customer: PhoneMember, parameters: dict[str, str], ask: Ask
    ) -> None:
        identity, number = ends
        new = NewCall(to="", sender=number, url="")
        super().__init__(account_sid, new, (PhoneMember(does="takes"), customer), ask)
        self._identity, self._parameters = identity, parameters

    async def run(self, voice_url: str = "", _status_url: str = "") -> None:
        """Ask the app's address what to do, and obey to the end."""
        verbs = await self._question(voice_url, self._fields("ringing") | self._parameters)
        while verbs:
            verbs = await self._obey(verbs)

    def _fields(self, status: str) -> dict[str, str]:
        ours: dict[str, Any] = super()._fields(status)
        client = f"client:{self._identity}"
        return ours | {"From": client, "Caller": client, "To": "", "Called": "", "Direction": "inbound"}
