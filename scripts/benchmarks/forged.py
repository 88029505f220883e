"""Makes Twilio's webhook calls, signed with the keys of the benchmark's own accounts, as bytes ready to be written."""

from __future__ import annotations

import base64
import hmac
from typing import TYPE_CHECKING
from urllib.parse import quote_plus

import msgspec

if TYPE_CHECKING:
    from collections.abc import Sequence

ACCOUNT_SID = "AC" + "b" * 32
AUTH_TOKEN = "benchmark-token"  # noqa: S105  # of accounts that exist only during a run
NUMBER = "+15559870002"


class Target(msgspec.Struct, frozen=True):
    """A connected SMS account: which workspace it feeds, and where Twilio would call it."""

    workspace_id: int
    account_id: str


class Forge(msgspec.Struct, frozen=True, kw_only=True):
    """
    How calls are made.

    Attributes:
        port: Of ``hub serve``, on this machine.
        run: Eight characters that begin the ids of this run.
        targets: Calls go to them in turn.
        senders: How many different people write, at least one a target; each always writes to the same one.
    """

    port: int
    run: str
    targets: list[Target]
    senders: int

    @property
    def base_url(self) -> str:
        """The address that is signed: what ``hub serve`` takes itself to be."""
        return f"http://localhost:{self.port}"

    def target_of(self, number: int) -> Target:
        """Return where the call with that number goes."""
        return self.targets[number % len(self.targets)]


def message_sid(run: str, number: int) -> str:
    """Return the id of a call: ``SM``, the run, and the number as 24 hexadecimal digits."""
    return f"SM{run}{number:024x}"


def message_mark(run: str, number: int | str) -> str:
    """Return what the text of a call ends with, to know it by in a member's frame, which has no vendor's ids."""
    return f"<{run}:{number}>"


def make_body(forge: Forge, number: int) -> tuple[bytes, bytes]:
    """Return the form of a call, with the fields and blanks of a real one, and its signature."""
    sid = message_sid(forge.run, number)
    # Whole rounds over the targets: a sender stays with one account.
    sender = number % max(forge.senders, len(forge.targets))
    fields = {
        "ToCountry": "US", "ToState": "", "SmsMessageSid": sid, "NumMedia": "0", "ToCity": "", "FromZip": "",
        "SmsSid": sid, "FromState": "", "SmsStatus": "received", "FromCity": "", "FromCountry": "US", "To": NUMBER,
        "Body": f"Hi, is the blue one back in stock? {message_mark(forge.run, number)}", "ToZip": "",
        "NumSegments": "1", "MessageSid": sid, "AccountSid": ACCOUNT_SID, "From": f"+1555{sender:07d}",
        "ApiVersion": "2010-04-01",
    }  # fmt: skip
    target = forge.target_of(number)
    url = f"{forge.base_url}/webhooks/twilio_sms/{target.account_id}"
    text = url + "".join(name + fields[name] for name in sorted(fields))
    signature = base64.b64encode(hmac.digest(AUTH_TOKEN.encode(), text.encode(), "sha1"))
    body = "&".join(f"{name}={quote_plus(value)}" for name, value in fields.items())
    return body.encode(), signature


def make_call(forge: Forge, number: int) -> bytes:
    """Return a whole HTTP/1.1 request, as Twilio sends it, on a connection that stays open."""
    body, signature = make_body(forge, number)
    account_id = forge.target_of(number).account_id
    head = (
        f"POST /webhooks/twilio_sms/{account_id} HTTP/1.1\r\nHost: localhost:{forge.port}\r\n"
        "User-Agent: TwilioProxy/1.1\r\nAccept: */*\r\nI-Twilio-Idempotency-Token: "
        f"{message_sid(forge.run, number)[2:]}\r\nContent-Type: application/x-www-form-urlencoded; charset=UTF-8\r\n"
        f"X-Twilio-Signature: {signature.decode()}\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


def make_calls(forge: Forge, numbers: Sequence[int]) -> list[bytes]:
    """Return many requests."""
    return [make_call(forge, number) for number in numbers]
