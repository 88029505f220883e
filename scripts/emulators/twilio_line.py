"""One telephone call at the emulated Twilio: obeys TwiML strictly, and says what Twilio says while it does."""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any, Final, Literal
from xml.etree.ElementTree import Element, fromstring

import msgspec

# What we may say, by verb; anything else is a mistake Twilio would log as 12200.
# Source: twilio.com/docs/voice/twiml, read 2026-11-23.
_KNOWN: Final[Mapping[str, frozenset[str]]] = {
    "Say": frozenset({"voice", "language", "loop"}),
    "Hangup": frozenset(),
    "Pause": frozenset({"length"}),
    "Redirect": frozenset({"method"}),
    "Dial": frozenset(
        {"answerOnBridge", "timeout", "action", "method", "record", "callerId", "timeLimit", "hangupOnStar"}
        | {"recordingStatusCallback", "recordingStatusCallbackEvent", "recordingStatusCallbackMethod"}
    ),
    "Number": frozenset({"statusCallback", "statusCallbackEvent", "statusCallbackMethod", "url", "method"}),
    "Client": frozenset({"statusCallback", "statusCallbackEvent", "statusCallbackMethod", "url", "method"}),
    "Gather": frozenset({"numDigits", "timeout", "action", "method"}),
    "Record": frozenset(
        {"maxLength", "timeout", "playBeep", "action", "method", "transcribe", "transcribeCallback"}
        | {"recordingStatusCallback", "recordingStatusCallbackEvent", "recordingStatusCallbackMethod"}
    ),
}
_REQUESTS_LIMIT: Final = 40

Ask = Callable[[dict[str, Any]], Awaitable[dict[str, Any]]]


class PhoneMember(msgspec.Struct, forbid_unknown_fields=True):
    """What a member's telephone does: nothing, is busy, the member takes the call, or a mailbox does."""

    does: Literal["no-answer", "busy", "takes", "mailbox"] = "no-answer"
    talk_s: int = 0


@dataclass(frozen=True, slots=True)
class Person:
    """Who calls, how long a message they leave, its words, and their name where the exchange knows it."""

    number: str
    message_s: int = 0
    words: str = ""
    name: str = ""


class Line:
    """
    One call.

    Args:
        ends: Who calls, and which number.
        members: What the telephones do, in the order they are rung.
        ask: Makes one of Twilio's calls to the webhook.

    Attributes:
        news: Twilio's calls that need no answer, to be made later in any order.
        asked: Those that were made, and answered.
        api: Origin of the addresses of recordings.
    """

    def __init__(self, account_sid: str, ends: tuple[Person, str], members: Sequence[PhoneMember], ask: Ask) -> None:
        self.account_sid, (self.person, self.number) = account_sid, ends
        self.call_sid = "CA" + secrets.token_hex(16)
        self.heard: list[str] = []
        self.rung: list[str] = []
        self.recordings: list[str] = []
        self.lengths_s: dict[str, int] = {}
        self.paused_s = 0
        self.patience_s = 3600
        self.news: list[dict[str, Any]] = []
        self.asked: list[dict[str, Any]] = []
        self.answers: list[dict[str, Any]] = []
        self.api = "https://api.twilio.com"
        self._members = list(members)
        self._ask = ask

    async def run(self, voice_url: str, status_url: str) -> None:
        """Call, obey to the end, and add the news of the end."""
        verbs = await self._question(voice_url, self._fields("ringing"))
        while verbs:
            verbs = await self._obey(verbs)
        ended = self._progress("completed", 3) | {"CallDuration": "31", "Duration": "1"}
        if status_url:
            self.news.append({"url": status_url, "fields": self._fields("completed") | ended})

    async def _obey(self, verbs: Sequence[Element]) -> Sequence[Element]:
        """Do the verbs in order; returns those of the answer that took over, none once it is over."""
        for verb in verbs:
            match verb.tag:
                case "Say":
                    self.heard.append(verb.text or "")
                case "Dial":
                    return await self._dial(verb)
                case "Record":
                    return await self._record(verb)
                case "Pause":
                    self.paused_s += int(verb.get("length", "1"))
                case "Redirect":
                    return await self._redirected(verb)
                case "Hangup":
                    return []
                case other:
                    raise ValueError(f"<{other}> does not belong here")
        return []

    async def _redirected(self, redirect: Element) -> Sequence[Element]:
        """Ask where the answer says to; somebody whose patience has ended hung up meanwhile."""
        if self.paused_s > self.patience_s:
            return []
        if not redirect.text:
            raise ValueError("<Redirect> goes nowhere")
        return await self._question(redirect.text, self._fields("in-progress"))

    async def _dial(self, dial: Element) -> Sequence[Element]:
        (number,) = list(dial)
        member = self._members.pop(0) if self._members else PhoneMember()
        self.rung.append(number.text or "")
        leg_sid = "CA" + secrets.token_hex(16)
        leg = {"CallSid": leg_sid, "ParentCallSid": self.call_sid, "Direction": "outbound-dial", "To": self.rung[-1]}
        bridged = member.does == "takes"
        picked_up = member.does in ("takes", "mailbox")
        if picked_up and (url := number.get("url")):
            bridged = await self._screen(url, leg, presses=bridged)
        elif picked_up:
            bridged = True
        self._add_leg(number, leg, member)
        status = "completed" if picked_up else member.does
        length = str(member.talk_s if picked_up else 0)
        ended = {"DialCallSid": leg_sid, "DialCallStatus": status, "DialCallDuration": length}
        ended["DialBridged"] = "true" if bridged else "false"
        if dial.get("record") and bridged:
            self._add_recording(dial, "DialVerb", member.talk_s)
        return await self._question(dial.attrib["action"], self._fields("in-progress") | ended)

    async def _screen(self, url: str, leg: dict[str, str], *, presses: bool) -> bool:
        """Play the question to who picked up; a mailbox presses nothing."""
        fields = self._fields("in-progress") | leg
        verbs = await self._question(url, fields)
        if not verbs or verbs[0].tag != "Gather":
            raise ValueError("the telephone's own answer must begin with <Gather>")
        if not presses:
            return False
        return not await self._question(verbs[0].attrib["action"], fields | {"Digits": "1"})

    def _add_leg(self, number: Element, leg: dict[str, str], member: PhoneMember) -> None:
        url = number.get("statusCallback")
        if url is None:
            return
        wanted = (number.get("statusCallbackEvent") or "completed").split()
        states = ["initiated", "ringing"]
        states += ["in-progress", "completed"] if member.does in ("takes", "mailbox") else [member.does]
        for sequence, state in enumerate(states):
            event = {"in-progress": "answered", "busy": "completed", "no-answer": "completed"}.get(state, state)
            if event in wanted:
                fields = self._fields(state) | leg | self._progress(state, sequence)
                self.news.append({"url": url, "fields": fields | {"CallDuration": str(member.talk_s)}})

    async def _record(self, record: Element) -> Sequence[Element]:
        length = min(self.person.message_s, int(record.get("maxLength", "3600")))
        sid = self._add_recording(record, "RecordVerb", length)
        if length and record.get("transcribe") == "true":
            fields = {"RecordingSid": sid, "TranscriptionSid": "TR" + secrets.token_hex(16)}
            fields |= {"TranscriptionStatus": "completed", "TranscriptionText": self.person.words}
            address = record.attrib["transcribeCallback"]
            self.news.append({"url": address, "fields": self._fields("completed") | fields})
        if not length:
            return []
        fields = {"RecordingSid": sid, "RecordingUrl": self._file(sid), "RecordingDuration": str(length)}
        return await self._question(record.attrib["action"], self._fields("completed") | fields | {"Digits": "hangup"})

    def _add_recording(self, verb: Element, source: str, length_s: int) -> str:
        sid = "RE" + secrets.token_hex(16)
        fields = {
            "AccountSid": self.account_sid,
            "CallSid": self.call_sid,
            "RecordingSid": sid,
            "RecordingUrl": self._file(sid),
            "RecordingStatus": "completed" if length_s else "absent",
            "RecordingDuration": str(length_s),
            "RecordingChannels": "1",
            "RecordingSource": source,
            "RecordingStartTime": format_datetime(datetime.now(UTC)),
        }
        if fields["RecordingStatus"] in verb.get("recordingStatusCallbackEvent", "completed").split():
            self.news.append({"url": verb.attrib["recordingStatusCallback"], "fields": fields})
        if length_s:
            self.recordings.append(sid)
            self.lengths_s[sid] = length_s
        return sid

    async def _question(self, url: str, fields: dict[str, str]) -> Sequence[Element]:
        if len(self.asked) >= _REQUESTS_LIMIT:
            raise ValueError("the call never ends")
        item = {"url": url, "fields": fields}
        self.asked.append(item)
        answer = await self._ask(item)
        self.answers.append(answer)
        if answer["status"] != 200:
            return []
        if answer["content_type"].partition(";")[0] != "text/xml":
            raise ValueError(f"the answer is {answer['content_type']}, not TwiML")
        root = fromstring(answer["body"])  # noqa: S314  our own hub's, in a test
        if root.tag != "Response":
            raise ValueError(f"<{root.tag}> is not TwiML")
        check_twiml(root)
        return list(root)

    def _fields(self, status: str) -> dict[str, str]:
        caller, number = self.person.number, self.number
        fields = {"CallSid": self.call_sid, "AccountSid": self.account_sid, "From": caller, "Caller": caller}
        fields |= {"To": number, "Called": number, "Direction": "inbound", "ApiVersion": "2010-04-01"}
        fields |= {"CallerName": self.person.name} if self.person.name else {}
        return fields | {"CallStatus": status, "FromCity": "", "FromCountry": "US"}

    def _progress(self, status: str, sequence: int) -> dict[str, str]:
        fields = {"CallStatus": status, "SequenceNumber": str(sequence), "CallbackSource": "call-progress-events"}
        return fields | {"Timestamp": format_datetime(datetime.now(UTC))}

    def _file(self, sid: str) -> str:
        return f"{self.api}/2010-04-01/Accounts/{self.account_sid}/Recordings/{sid}"


def check_twiml(root: Element) -> None:
    """Refuse verbs and attributes Twilio does not have."""
    for verb in root.iter():
        if verb is root:
            continue
        if verb.tag not in _KNOWN:
            raise ValueError(f"<{verb.tag}> is not a verb")
        if unknown := set(verb.attrib) - _KNOWN[verb.tag]:
            raise ValueError(f"<{verb.tag}> has no attribute {sorted(unknown)}")
