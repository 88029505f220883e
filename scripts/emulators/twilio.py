"""
Emulates Twilio's SMS and WhatsApp: REST resources checked strictly, status callbacks, signed incoming messages.

Run: ``python -m scripts.emulators.twilio --port 0 --account-sid AC… --auth-token …``; the first line printed is the
port. ``GET /_control`` tells what happened, with ``?messages_after=N&wait_s=S`` only what was sent since.
``POST /_control`` with ``{"op": …}`` steers (see ``Emulator._steer``).
"""

from __future__ import annotations

import argparse
import asyncio
import base64
import contextlib
import json
import os
import re
import secrets
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime

from scripts.emulators.http1 import Answer, Cut, Request, as_json, listen
from scripts.emulators.twilio_calls import CallbackPlan, Caller, send_callbacks
from scripts.emulators.twilio_lists import Lists, Row, page, public
from scripts.emulators.twilio_media import STORE_PATH, MediaStore, fetch_media
from scripts.emulators.twilio_rules import (
    MESSAGE_FIELDS,
    MESSAGE_LISTS,
    NUMBER_FIELDS,
    NUMBER_FILTERS,
    WHATSAPP,
    Fields,
    Refused,
    check_credentials,
    check_message,
    error,
    first,
    read_form,
    read_query,
)
from scripts.emulators.twilio_whatsapp import WhatsAppSide


class Emulator:
    """One Twilio account, its numbers and messages, all in memory."""

    def __init__(self, account_sid: str, auth_token: str, numbers: list[str], services: list[str]) -> None:
        self.account_sid, self.auth_token = account_sid, auth_token
        self.status = "active"
        self.numbers = {number: self._make_number(number) for number in numbers}
        self.services = set(services)
        self.opted_out: set[str] = set()
        self.messages: list[Row] = []
        self.requests: list[Row] = []
        self.next_answers: list[dict[str, object]] = []
        self.plan = CallbackPlan()
        self.released = asyncio.Event()
        self.accepted = asyncio.Event()
        self.caller = Caller(auth_token)
        self.whatsapp = WhatsAppSide()
        self.lists = Lists(account_sid, self.messages)
        self.media = MediaStore(f"/2010-04-01/Accounts/{account_sid}")
        self._tasks: set[asyncio.Task[None]] = set()
        account = re.escape(f"/2010-04-01/Accounts/{account_sid}")
        self._routes: list[tuple[str, str, Callable[[Request, str], Answer | Cut]]] = [
            ("GET", rf"{account}\.json", self._fetch_account),
            ("POST", rf"{account}/Messages\.json", self._create_message),
            ("GET", rf"{account}/Messages\.json", self.lists.list_messages),
            ("GET", rf"{account}/Messages/(\w+)/Media\.json", self.lists.list_files),
            ("GET", rf"{account}/Messages/(\w+)\.json", self._fetch_message),
            ("GET", rf"{account}/IncomingPhoneNumbers\.json", self._list_numbers),
            ("POST", rf"{account}/IncomingPhoneNumbers/(\w+)\.json", self._update_number),
            ("GET", rf"{account}/Messages/MM\w+/Media/(\w+)", self.media.redirect),
            ("GET", r"/v2/Channels/Senders", lambda asked, _: self.whatsapp.senders(asked, self.numbers.values())),
            ("GET", r"/v1/ContentAndApprovals", self.whatsapp.list_contents),
        ]

    async def handle(self, request: Request) -> Answer | Cut:
        """Answer one request: the control endpoint, or the REST API."""
        if request.path == "/_control":
            return await self._control(request)
        body = request.body.decode("utf-8", "replace")
        kept: Row = {"method": request.method, "path": request.path, "query": request.query, "body": body}
        self.requests.append(kept | {"at_s": time.monotonic()})
        if request.path.startswith(STORE_PATH):
            return self.media.read_stored(request)
        try:
            check_credentials(request, self.account_sid, self.auth_token)
            for method, pattern, answer in self._routes:
                match = re.fullmatch(pattern, request.path)
                if match and method == request.method:
                    return answer(request, match.group(1) if match.groups() else "")
        except Refused as refused:
            return refused.answer
        return error(404, 20404, f"The requested resource {request.path} was not found")

    # ── the REST API ────────────────────────────────────────────────────────────────────────────────────────────

    def _fetch_account(self, _request: Request, _sid: str) -> Answer:
        row = {"sid": self.account_sid, "status": self.status, "friendly_name": "Emulated", "type": "Full"}
        return as_json(200, row | {"owner_account_sid": self.account_sid, "subresource_uris": {}})

    def _create_message(self, request: Request, _sid: str) -> Answer | Cut:
        fields = read_form(request, MESSAGE_FIELDS, MESSAGE_LISTS)
        check_message(fields, set(self.numbers), self.services, self.opted_out)
        if first(fields, "ContentSid"):
            fields["Body"] = [self.whatsapp.text_of(fields)]
        planned = self.next_answers.pop(0) if self.next_answers else None
        if planned is None:
            return as_json(201, public(self._accept(fields)))
        # A cut line means that Twilio took the message and the answer got lost, unless told otherwise.
        if planned.get("accept", planned["kind"] in ("hold", "reset")):
            self._accept(fields)
        return _misbehave(planned)

    def _accept(self, fields: Fields) -> Row:
        moment = format_datetime(datetime.now(UTC))
        sid = "SM" + secrets.token_hex(16)
        row: Row = {
            "sid": sid,
            "account_sid": self.account_sid,
            "api_version": "2010-04-01",
            "body": first(fields, "Body"),
            "to": first(fields, "To"),
            "from": first(fields, "From") or None,
            "messaging_service_sid": first(fields, "MessagingServiceSid") or None,
            "direction": "outbound-api",
            "status": "queued" if first(fields, "From") else "accepted",
            "num_segments": "1",
            "num_media": str(len(fields.get("MediaUrl", []))),
            "date_created": moment,
            "date_updated": moment,
            "date_sent": None,
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"/2010-04-01/Accounts/{self.account_sid}/Messages/{sid}.json",
            "subresource_uris": {},
            "_callback": first(fields, "StatusCallback"),
            "_media_urls": fields.get("MediaUrl", []),
            "_content_sid": first(fields, "ContentSid"),
            "_media": [],
        }
        self.messages.append(row)
        self.accepted.set()
        self.accepted = asyncio.Event()
        if row["_callback"] or row["_media_urls"]:
            self._start(row)
        return row

    def _start(self, row: Row) -> None:
        task = asyncio.create_task(self._deliver_out(row))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _deliver_out(self, row: Row) -> None:
        """Fetch the files, as Twilio does after it took the request; a message with a bad one fails."""
        plan = self.plan
        if row["to"] in self.whatsapp.closed and not row["_content_sid"]:
            plan = replace(plan, order=["queued", "undelivered"], error_code=63016)
        urls: list[str] = row["_media_urls"]  # type: ignore[assignment]  # made by ``_accept``
        if urls:
            fetched, code = await fetch_media(urls)
            row["_media"] = fetched
            if code:
                plan = replace(plan, order=["queued", "failed"], error_code=code)
                row["error_code"] = code
        if row["_callback"]:
            await send_callbacks(self.caller, row, plan, self.released)
        elif plan is not self.plan:
            row["status"] = "failed"

    def _fetch_message(self, _request: Request, sid: str) -> Answer:
        for row in self.messages:
            if row["sid"] == sid:
                return as_json(200, public(row))
        return error(404, 20404, "The requested message was not found")

    def _list_numbers(self, request: Request, _sid: str) -> Answer:
        query = read_query(request, NUMBER_FILTERS)
        wanted = first(query, "PhoneNumber")
        rows = [row for number, row in self.numbers.items() if wanted in number and not number.startswith(WHATSAPP)]
        return as_json(200, page("incoming_phone_numbers", request.path, rows, query))

    def _update_number(self, request: Request, sid: str) -> Answer:
        fields = read_form(request, NUMBER_FIELDS)
        for row in self.numbers.values():
            if row["sid"] == sid:
                changed = {"SmsUrl": "sms_url", "SmsMethod": "sms_method", "SmsApplicationSid": "sms_application_sid"}
                row.update({changed[name]: values[0] for name, values in fields.items() if name in changed})
                return as_json(200, row)
        return error(404, 20404, "The requested number was not found")

    def _make_number(self, number: str) -> Row:
        return {
            "sid": "PN" + secrets.token_hex(16),
            "account_sid": self.account_sid,
            "phone_number": number,
            "friendly_name": number,
            "capabilities": {"sms": True, "mms": True, "voice": True, "fax": False},
            "sms_url": "",
            "sms_method": "POST",
            "sms_application_sid": "",
            "status": "in-use",
        }

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def _control(self, request: Request) -> Answer:
        if request.method == "GET":
            query = dict(request.query)
            if "messages_after" in query:
                return await self._messages_after(int(query["messages_after"]), float(query.get("wait_s", 0)))
            return as_json(200, {"requests": self.requests, "messages": self.messages, "callbacks": self.caller.made})
        try:
            order = json.loads(request.body)
            return as_json(200, await self._steer(order.pop("op"), order))
        except (ValueError, KeyError, TypeError, AttributeError) as reason:
            return as_json(400, {"error": f"{type(reason).__name__}: {reason}"})

    async def _messages_after(self, amount: int, wait_s: float) -> Answer:
        """Tell the messages taken after the first ``amount``, waiting for one up to 30 s."""
        if len(self.messages) <= amount and wait_s > 0:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self.accepted.wait(), min(wait_s, 30.0))
        return as_json(200, {"messages": [public(row) for row in self.messages[amount:]]})

    async def _steer(self, op: str, order: dict[str, object]) -> object:
        """
        Do one control operation.

        ``next {answers}``: what the next creations get: ``{"kind": "status", "status", "code", "headers"}``,
        ``{"kind": "html", "status"}``, ``{"kind": "hold"}`` (accept, never answer), ``{"kind": "reset"}`` (accept, then
        RST); ``accept`` overrides whether the message is taken. ``callbacks {order, delay_s, times, sign, hold,
        error_code}``, ``release``. ``status {sid, status}`` calls
        back at once. ``inbound {from, to, body, fields, …}``. ``account {status, auth_token}``.
        ``number {phone_number, sms, sms_url}``. ``opt_out {number}``. ``content {content}`` adds a template,
        ``close_window {person}`` lets all but templates to somebody fail. ``past {messages}`` is what was before (see
        ``twilio_lists``). ``clear``.
        """
        match op:
            case "next":
                self.next_answers.extend(order["answers"])  # type: ignore[arg-type]  # JSON from a test
            case "callbacks":
                self.plan = CallbackPlan(**order)  # type: ignore[arg-type]  # JSON from a test
                self.released.clear()
            case "release":
                self.released.set()
            case "inbound":
                return await self._deliver(order)
            case "status":
                (row,) = [one for one in self.messages if one["sid"] == order["sid"]]
                await send_callbacks(self.caller, row, CallbackPlan([str(order["status"])], 0.0), self.released)
                return {"answers": self.caller.made[-1:]}
            case "account":
                self.status = str(order.get("status", self.status))
                self.auth_token = self.caller.auth_token = str(order.get("auth_token", self.auth_token))
            case "number":
                row = self.numbers.setdefault(str(order["phone_number"]), self._make_number(str(order["phone_number"])))
                row["capabilities"] = {"sms": bool(order.get("sms", True)), "mms": True, "voice": True, "fax": False}
                row["sms_url"] = str(order.get("sms_url", row["sms_url"]))
            case "media":
                return {"path": self.media.add(base64.b64decode(str(order["body"])), str(order["content_type"]))}
            case "forget_media":
                self.media.files.clear()
            case "opt_out":
                self.opted_out.add(str(order["number"]))
            case "clear":
                self.requests.clear()
                self.messages.clear()
                self.lists.past.clear()
                self.caller.made.clear()
                self.next_answers.clear()
                self.opted_out.clear()
                self.media.files.clear()
                self.plan = CallbackPlan()
            case _:
                return self._steer_parts(op, order)
        return {}

    def _steer_parts(self, op: str, order: dict[str, object]) -> object:
        if op == "past":
            return {"sids": [self.lists.add(one) for one in order["messages"]]}  # type: ignore[attr-defined]  # JSON from a test
        self.whatsapp.steer(op, order)
        return {}

    async def _deliver(self, order: dict[str, object]) -> object:
        """Send an incoming message to its number's webhook, ``times`` over, with the same SID."""
        number = str(order.get("to") or next(iter(self.numbers)))
        url = str(order.get("url") or self.numbers[number]["sms_url"])
        if not url:
            raise ValueError(f"{number} has no SmsUrl")
        sid = str(order.get("sid") or "SM" + secrets.token_hex(16))
        media: list[dict[str, str]] = order.get("media") or []  # type: ignore[assignment]  # JSON from a test
        fields = {
            "ToCountry": "US",
            "ToState": "",
            "SmsMessageSid": sid,
            "NumMedia": str(len(media)),
            "ToCity": "",
            "SmsSid": sid,
            "SmsStatus": "received",
            "Body": str(order.get("body", "")),
            "FromCountry": "US",
            "To": number,
            "NumSegments": "1",
            "MessageSid": sid,
            "AccountSid": self.account_sid,
            "From": str(order["from"]),
            "ApiVersion": "2010-04-01",
        }
        for index, item in enumerate(media):
            fields |= {f"MediaUrl{index}": item["url"], f"MediaContentType{index}": item["content_type"]}
        if opt_out_type := order.get("opt_out_type"):
            fields["OptOutType"] = str(opt_out_type)
        more: dict[str, str] = order.get("fields") or {}  # type: ignore[assignment]  # JSON from a test
        fields |= more
        times, sign = int(str(order.get("times", 1))), str(order.get("sign", "right"))
        answers = [await self.caller.post(url, fields, sign) for _ in range(times)]
        return {"sid": sid, "answers": answers}


def _misbehave(planned: dict[str, object]) -> Answer | Cut:
    kind = planned["kind"]
    if kind in ("hold", "reset"):
        return Cut(kind)
    status = int(str(planned.get("status", 500)))
    headers: dict[str, str] = planned.get("headers") or {}  # type: ignore[assignment]  # JSON from a test
    if kind == "html":
        return Answer(status, b"<html><body>Bad gateway</body></html>", "text/html", headers)
    if kind != "status":
        raise KeyError(f"unknown kind of answer {kind}")
    answer = error(status, int(str(planned.get("code", status))), str(planned.get("message", "Planned failure")))
    return Answer(answer.status, answer.body, headers=headers)


async def _run(arguments: argparse.Namespace) -> None:
    emulator = Emulator(
        arguments.account_sid, arguments.auth_token, arguments.phone_number, arguments.messaging_service_sid
    )
    emulator.caller.reach_at = arguments.reach_at
    for number in emulator.numbers.values():
        number["sms_url"] = arguments.sms_url
    async with listen(emulator.handle, arguments.port) as listener:
        print(listener.port, flush=True)
        await asyncio.Event().wait()


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--account-sid", required=True)
    parser.add_argument("--auth-token", default=os.environ.get("EMULATED_AUTH_TOKEN", ""), help="or in the environment")
    parser.add_argument("--phone-number", action="append", default=[], help="a number of the account; repeatable")
    parser.add_argument("--messaging-service-sid", action="append", default=[])
    parser.add_argument("--reach-at", default="", help="origin to call in place of the one in webhook addresses")
    parser.add_argument("--sms-url", default="", help="where incoming messages go, until set over the API")
    try:
        asyncio.run(_run(parser.parse_args()))
    except KeyboardInterrupt:
        return


if __name__ == "__main__":
    main()
