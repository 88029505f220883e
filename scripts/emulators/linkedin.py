"""
Emulates LinkedIn for one member: signing in, events of messages, new messages, whose data it is.

Run: ``python -m scripts.emulators.linkedin [--product messages_api|member_portability|none]``. Items to deliver are
events, see ``event_of``: they wait until they are asked for. Beside what all emulators understand: ``redirect {uri}``
registers an address, ``revoke`` ends what was granted, ``product {name}`` grants another product.
"""

from __future__ import annotations

import argparse
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Literal

import msgspec

from scripts.emulators.http1 import Answer, Cut, Request, as_json
from scripts.emulators.oauth import OAuthServer, Rules
from scripts.emulators.vendor import Asked, Call, Delivery, Endpoint, Fault, Refused, Vendor, serve

CLIENT_ID, CLIENT_SECRET = "emulated-client", "emulated-client-secret"
OWNER = "urn:li:person:emulated-member"
GRANTS = {
    "none": frozenset({"openid", "profile"}),
    "messages_api": frozenset({"openid", "profile", "w_member_messages", "r_compliance"}),
    "member_portability": frozenset({"r_dma_portability_3rd_party"}),
}
_EVENTS = {"messages_api": "memberComplianceEvents", "member_portability": "memberChangeLogs"}
_RESOURCES = r"/rest/(memberComplianceEvents|memberChangeLogs)"
_VERSION = re.compile(r"20[2-9][0-9](0[1-9]|1[0-2])")

Urn = Annotated[str, msgspec.Meta(pattern=r"^urn:li:[A-Za-z]+:[^\s]+$")]


class Sending(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    body: Annotated[str, msgspec.Meta(min_length=1, max_length=8000)]
    thread: Urn | None = None
    recipients: Annotated[list[Urn], msgspec.Meta(min_length=1)] | None = None


class Listing(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    q: Literal["memberAndApplication"]
    startTime: Annotated[int, msgspec.Meta(ge=1)] = 1
    start: Annotated[int, msgspec.Meta(ge=0)] = 0
    count: Annotated[int, msgspec.Meta(ge=1, le=50)] = 10


class Finding(msgspec.Struct, forbid_unknown_fields=True):
    q: Literal["memberAndApplication"]


class Nothing(msgspec.Struct, forbid_unknown_fields=True):
    pass


class LinkedIn(Vendor):
    """One member, what happened to them, and what was sent in their name."""

    def __init__(self, product: str = "messages_api") -> None:
        self.product = product
        self.events: list[dict[str, Any]] = []
        self.sent: list[dict[str, Any]] = []
        self.authorized = False
        self.oauth = OAuthServer(
            Rules(
                client_id=CLIENT_ID,
                client_secret=CLIENT_SECRET,
                redirect_uris=("https://hub.example.com/connect/linkedin/callback",),
                scopes=frozenset().union(*GRANTS.values()),
                takes_basic=False,
                needs_pkce=False,
                refreshes=False,
                authorize_path="/oauth/v2/authorization",
                token_path="/oauth/v2/accessToken",  # noqa: S106  a path
                revoke_path="/oauth/v2/revoke",
            )
        )
        super().__init__()

    async def handle(self, request: Request) -> Answer | Cut:
        return self.oauth.handle(request) or await super().handle(request)

    def endpoints(self) -> Sequence[Endpoint]:
        authorizations = "/rest/memberAuthorizations"
        return (
            Endpoint(method="GET", path="/v2/userinfo", answer=self._userinfo, query=Nothing),
            Endpoint(method="GET", path=authorizations, answer=self._authorizations, query=Finding),
            Endpoint(method="POST", path=authorizations, answer=self._authorize, body=Nothing),
            Endpoint(method="GET", path=_RESOURCES, answer=self._list, query=Listing),
            Endpoint(method="POST", path="/rest/messages", answer=self._send, body=Sending),
        )

    def check(self, asked: Request) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if self.oauth.user_of(token) is None:
            raise Refused(self.fault(Fault("credentials", "The token used in the request has been revoked")))
        if asked.headers.get("x-restli-protocol-version") != "2.0.0":
            raise Refused(problem(400, "X-RestLi-Protocol-Version must be 2.0.0"))
        if asked.path.startswith("/rest/") and not _VERSION.fullmatch(asked.headers.get("linkedin-version", "")):
            raise Refused(problem(426, "A version must be present"))

    def fault(self, fault: Fault) -> Answer:
        status = {"credentials": 401, "missing_endpoint": 404}.get(fault.kind, 400)
        return problem(status, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = problem(429, "Resource level throttle limit for calls to this resource is reached.")
        return Answer(429, answer.body, answer.content_type, {"Retry-After": str(order.get("retry_after", 1))})

    # ── what is asked ───────────────────────────────────────────────────────────────────────────────────────────

    def _userinfo(self, _asked: Asked) -> Answer:
        if self.product == "member_portability":
            raise Refused(problem(403, "Not enough permissions to access: userinfo.GET.NO_VERSION"))
        return as_json(200, {"sub": OWNER.rpartition(":")[2], "name": "Nora North"})

    def _authorizations(self, _asked: Asked) -> Answer:
        self._need("member_portability")
        key = {"developerApplication": "urn:li:developerApplication:1", "member": OWNER}
        rows = [{"regulatedAt": 1, "memberComplianceAuthorizationKey": key, "memberComplianceScopes": ["DMA"]}]
        return as_json(200, {"elements": rows if self.authorized else []})

    def _authorize(self, _asked: Asked) -> Answer:
        self._need("member_portability")
        self.authorized = True
        return as_json(200, {})

    def _list(self, asked: Asked) -> Answer:
        (resource,) = asked.arguments
        if _EVENTS.get(self.product) != resource:
            raise Refused(problem(403, f"Not enough permissions to access: {resource}.FINDER-memberAndApplication"))
        query: Listing = asked.query
        # Newest first: nobody may rely on an order that is not documented.
        rows = [one for one in reversed(self.events) if one["processedAt"] >= query.startTime]
        paging = {"start": query.start, "count": query.count, "links": []}
        return as_json(200, {"paging": paging, "elements": rows[query.start : query.start + query.count]})

    def _send(self, asked: Asked) -> Answer:
        self._need("messages_api")
        body: Sending = asked.body
        if (body.thread is None) == (body.recipients is None):
            raise Refused(problem(400, "Exactly one of thread and recipients is required"))
        number = len(self.sent) + 1
        thread = body.thread or f"urn:li:messagingThread:2-new-{number}"
        others = body.recipients or self._people_of(thread)
        kept = {"id": f"2-sent-{number}", "text": body.body, "thread": thread}
        self.sent.append(kept)
        self._add(event_of(f"sent-{number}", OWNER, body.body, thread=thread, people=others, resource_id=kept["id"]))
        answer = as_json(201, {})
        return Answer(201, answer.body, answer.content_type, {"x-restli-id": kept["id"]})

    def _need(self, product: str) -> None:
        if self.product != product:
            raise Refused(problem(403, "Not enough permissions to access this resource"))

    def _people_of(self, thread: str) -> list[str]:
        members = [
            member["identity"]
            for one in self.events
            if one["activity"]["thread"] == thread
            for member in one["processedActivity"]["thread~"]["membership"]
        ]
        return sorted({one for one in members if one != OWNER})

    # ── what happened ───────────────────────────────────────────────────────────────────────────────────────────

    async def deliver(self, items: Sequence[Any], how: Delivery, url: str = "") -> list[dict[str, Any]]:  # noqa: ARG002
        """Keep events until they are asked for, ``times`` each; one id is one moment, whenever it is told again."""
        chosen = [item for item in items for _ in range(how.times)]
        if how.shuffle:
            self._random.shuffle(chosen)
        for item in chosen:
            self._add(item)
        return [{"status": 200, "content_type": "", "body": ""} for _ in chosen]

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        raise NotImplementedError("LinkedIn calls nobody about messages")

    def _add(self, event: dict[str, Any]) -> None:
        now_ms = max(int(time.time() * 1000), self.events[-1]["processedAt"] if self.events else 0)
        self.events.append({**event, "processedAt": now_ms})

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "redirect":
                known = {*self.oauth.rules.redirect_uris, order["uri"]}
                self.oauth.rules = replace(self.oauth.rules, redirect_uris=tuple(sorted(known)))
            case "revoke":
                self.oauth.end_grants()
            case "product":
                self.product = order["name"]
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        return {"sent": self.sent, "refused": self.oauth.refused}

    def forget(self) -> None:
        self.sent.clear()


def event_of(
    key: str,
    actor: str,
    text: str,
    *,
    thread: str,
    people: Sequence[str],
    resource_id: str = "",
    names: Mapping[str, str] | None = None,
) -> dict[str, Any]:
    """Write an event about a new message, as LinkedIn does; ``people`` are in the thread beside the member."""
    known = names or {}
    membership = [{"identity": one} | ({"name": known[one]} if one in known else {}) for one in (OWNER, *people)]
    return {
        "owner": OWNER,
        "actor": actor,
        "resourceName": "messages",
        "method": "CREATE",
        "activityId": key,
        "resourceId": resource_id or f"2-{key}",
        "activity": {"thread": thread, "content": {"text": text}, "deliveredAt": int(time.time() * 1000)},
        "processedActivity": {"thread~": {"membership": membership}},
    }


def problem(status: int, message: str) -> Answer:
    """Return a refusal in LinkedIn's shape."""
    return as_json(status, {"message": message, "serviceErrorCode": 100, "status": status})


def main() -> None:
    """Read the command line and serve until killed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--product", choices=sorted(GRANTS), default="messages_api")
    serve(lambda options: LinkedIn(options.product), parser)


if __name__ == "__main__":
    main()
