"""A call that a customer of the emulated Twilio asks for: rings its member first, then obeys as any call does."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final
from urllib.parse import parse_qsl
from xml.etree.ElementTree import Element

import msgspec

from scripts.emulators.twilio_line import Ask, Line, Person, PhoneMember

# What a call is asked for with. Source: twilio.com/docs/voice/api/call-resource, read 2026-11-23.
_TAKEN: Final = frozenset(
    {"To", "From", "Url", "Method", "StatusCallback", "StatusCallbackEvent", "StatusCallbackMethod", "Timeout"}
)
_NEEDED: Final = ("To", "From", "Url")
_EVENTS: Final = frozenset({"initiated", "ringing", "answered", "completed"})


class NewCall(msgspec.Struct, frozen=True, kw_only=True):
    """
    A call as it was asked for.

    Attributes:
        to: Whose telephone rings first.
        events: Of which its ``status_url`` wants to hear.
    """

    to: str
    sender: str
    url: str
    status_url: str = ""
    events: tuple[str, ...] = ("completed",)
    ring_s: int = 60


def read_new_call(body: bytes) -> NewCall:
    """
    Read a request for a call.

    Raises:
        ValueError: A field is missing, unknown, named twice, or has a value Twilio does not take.
    """
    pairs = parse_qsl(body.decode(), keep_blank_values=True)
    names = [name for name, _ in pairs if name != "StatusCallbackEvent"]
    fields = dict(pairs)
    if unknown := set(fields) - _TAKEN:
        raise ValueError(f"unknown {sorted(unknown)}")
    if len(names) != len(set(names)) or any(not fields.get(name) for name in _NEEDED):
        raise ValueError("a field is missing or named twice")
    events = tuple(value for name, value in pairs if name == "StatusCallbackEvent") or ("completed",)
    if not set(events) <= _EVENTS:
        raise ValueError(f"no such events: {events}")
    for name in ("Url", "StatusCallback"):
        if fields.get(name) and not fields[name].startswith(("http://", "https://")):
            raise ValueError(f"{name} is no address")
    return NewCall(
        to=fields["To"],
        sender=fields["From"],
        url=fields["Url"],
        status_url=fields.get("StatusCallback", ""),
        events=events,
        ring_s=int(fields.get("Timeout", "60")),
    )


class OutgoingLine(Line):
    """
    One call that was asked for.

    Args:
        new: How it was asked for.
        member: What the telephone does that rings first; a mailbox picks up and presses nothing.
        customer: What the customer's does.
        ask: Makes one of Twilio's calls to the webhook.

    Attributes:
        told: What the customer heard before being put through.
        shown: The number the customer saw.
    """

    def __init__(self, account_sid: str, new: NewCall, ends: tuple[PhoneMember, PhoneMember], ask: Ask) -> None:
        member, customer = ends
        super().__init__(account_sid, (Person(new.to), new.sender), [customer], ask)
        self.told: list[str] = []
        self.shown = ""
        self._new, self._member = new, member

    async def run(self, _voice_url: str = "", _status_url: str = "") -> None:
        """Ring the member, obey to the end, and add the news of it."""
        self.rung.append(self._new.to)
        picked_up = self._member.does in ("takes", "mailbox")
        self._news("initiated", 0, "initiated")
        self._news("ringing", 1, "ringing")
        if picked_up:
            self._news("in-progress", 2, "answered")
            verbs = await self._question(self._new.url, self._fields("in-progress"))
            while verbs:
                verbs = await self._obey(verbs)
        self._news("completed" if picked_up else self._member.does, 3, "completed")

    async def _obey(self, verbs: Sequence[Element]) -> Sequence[Element]:
        if verbs and verbs[0].tag == "Gather":
            self.heard += [one.text or "" for one in verbs[0]]
            if self._member.does == "mailbox":
                return verbs[1:]
            return await self._question(verbs[0].attrib["action"], self._fields("in-progress") | {"Digits": "1"})
        return await super()._obey(verbs)

    async def _dial(self, dial: Element) -> Sequence[Element]:
        self.shown = dial.attrib["callerId"]
        if self.shown != self.number:
            raise ValueError("the number shown is not one of the account's")
        return await super()._dial(dial)

    async def _screen(self, url: str, leg: dict[str, str], *, presses: bool) -> bool:  # noqa: ARG002
        """Play what the customer is told; whoever picked up is put through afterwards."""
        verbs = await self._question(url, self._fields("in-progress") | leg)
        if [one.tag for one in verbs] != ["Say"]:
            raise ValueError("the customer is told something before being put through, and nothing else")
        self.told.append(verbs[0].text or "")
        # A mailbox of the customer's is put through like a person: nobody there presses anything.
        return True

    def _fields(self, status: str) -> dict[str, str]:
        ours, member = self.number, self.person.number
        fields = {"CallSid": self.call_sid, "AccountSid": self.account_sid, "From": ours, "Caller": ours}
        fields |= {"To": member, "Called": member, "Direction": "outbound-api", "ApiVersion": "2010-04-01"}
        return fields | {"CallStatus": status}

    def _news(self, status: str, sequence: int, event: str) -> None:
        if self._new.status_url and event in self._new.events:
            fields: dict[str, Any] = self._fields(status) | self._progress(status, sequence)
            self.news.append({"url": self._new.status_url, "fields": fields | {"CallDuration": "40"}})
