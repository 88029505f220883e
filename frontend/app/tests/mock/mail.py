"""Mail, files and dead letters of the mock hub: one picture, one formatted mail, two things nobody could read."""

from __future__ import annotations

from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.routing import Route

PICTURE = """<svg xmlns="http://www.w3.org/2000/svg" width="320" height="240"><rect width="320" height="240" fill="#d8c9a8"/>
<path d="M110 60h100l30 90H80z" fill="#8a5a2b"/><rect x="152" y="150" width="16" height="60" fill="#444"/></svg>"""
MAIL = """<!doctype html><meta charset="utf-8"><style>body{font:14px/21px system-ui;margin:12px;color:#222}</style>
<p>Thanks! <b>Carla</b> will be at home.</p><table bgcolor="#eef" cellpadding="12"><tr><td>Order 20481</td><td>1 × lamp</td></tr></table>
<p><img data-remote-src="https://t.example/p.gif" alt=""></p><details class="quoted"><summary>…</summary><blockquote>So sorry.</blockquote></details>"""
LETTER = {
    "id": "0190b0a0-1111-7000-8000-0000000000d1", "channel": "twilio_sms", "channel_account_id": "x", "error": "The message has no sender (field From).",
    "received_at": "2026-11-20T09:00:00Z", "created_at": "2026-11-20T09:00:01Z", "state": "new", "size_bytes": 1820,
}  # fmt: skip


async def picture(_: Request) -> Response:
    return Response(PICTURE, media_type="image/svg+xml")


async def html(_: Request) -> Response:
    return HTMLResponse(MAIL, headers={"content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'self'"})


async def defaults(_: Request) -> Response:
    to = [{"name": "Bo Lindqvist", "address": "bo@shop.example"}]
    return JSONResponse({"subject": "Re: Broken lamp, order 20481", "to": to, "cc": [{"name": "Carla Moreau", "address": "carla@shop.example"}]})


async def letters(_: Request) -> Response:
    return JSONResponse({"dead_letters": [LETTER, {**LETTER, "id": LETTER["id"][:-1] + "2", "error": "A part has no end."}], "next": None})


async def letter(_: Request) -> Response:
    return JSONResponse({"dead_letter": LETTER, "body_text": "MessageSid=SM00&Body=Hello", "is_binary": False})


def mail_routes(workspace: str) -> list[Route]:
    """Routes under one workspace."""
    row = f"{workspace}/conversations/{{id}}"
    return [
        Route(f"{workspace}/attachments/{{id}}", picture),
        Route(f"{row}/messages/{{message}}/html", html),
        Route(f"{row}/reply-defaults", defaults),
        Route(f"{workspace}/dead-letters", letters),
        Route(f"{workspace}/dead-letters/{{id}}", letter),
    ]
