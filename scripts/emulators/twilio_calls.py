"""The calls Twilio makes to its customers: signed incoming messages and status callbacks."""

from __future__ import annotations

import asyncio
import secrets
from dataclasses import dataclass, field
from urllib.parse import urlsplit

import httpx
from twilio.request_validator import RequestValidator

TIMEOUT_S = 15.0


@dataclass(slots=True)
class CallbackPlan:
    """
    How the status callbacks of coming messages go out.

    Attributes:
        order: Statuses, in the order they are sent.
        delay_s: Before each.
        times: How often each is sent.
        sign: ``right``, ``wrong`` or ``none``.
        hold: Whether they wait for ``release``.
        error_code: Sent with failed and undelivered.
    """

    order: list[str] = field(default_factory=lambda: ["queued", "sent", "delivered"])
    delay_s: float = 0.02
    times: int = 1
    sign: str = "right"
    hold: bool = False
    error_code: int = 30003


@dataclass(slots=True)
class Caller:
    """
    Signs and posts forms; keeps what was answered.

    Attributes:
        reach_at: Origin to call in place of the one in the address, which is still what is signed; empty means none.
    """

    auth_token: str
    reach_at: str = ""
    made: list[dict[str, object]] = field(default_factory=list)

    async def post(self, url: str, fields: dict[str, str], sign: str = "right") -> dict[str, object]:
        """
        Post one signed form.

        Args:
            url: Signed as it is.
            fields: Blank values are sent and signed.
            sign: ``right``, ``wrong`` (another key) or ``none``.

        Returns:
            What came back: ``status``, ``content_type``, ``body``; status 0 without an answer.
        """
        key = self.auth_token if sign == "right" else secrets.token_hex(16)
        headers = {"User-Agent": "TwilioProxy/1.1", "I-Twilio-Idempotency-Token": secrets.token_hex(16)}
        if sign != "none":
            # The SDK's own validator: our product's check is held against it, not against itself.
            headers["X-Twilio-Signature"] = RequestValidator(key).compute_signature(url, fields)  # type: ignore[no-untyped-call]
        outcome: dict[str, object] = {"url": url, "fields": fields}
        try:
            async with httpx.AsyncClient(timeout=TIMEOUT_S, trust_env=False) as http:
                answer = await http.post(self._place(url), data=fields, headers=headers)
        except httpx.HTTPError as reason:
            outcome |= {"status": 0, "content_type": "", "body": type(reason).__name__}
        else:
            content_type = answer.headers.get("content-type", "")
            outcome |= {"status": answer.status_code, "content_type": content_type, "body": answer.text[:2000]}
        self.made.append(outcome)
        return outcome

    def _place(self, url: str) -> str:
        """Return where to call for an address."""
        return self.reach_at + urlsplit(url)._replace(scheme="", netloc="").geturl() if self.reach_at else url


async def send_callbacks(
    caller: Caller, message: dict[str, object], plan: CallbackPlan, released: asyncio.Event
) -> None:
    """Walk a message through the planned statuses and report each to its ``StatusCallback``."""
    if plan.hold:
        await released.wait()
    for status in plan.order:
        await asyncio.sleep(plan.delay_s)
        message["status"] = status
        fields = {
            "SmsSid": str(message["sid"]),
            "SmsStatus": status,
            "MessageStatus": status,
            "To": str(message["to"]),
            "MessageSid": str(message["sid"]),
            "AccountSid": str(message["account_sid"]),
            "From": str(message["from"] or ""),
            "ApiVersion": "2010-04-01",
        }
        if status in ("failed", "undelivered"):
            message["error_code"] = plan.error_code
            fields["ErrorCode"] = str(plan.error_code)
        for _ in range(plan.times):
            await caller.post(str(message["_callback"]), fields, plan.sign)
