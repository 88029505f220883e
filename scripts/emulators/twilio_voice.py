"""
Emulates Twilio's telephone side: rings numbers in memory, obeys TwiML strictly, signs its calls to the webhook.

Run: ``python -m scripts.emulators.twilio_voice --account-sid AC… --auth-token … --phone-number +…``. Beside what all
emulators understand: ``call {from, members, message, words, times, shuffle, sign}`` lets somebody call (see
``Exchange.steer_call``), ``outgoing {call_sid, member, customer, times, shuffle}`` lets the telephones of a call we
asked for do something, ``account {auth_token, status}`` changes keys, ``browser
{token, parameters, customer}`` lets a telephone in a browser sign in and call, ``late_recordings {times}`` answers
404 so often before a recording is there.
"""

from __future__ import annotations

import argparse
import base64
import os
import secrets
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar
from urllib.parse import urlencode

import msgspec
from twilio.request_validator import RequestValidator

from scripts.emulators.http1 import Answer, Request, as_json
from scripts.emulators.twilio_line import Line, Person, PhoneMember
from scripts.emulators.twilio_outgoing import NewCall, OutgoingLine, read_new_call
from scripts.emulators.twilio_rules import error
from scripts.emulators.twilio_softphone import BrowserLine, Keys, read_token
from scripts.emulators.vendor import Asked, Call, Endpoint, Fault, Refused, Vendor, serve

_FORM = "application/x-www-form-urlencoded"
# The one API key and the one TwiML app of the account.
API_KEY_SID, API_KEY_SECRET, APP_SID = "SK" + "0" * 32, "emulated" * 4, "AP" + "0" * 32


class NumberQuery(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    phone_number: str = ""
    page_size: int = 50
    page: int = 0


class NumberUpdate(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    voice_url: str
    voice_method: str
    status_callback: str
    status_callback_method: str
    voice_application_sid: str


class CallOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    Somebody calls.

    Attributes:
        members: What each telephone does that is rung, in order.
        message: Seconds of the message left in the mailbox, 0 for none.
        words: What Twilio writes down of it.
        times: How often each of Twilio's calls is made; all but the first later, among the others.
        shuffle: Whether what needs no answer comes in mixed order.
        withheld: Whether the caller hides the number.
        patience_s: How long they wait in a queue, by its pauses, before they hang up.
        api: Origin of the addresses of recordings, Twilio's own when empty.
        url: Where calls of the number go, when nothing is entered at it.
        name: The caller's, as the exchange knows it.
    """

    from_: str = msgspec.field(name="from")
    members: list[PhoneMember] = []
    message: int = 0
    words: str = ""
    times: int = 1
    shuffle: bool = False
    sign: str = "right"
    withheld: bool = False
    patience_s: int = 3600
    api: str = ""
    url: str = ""
    name: str = ""


class OutgoingOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    What the telephones of a call do that we asked for.

    Attributes:
        call_sid: Which one; the newest when empty.
        member: The one that rings first.
        customer: The one that is dialled then.
    """

    call_sid: str = ""
    member: PhoneMember = msgspec.field(default_factory=lambda: PhoneMember(does="takes"))
    customer: PhoneMember = msgspec.field(default_factory=PhoneMember)
    times: int = 1
    shuffle: bool = False
    api: str = ""


class AppUpdate(msgspec.Struct, forbid_unknown_fields=True, rename="pascal"):
    voice_url: str
    voice_method: str


class BrowserOrder(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """
    A telephone in a browser signs in, and calls.

    Attributes:
        token: What it signs in with; refused as Twilio would.
        parameters: What it gives with the call; none: it only signs in.
        customer: What the dialled telephone does.
    """

    token: str
    parameters: dict[str, str] = {}
    customer: PhoneMember = msgspec.field(default_factory=PhoneMember)


class Exchange(Vendor):
    """One Twilio account with one number."""

    # A frame of silence, 26 ms.
    FRAME: ClassVar[bytes] = b"\xff\xfb\x90\x00" + b"\x00" * 413
    MP3: ClassVar[bytes] = b"ID3\x04\x00\x00\x00\x00\x00\x00" + FRAME

    def __init__(self, account_sid: str, auth_token: str, number: str, *, sounds_last: bool = False) -> None:
        self.account_sid, self.auth_token, self.status = account_sid, auth_token, "active"
        self.number: dict[str, Any] = {
            "sid": "PN" + secrets.token_hex(16),
            "account_sid": account_sid,
            "phone_number": number,
            "friendly_name": number,
            "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False},
            "voice_url": "",
            "voice_method": "POST",
            "voice_application_sid": "",
            "status_callback": "",
            "status_callback_method": "POST",
        }
        self.recordings: set[str] = set()
        self.sounds_last, self.lengths_s = sounds_last, dict[str, int]()
        self.late_times = 0
        self.asked_for: dict[str, NewCall] = {}
        self.keys = Keys(account_sid=account_sid, key_sid=API_KEY_SID, key_secret=API_KEY_SECRET, app_sid=APP_SID)
        self.app = {"sid": APP_SID, "account_sid": account_sid, "voice_url": "", "voice_method": "POST"}
        super().__init__()

    def endpoints(self) -> Sequence[Endpoint]:
        account = f"/2010-04-01/Accounts/{self.account_sid}"
        numbers = f"{account}/IncomingPhoneNumbers"
        return (
            Endpoint(method="GET", path=rf"{account}\.json", answer=self._account),
            Endpoint(method="GET", path=rf"{numbers}\.json", answer=self._numbers, query=NumberQuery),
            Endpoint(
                method="POST", path=rf"{numbers}/(PN\w+)\.json", answer=self._update, body=NumberUpdate, form=True
            ),
            Endpoint(method="GET", path=rf"{account}/Applications/(AP\w+)\.json", answer=self._read_app),
            Endpoint(
                method="POST",
                path=rf"{account}/Applications/(AP\w+)\.json",
                answer=self._read_app,
                body=AppUpdate,
                form=True,
            ),
            Endpoint(method="POST", path=rf"{account}/Calls\.json", answer=self._create_call, raw=True),
            Endpoint(method="GET", path=rf"{account}/Recordings/(RE\w+)\.mp3", answer=self._recording),
        )

    def fault(self, fault: Fault) -> Answer:
        status, code = {"credentials": (401, 20003), "missing_endpoint": (404, 20404)}.get(fault.kind, (400, 20001))
        return error(status, code, f"{fault.reason} {fault.field}".strip())

    def check(self, asked: Request) -> None:
        expected = base64.b64encode(f"{self.account_sid}:{self.auth_token}".encode()).decode()
        if asked.headers.get("authorization", "") != f"Basic {expected}":
            raise Refused(self.fault(Fault("credentials", "Authenticate")))

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        """Return one call; an item is ``{url, fields}``, Twilio never batches."""
        (item,) = items
        fields: dict[str, str] = item["fields"]
        headers = {"content-type": f"{_FORM}; charset=UTF-8", "user-agent": "TwilioProxy/1.1"}
        key = self.auth_token if sign == "right" else secrets.token_hex(16)
        if sign != "none":
            # The SDK's own validator: our product's check is held against it, not against itself.
            headers["x-twilio-signature"] = RequestValidator(key).compute_signature(item["url"], fields)  # type: ignore[no-untyped-call]
        return Call(url=item["url"], body=urlencode(fields).encode(), headers=headers)

    async def steer_call(self, order: CallOrder) -> dict[str, Any]:
        """
        Let somebody call the number, and obey the answers until the call has ended.

        Returns:
            ``call_sid``, ``heard`` (what was said to the caller), ``rung`` (numbers), ``recordings`` (their SIDs) and
            ``answers`` (what each of Twilio's calls got).
        """
        number = str(self.number["phone_number"])
        person = Person("+266696687" if order.withheld else order.from_, order.message, order.words, order.name)
        line = Line(self.account_sid, (person, number), order.members, self._ask(order.sign))
        line.api, line.patience_s = order.api or line.api, order.patience_s
        voice_url, status_url = (str(self.number[one]) or order.url for one in ("voice_url", "status_callback"))
        await line.run(voice_url, status_url)
        answers = await self._tell(line, order.times, order.sign, shuffle=order.shuffle)
        return {
            "call_sid": line.call_sid,
            "heard": line.heard,
            "rung": line.rung,
            "recordings": line.recordings,
            "answers": line.answers + answers,
        }

    async def steer_outgoing(self, order: OutgoingOrder) -> dict[str, Any]:
        """
        Let the telephones of a call we asked for do something, and obey the answers until it has ended.

        Returns:
            ``heard`` (what was said to the member), ``told`` (to the customer), ``rung`` (numbers), ``shown`` (the
            number the customer saw), ``recordings`` and ``answers``.
        """
        sid = order.call_sid or list(self.asked_for)[-1]
        line = OutgoingLine(
            self.account_sid, self.asked_for.pop(sid), (order.member, order.customer), self._ask("right")
        )
        line.call_sid, line.api = sid, order.api or line.api
        await line.run()
        answers = await self._tell(line, order.times, "right", shuffle=order.shuffle)
        return {
            "heard": line.heard,
            "told": line.told,
            "rung": line.rung,
            "shown": line.shown,
            "recordings": line.recordings,
            "answers": line.answers + answers,
        }

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "call":
                return self.steer_call(msgspec.convert(order, CallOrder))
            case "outgoing":
                return self.steer_outgoing(msgspec.convert(order, OutgoingOrder))
            case "browser":
                return self.steer_browser(msgspec.convert(order, BrowserOrder))
            case "account":
                self.auth_token = str(order.get("auth_token", self.auth_token))
                self.status = str(order.get("status", self.status))
            case "late_recordings":
                self.late_times = int(order["times"])
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"number": self.number, "asked_for": list(self.asked_for)}

    def _ask(self, sign: str) -> Any:  # noqa: ANN401  a function
        async def ask(item: dict[str, Any]) -> dict[str, Any]:
            return await self.post(self.call_of([item], sign))

        return ask

    async def steer_browser(self, order: BrowserOrder) -> dict[str, Any]:
        """
        Let a telephone in a browser sign in and call.

        Returns:
            ``identity``, or ``refused`` with the reason; of a call as ``steer_outgoing``.
        """
        try:
            identity = read_token(self.keys, order.token)
        except ValueError as reason:
            return {"refused": str(reason)}
        if not order.parameters:
            return {"identity": identity}
        ends = (identity, str(self.number["phone_number"]))
        line = BrowserLine(self.account_sid, ends, order.customer, order.parameters, self._ask("right"))
        await line.run(str(self.app["voice_url"]))
        answers = await self._tell(line, 1, "right", shuffle=False)
        heard = {"heard": line.heard, "told": line.told, "rung": line.rung, "shown": line.shown}
        return {"identity": identity, **heard, "answers": line.answers + answers}

    async def _tell(self, line: Line, times: int, sign: str, *, shuffle: bool) -> list[dict[str, Any]]:
        """Make the calls that need no answer, all of them again as often as ordered."""
        self.recordings |= set(line.recordings)
        self.lengths_s |= line.lengths_s
        rest = [*line.news, *(line.asked + line.news) * (times - 1)]
        if shuffle:
            self._random.shuffle(rest)
        return [await self.post(self.call_of([one], sign)) for one in rest]

    def _create_call(self, asked: Asked) -> Answer:
        try:
            new = read_new_call(asked.request.body)
        except ValueError as reason:
            raise Refused(self.fault(Fault("field", str(reason)))) from reason
        if new.sender != self.number["phone_number"]:
            raise Refused(error(400, 21210, "The source phone number provided is not yet verified for your account"))
        if not new.to.startswith("+"):
            raise Refused(error(400, 21211, "The phone number you are attempting to call is not valid"))
        sid = "CA" + secrets.token_hex(16)
        self.asked_for[sid] = new
        return as_json(
            201,
            {"sid": sid, "account_sid": self.account_sid, "to": new.to, "from": new.sender, "status": "queued"}
            | {"direction": "outbound-api", "date_created": None, "subresource_uris": {}},
        )

    def _read_app(self, asked: Asked) -> Answer:
        if asked.arguments[0] != self.app["sid"]:
            raise Refused(self.fault(Fault("missing_endpoint", "The requested application was not found")))
        if asked.body is not None:
            self.app |= msgspec.structs.asdict(asked.body)
        return as_json(200, self.app)

    def _account(self, _asked: Asked) -> Answer:
        return as_json(200, {"sid": self.account_sid, "status": self.status, "friendly_name": "Emulated"})

    def _numbers(self, asked: Asked) -> Answer:
        found = [self.number] if asked.query.phone_number in str(self.number["phone_number"]) else []
        page = {"page": 0, "page_size": 50, "next_page_uri": None, "uri": asked.request.path}
        return as_json(200, {"incoming_phone_numbers": found, **page})

    def _update(self, asked: Asked) -> Answer:
        if asked.arguments[0] != self.number["sid"]:
            raise Refused(self.fault(Fault("missing_endpoint", "The requested number was not found")))
        self.number |= msgspec.structs.asdict(asked.body)
        return as_json(200, self.number)

    def _recording(self, asked: Asked) -> Answer:
        self.late_times -= 1
        if asked.arguments[0] not in self.recordings or self.late_times >= 0:
            raise Refused(self.fault(Fault("missing_endpoint", "The requested recording was not found")))
        rest_s = self.lengths_s.get(asked.arguments[0], 0) if self.sounds_last else 0
        return Answer(200, self.MP3 + self.FRAME * 38 * rest_s, "audio/mpeg", {})


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--account-sid", required=True)
    parser.add_argument("--auth-token", default=os.environ.get("EMULATED_AUTH_TOKEN", ""), help="or in the environment")
    parser.add_argument("--phone-number", required=True)
    parser.add_argument("--sounds-last", action="store_true", help="recordings are silence as long as they say")

    def make(given: argparse.Namespace) -> Vendor:
        return Exchange(given.account_sid, given.auth_token, given.phone_number, sounds_last=given.sounds_last)

    serve(make, parser)


if __name__ == "__main__":
    main()
