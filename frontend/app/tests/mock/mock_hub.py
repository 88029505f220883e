"""
A hub in memory to look at the app with: the HTTP API and the socket protocol over made-up people. Not a test, not shipped.

Run: ``.venv/bin/python frontend/app/tests/mock/mock_hub.py PORT [--empty | --new]``; the app must be built.
"""

from __future__ import annotations

import asyncio
import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec
import uvicorn
from mail import mail_routes
from seed import EMPTY, seed
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import FileResponse, JSONResponse, Response
from starlette.routing import Mount, Route, WebSocketRoute
from starlette.staticfiles import StaticFiles
from starlette.websockets import WebSocket, WebSocketDisconnect

from api.channels import _view
from connectors.registry import ConnectorRegistry

DIST = Path(__file__).resolve().parents[3] / "dist" / "app"
CSP = (
    "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; "
    "connect-src 'self' ws:; frame-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)

Row = dict[str, Any]


def now() -> str:
    return datetime.now(UTC).isoformat().replace("+00:00", "Z")


class Hub:
    def __init__(self, *, state: Row, needs_setup: bool) -> None:
        self.s = state
        self.needs_setup = needs_setup
        self.log: list[Row] = []
        self.sockets: set[WebSocket] = set()
        self.slow_ms = 0

    async def append(self, event: Row) -> int:
        seq = self.s["seq"] = self.s["seq"] + 1
        for name in ("conversation", "contact", "message", "channel_account"):
            if name in event:
                event[name]["version"] = seq
        frame = {"type": "event", "seq": seq, "prev": seq - 1, "event": json.loads(json.dumps(event))}
        self.log.append(frame)
        await self.broadcast(frame)
        return seq

    async def broadcast(self, frame: Row) -> None:
        for socket in list(self.sockets):
            await socket.send_text(json.dumps(frame))

    def conversation(self, id_: str) -> Row:
        return next(row for row in self.s["conversations"] if row["id"] == id_)

    async def message(self, id_: str, text: str, *, kind: str = "message", author: str | None = None, client: str | None = None) -> tuple[str, int]:
        row = self.conversation(id_)
        inbound = author is None
        seq = self.s["seq"] + 1
        previous = row["status"]
        message = {
            "id": str(uuid.uuid4()), "conversation_id": id_, "seq": seq, "kind": kind,
            "direction": "inbound" if inbound else "outbound", "author_kind": "contact" if inbound else "member",
            "author_id": row["contact_id"] if inbound else author, "author_name": "", "text": text, "attachments": [],
            "status": "queued" if not inbound and kind == "message" else None, "error": None, "client_message_id": client,
            "headers": None, "has_html": False, "quoted": "", "reply_to": None, "unreadable": "", "reactions": [],
            "edited_at": None, "deleted_at": None, "change": None, "call": None,
            "occurred_at": now(), "version": seq,
        }  # fmt: skip
        self.s["messages"].append(message)
        row.update(preview=text, preview_author_kind=message["author_kind"], last_activity_at=now(), version=seq)
        if inbound:
            row.update(last_inbound_seq=seq, status="open")
        event: Row = {"conversation": row, "previous_status": previous, "message": message}
        if inbound:
            event |= {"type": "message_received", "contact": next(c for c in self.s["contacts"] if c["id"] == row["contact_id"])}
        else:
            event["type"] = "note_added" if kind == "note" else "message_queued"
        await self.append(event)
        if message["status"]:
            asyncio.get_running_loop().create_task(self.deliver(message))
        return message["id"], seq

    async def deliver(self, message: Row) -> None:
        for status in ("sending", "sent", "delivered"):
            await asyncio.sleep(0.4)
            message["status"] = status
            await self.append({"type": "message_status_changed", "conversation_id": message["conversation_id"], "message_id": message["id"], "status": status, "error": None})

    # HTTP

    async def session(self, request: Request) -> Response:
        if request.method == "DELETE" or (request.method == "GET" and request.cookies.get("mock") != "1"):
            return JSONResponse({"code": "not_signed_in", "message": "Sign in first.", "field": None, "retry_after_s": None}, 401)
        if request.method == "POST" and (await request.json()).get("password") == "wrong":
            return JSONResponse({"code": "not_signed_in", "message": "E-mail or password is wrong.", "field": None, "retry_after_s": None}, 401)
        me = self.s["me"]
        answer = JSONResponse({
            "login": {"name": me["name"], "email": me["email"]},
            "workspaces": [{"workspace_id": 1, "workspace_name": self.s["workspace"]["name"], "member_id": me["id"], "role": "owner"}],
        })
        answer.set_cookie("mock", "1")
        return answer

    async def setup(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"needs_setup": self.needs_setup})
        self.needs_setup = False
        form = await request.json()
        self.s["workspace"]["name"] = form["workspace"]
        self.s["me"].update(name=form["name"], email=form["email"])
        answer = JSONResponse({"workspace_id": 1, "member_id": self.s["me"]["id"]})
        answer.set_cookie("mock", "1")
        return answer

    async def channels(self, request: Request) -> Response:
        registry = ConnectorRegistry.load()
        views = [_view(registry, manifest) for manifest in registry.manifests()]
        return Response(msgspec.json.encode({"channels": views}), media_type="application/json")

    async def snapshot(self, request: Request) -> Response:
        await asyncio.sleep(self.slow_ms / 1000)
        rows = self.page("open", None)[: int(request.query_params["limit"])]
        return JSONResponse({
            "epoch": 1, "seq": self.s["seq"], "workspace": self.s["workspace"], "me": self.s["me"],
            "permissions": self.s["permissions"], "members": self.s["members"], "inboxes": self.s["inboxes"],
            "channel_accounts": self.s["channel_accounts"],
            "counts": {status: sum(1 for row in self.s["conversations"] if row["status"] == status) for status in ("open", "pending", "snoozed", "closed")},
            "conversations": rows, "contacts": self.contacts_of(rows), "reads": self.reads_of(rows),
        })

    def page(self, status: str | None, assignee: str | None) -> list[Row]:
        wanted = {"me": self.s["me"]["id"], "none": None}.get(assignee or "", assignee)
        rows = [row for row in self.s["conversations"] if status in (None, row["status"]) and (assignee is None or row["assignee_id"] == wanted)]
        return sorted(rows, key=lambda row: row["last_activity_at"], reverse=True)

    def contacts_of(self, rows: list[Row]) -> list[Row]:
        ids = {row["contact_id"] for row in rows}
        return [row for row in self.s["contacts"] if row["id"] in ids]

    def reads_of(self, rows: list[Row]) -> list[Row]:
        ids = {row["id"] for row in rows}
        return [row for row in self.s["reads"] if row["conversation_id"] in ids]

    async def conversations(self, request: Request) -> Response:
        query = request.query_params
        start = int(query.get("before", "0"))
        everything = self.page(query.get("status"), query.get("assignee"))
        rows = everything[start : start + 50]
        following = str(start + 50) if start + 50 < len(everything) else None
        return JSONResponse({"seq": self.s["seq"], "conversations": rows, "contacts": self.contacts_of(rows), "reads": self.reads_of(rows), "next": following})

    async def one(self, request: Request) -> Response:
        row = next((row for row in self.s["conversations"] if row["id"] == request.path_params["id"]), None)
        if row is None:
            return JSONResponse({"code": "not_found", "message": "There is no such conversation.", "field": None, "retry_after_s": None}, 404)
        if request.method == "PATCH":
            await self.patch(row, await request.json())
            return JSONResponse({"conversation": row, "seq": self.s["seq"]})
        return JSONResponse({"seq": self.s["seq"], "conversation": row, "contact": self.contacts_of([row])[0], "reads": self.reads_of([row])})

    async def patch(self, row: Row, change: Row) -> None:
        previous = row["status"]
        row.update(change)
        if row["status"] != "snoozed":
            row["snoozed_until"] = None
        kind = "assigned" if "assignee_id" in change else {"open": "reopened", "closed": "closed", "snoozed": "snoozed"}[change["status"]]
        await self.append({"type": f"conversation_{kind}", "conversation": row, "previous_status": previous, "actor_id": self.s["me"]["id"]})

    async def messages(self, request: Request) -> Response:
        rows = [row for row in self.s["messages"] if row["conversation_id"] == request.path_params["id"]]
        end = int(request.query_params.get("before", len(rows)))
        start = max(0, end - 50)
        await asyncio.sleep(self.slow_ms / 1000)
        return JSONResponse({"seq": self.s["seq"], "messages": rows[start:end], "next": str(start) if start > 0 else None})

    async def retry(self, request: Request) -> Response:
        message = next(row for row in self.s["messages"] if row["id"] == request.path_params["message"])
        asyncio.get_running_loop().create_task(self.deliver(message))
        return JSONResponse({"seq": self.s["seq"]})

    async def read(self, request: Request) -> Response:
        await self.mark(request.path_params["id"], (await request.json())["seq"])
        return JSONResponse({"seq": self.s["seq"]})

    async def mark(self, id_: str, seq: int) -> None:
        me = self.s["me"]["id"]
        self.s["reads"] = [row for row in self.s["reads"] if row["conversation_id"] != id_]
        self.s["reads"].append({"conversation_id": id_, "member_id": me, "read_seq": seq})
        await self.append({"type": "conversation_read", "conversation_id": id_, "member_id": me, "read_seq": seq})

    async def contact(self, request: Request) -> Response:
        row = next(row for row in self.s["contacts"] if row["id"] == request.path_params["id"])
        if request.method == "PATCH":
            row.update(await request.json())
            seq = await self.append({"type": "contact_changed", "contact": row})
            return JSONResponse({"contact": row, "seq": seq})
        return JSONResponse({"contact": row, "conversations": [one for one in self.s["conversations"] if one["contact_id"] == row["id"]]})

    def account_view(self, row: Row) -> Row:
        warnings = ["Twilio cannot reach this computer. Set HUB_PUBLIC_URL to an https address that forwards here."] if row["channel"] == "twilio_sms" else []
        url = f"https://hub.example.com/webhooks/{row['channel']}/{row['id']}" if row["channel"] == "twilio_sms" else ""
        return {"id": row["id"], "webhook_url": url, "channel_account": row, "warnings": warnings}

    async def accounts(self, request: Request) -> Response:
        if request.method == "GET":
            return JSONResponse({"channel_accounts": [self.account_view(row) for row in self.s["channel_accounts"]]})
        form = await request.json()
        if form["credentials"].get("auth_token") == "wrong":
            return JSONResponse({"code": "invalid_input", "message": "Twilio does not accept this Auth Token.", "field": "auth_token", "retry_after_s": None}, 422)
        row = {
            "id": str(uuid.uuid4()), "inbox_id": self.s["inboxes"][0]["id"], "channel": form["channel"], "name": form["name"],
            "status": "connected", "status_reason": "", "settings": form["settings"], "created_at": now(), "version": 0,
        }  # fmt: skip
        self.s["channel_accounts"].append(row)
        await self.append({"type": "channel_account_connected", "channel_account": row, "inbox": self.s["inboxes"][0]})
        return JSONResponse(self.account_view(row), 201)

    async def account(self, request: Request) -> Response:
        row = next(row for row in self.s["channel_accounts"] if row["id"] == request.path_params["id"])
        row.update({"status": "removed"} if request.method == "DELETE" else {k: v for k, v in (await request.json()).items() if k != "credentials"})
        row["status_reason"] = ""
        await self.append({"type": "channel_account_changed", "channel_account": row})
        return Response(status_code=204) if request.method == "DELETE" else JSONResponse(self.account_view(row))

    async def test(self, request: Request) -> Response:
        await asyncio.sleep(0.3)
        return JSONResponse({"ok": True, "message": "The keys work, and the number can send and receive."})

    async def secret(self, request: Request) -> Response:
        return JSONResponse({"name": request.path_params["name"], "value": "kS2x0-mock-identity-secret-8aVd1"})

    async def play(self, request: Request) -> Response:
        """Make something happen: ``{"do": "message" | "frame" | "slow" | "drop", …}``."""
        order = await request.json()
        if order["do"] == "message":
            await self.message(order["conversation_id"], order["text"], author=order.get("author"))
        elif order["do"] == "frame":
            await self.broadcast(order["frame"])
        elif order["do"] == "slow":
            self.slow_ms = order["ms"]
        elif order["do"] == "drop":
            for socket in list(self.sockets):
                await socket.close(4001)
        return JSONResponse({})

    # The socket

    async def socket(self, socket: WebSocket) -> None:
        await socket.accept()
        try:
            while True:
                await self.receive(socket, json.loads(await socket.receive_text()))
        except (WebSocketDisconnect, RuntimeError):
            self.sockets.discard(socket)

    async def receive(self, socket: WebSocket, frame: Row) -> None:
        kind = frame["type"]
        if kind == "hello":
            cursor = frame["cursor"]
            recovered = cursor is not None and cursor["epoch"] == 1
            await socket.send_text(json.dumps({
                "type": "welcome", "protocol": 1, "connection_id": "mock", "epoch": 1, "head": self.s["seq"], "recovered": recovered,
                "heartbeat_s": 25, "resume_ticket": "again", "member_id": self.s["me"]["id"], "conversation_id": None,
            }))
            if recovered:
                for event in self.log:
                    if event["seq"] > cursor["seq"]:
                        await socket.send_text(json.dumps(event))
            self.sockets.add(socket)
            online = [self.s["me"]["id"], *[row["id"] for row in self.s["members"][1:3]]]
            await socket.send_text(json.dumps({"type": "presence", "member_ids": online}))
        elif kind == "send":
            await self.send(socket, frame)
        elif kind == "read":
            await self.mark(frame["conversation_id"], frame["seq"])
        elif kind == "ping":
            await socket.send_text(json.dumps({"type": "head", "seq": self.s["seq"]}))

    async def send(self, socket: WebSocket, frame: Row) -> None:
        text = frame["text"]
        error = {"stale": "Somebody answered while you wrote.", "refuse": "The text holds a link this channel does not allow."}
        code = next((word for word in error if text.startswith(f"/{word}")), None)
        client = frame["client_message_id"]
        if code is not None and not (code == "stale" and frame.get("again")):
            refusal = {"type": "error", "code": "stale" if code == "stale" else "invalid_input", "message": error[code], "field": "text", "retry_after_s": None, "client_message_id": client}
            await socket.send_text(json.dumps(refusal))
            return
        if text.startswith("/hold"):
            return
        message_id, seq = await self.message(frame["conversation_id"], text, kind=frame["kind"], author=self.s["me"]["id"], client=client)
        await socket.send_text(json.dumps({"type": "ack", "client_message_id": client, "message_id": message_id, "seq": seq}))


async def page(request: Request) -> Response:
    return FileResponse(DIST / "index.html", headers={"content-security-policy": CSP})


def build(hub: Hub) -> Starlette:
    workspace = "/api/v1/workspaces/1"
    row = f"{workspace}/conversations/{{id}}"
    return Starlette(routes=[
        Route("/api/v1/session", hub.session, methods=["GET", "POST", "DELETE"]),
        Route("/api/v1/password-links", hub.session, methods=["POST"]),
        Route("/api/v1/setup", hub.setup, methods=["GET", "POST"]),
        Route("/api/v1/channels", hub.channels),
        Route(f"{workspace}/snapshot", hub.snapshot),
        Route(f"{workspace}/conversations", hub.conversations),
        Route(row, hub.one, methods=["GET", "PATCH"]),
        Route(f"{row}/messages", hub.messages),
        Route(f"{row}/messages/{{message}}/retry", hub.retry, methods=["POST"]),
        Route(f"{row}/read", hub.read, methods=["PUT"]),
        Route(f"{workspace}/contacts/{{id}}", hub.contact, methods=["GET", "PATCH"]),
        Route(f"{workspace}/channel-accounts", hub.accounts, methods=["GET", "POST"]),
        Route(f"{workspace}/channel-accounts/{{id}}", hub.account, methods=["PATCH", "DELETE"]),
        Route(f"{workspace}/channel-accounts/{{id}}/test", hub.test, methods=["POST"]),
        Route(f"{workspace}/channel-accounts/{{id}}/secrets/{{name}}", hub.secret, methods=["POST"]),
        *mail_routes(workspace),
        Route("/mock", hub.play, methods=["POST"]),
        WebSocketRoute("/ws", hub.socket),
        Mount("/assets", StaticFiles(directory=DIST / "assets")),
        Route("/{path:path}", page),
    ])  # fmt: skip


if __name__ == "__main__":
    options = set(sys.argv[2:])
    state = EMPTY() if options & {"--empty", "--new"} else seed()
    uvicorn.run(build(Hub(state=state, needs_setup="--new" in options)), port=int(sys.argv[1]), log_level="warning")
