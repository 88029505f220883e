"""
Emulates the Gmail API for one mailbox, Google's sign-in before it, and Pub/Sub's pushes after it.

Run: ``python -m scripts.emulators.gmail``. Items to deliver are mails ``{mail, labels, from, to, subject, text, files,
reply_to, at}`` (``mail`` is a word or a whole Message-ID), or ``{push}``, the body of a push as it is. Several in one
batch are told by one push, as Gmail does. Beside what all emulators understand: ``redirect {uri}`` registers a redirect
address, ``revoke`` takes all agreements back, ``forget_history`` ends all ids of history, ``quiet {on}`` keeps it from
telling of what we send, ``label {mail, add, remove}`` and ``remove {mail}`` do what people do in Gmail, ``rename
{on}`` gives sent mails a Message-ID of Google's, ``new_key`` signs with a key nobody has fetched, ``untick {on}``
grants no scope.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Literal

import msgspec
from joserfc import jws
from joserfc.jwk import RSAKey

from scripts.emulators.gmail_mailbox import ADDRESS, Mail, Mailbox, full, metadata, raw, row, view
from scripts.emulators.http1 import Answer, Cut, Request, as_json
from scripts.emulators.oauth import OAuthServer, Rules
from scripts.emulators.vendor import Asked, Call, Endpoint, Fault, Refused, Vendor, serve
from scripts.emulators.written_mail import internet_id_of

CLIENT_ID = "1234-emulated.apps.googleusercontent.com"
CLIENT_SECRET = "emulated-client-secret"  # noqa: S105  of the emulator
SCOPE = "https://www.googleapis.com/auth/gmail.modify"
TOPIC = "projects/northwind-1/topics/gmail"
PUSH_ACCOUNT = "gmail-push@northwind-1.iam.gserviceaccount.com"
MOST_BYTES = 36_700_160
_SINCE = re.compile(r"after:(\d+)(?: before:(\d+))?")
_BY_ID = re.compile(r"rfc822msgid:(\S+)")
_PAGE = 100


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True, rename="camel"):
    pass


class Json(Strict):
    alt: Literal["json"] = "json"


class ListQuery(Json, kw_only=True):
    q: str = ""
    max_results: int = _PAGE
    page_token: str = ""
    include_spam_trash: Literal["true", "false"] = "false"


class HistoryQuery(Json, kw_only=True):
    start_history_id: int
    # A query names it several times; the last one is seen here.
    history_types: Literal["messageAdded", "messageDeleted", "labelAdded", "labelRemoved"]
    max_results: int = _PAGE
    page_token: str = ""


class GetQuery(Json, kw_only=True):
    format: Literal["raw", "full", "metadata", "minimal"] = "full"
    metadata_headers: str = ""


class UploadQuery(Json, kw_only=True):
    upload_type: Literal["multipart"]


class Watch(Strict):
    topic_name: str


class Modify(Strict):
    add_label_ids: list[str] = []
    remove_label_ids: list[str] = []


class Place(Strict):
    thread_id: str = ""


class RawMail(Strict):
    raw: str


class Draft(Strict):
    message: RawMail


def rules() -> Rules:
    return Rules(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uris=(),
        scopes=frozenset({SCOPE}),
        more=frozenset({"access_type", "prompt"}),
        rolls=False,
        authorize_path="/o/oauth2/v2/auth",
        token_path="/token",  # noqa: S106  a path
        revoke_path="/revoke",
    )


class Gmail(Vendor):
    """
    One mailbox behind the API.

    Attributes:
        tokens: Access tokens that are good without a sign-in, for tests of the client alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.oauth = OAuthServer(rules())
        self.box = Mailbox()
        self.tokens: set[str] = set()
        self.watched: str | None = None
        self.drafts = 0
        self.tells = True
        self.unticked = False
        self.keys = {"g1": RSAKey.generate_key(2048)}

    def endpoints(self) -> Sequence[Endpoint]:
        me, one = "/gmail/v1/users/me", "/gmail/v1/users/me/messages/([0-9a-f]+)"
        upload = "/upload/gmail/v1/users/me/messages/send"
        return (
            Endpoint(method="GET", path="/oauth2/v3/certs", answer=self._certs, public=True),
            Endpoint(method="GET", path=f"{me}/profile", answer=self._profile, query=Json),
            Endpoint(method="POST", path=f"{me}/watch", answer=self._watch, body=Watch, query=Json),
            Endpoint(method="POST", path=f"{me}/stop", answer=self._stop, query=Json),
            Endpoint(method="GET", path=f"{me}/history", answer=self._history, query=HistoryQuery),
            Endpoint(method="GET", path=f"{me}/messages", answer=self._list, query=ListQuery),
            Endpoint(method="GET", path=one, answer=self._get, query=GetQuery),
            Endpoint(method="POST", path=f"{one}/modify", answer=self._modify, body=Modify, query=Json),
            Endpoint(method="POST", path=upload, answer=self._send, query=UploadQuery, raw=True),
            Endpoint(method="POST", path=f"{me}/drafts", answer=self._draft, body=Draft, query=Json),
            Endpoint(method="DELETE", path=rf"{me}/drafts/(r\d+)", answer=self._undraft, query=Json),
        )

    async def handle(self, request: Request) -> Answer | Cut:
        signed_in = self.oauth.handle(request)
        if signed_in is None:
            return await super().handle(request)
        if self.unticked and request.path == self.oauth.rules.token_path and signed_in.status == 200:
            return as_json(200, json.loads(signed_in.body) | {"scope": "openid"})
        return signed_in

    def check(self, asked: Request) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens and self.oauth.user_of(token) is None:
            raise Refused(self.fault(Fault("credentials", "Request had invalid authentication credentials.")))

    def fault(self, fault: Fault) -> Answer:
        status, reason = {"credentials": (401, "authError"), "missing_endpoint": (404, "notFound")}.get(
            fault.kind, (400, "invalidArgument")
        )
        return refused(status, reason, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = refused(int(order.get("status", 429)), "rateLimitExceeded", "User-rate limit exceeded.")
        return Answer(answer.status, answer.body, headers={"Retry-After": str(order.get("retry_after", 1))})

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _certs(self, _asked: Asked) -> Answer:
        public = [{**key.as_dict(private=False), "kid": kid, "use": "sig"} for kid, key in self.keys.items()]
        return as_json(200, {"keys": public})

    def _profile(self, _asked: Asked) -> Answer:
        return as_json(200, {"emailAddress": ADDRESS, "historyId": str(self.box.history_id), "messagesTotal": 1})

    def _history(self, asked: Asked) -> Answer:
        query: HistoryQuery = asked.query
        if query.start_history_id < self.box.valid_from:
            raise Refused(refused(404, "notFound", "Requested entity was not found."))
        kinds = {value for name, value in asked.request.query if name == "historyTypes"}
        known = {"messageAdded": "messagesAdded", "labelAdded": "labelsAdded"}
        names = {known.get(kind, kind) for kind in kinds} | {"messages"}
        start = self._start_at(query.page_token, query.start_history_id - 9000)
        records = []
        for place, record in enumerate(self.box.log[start : start + query.max_results], start):
            shown = {name: value for name, value in record.items() if name in names}
            if set(shown) - {"messages"}:
                records.append({"id": str(9001 + place), **shown})
        answer: dict[str, Any] = {"historyId": str(self.box.history_id)}
        if records:
            answer["history"] = records
        if start + query.max_results < len(self.box.log):
            answer["nextPageToken"] = f"h{start + query.max_results}"
        return as_json(200, answer)

    def _list(self, asked: Asked) -> Answer:
        query: ListQuery = asked.query
        hidden = set() if query.include_spam_trash == "true" else {"SPAM", "TRASH"}
        found = [one for one in self.box.mails.values() if not hidden & one.labels]
        if match := _BY_ID.fullmatch(query.q):
            found = [one for one in found if one.internet_id == match[1]]
        elif match := _SINCE.fullmatch(query.q):
            begin, end = int(match[1]), int(match[2] or 1 << 40)
            found = [one for one in found if begin <= one.arrived_at.timestamp() < end]
        else:
            raise Refused(refused(400, "invalidArgument", f"The search is not understood: {query.q}"))
        found.sort(key=lambda one: one.arrived_at, reverse=True)
        start = self._start_at(query.page_token, 0)
        answer: dict[str, Any] = {"resultSizeEstimate": len(found)}
        if found[start:]:
            answer["messages"] = [row(one) for one in found[start : start + query.max_results]]
        if start + query.max_results < len(found):
            answer["nextPageToken"] = f"h{start + query.max_results}"
        return as_json(200, answer)

    def _get(self, asked: Asked) -> Answer:
        mail, query = self._mail(asked), asked.query
        if query.format == "raw":
            return as_json(200, raw(mail))
        if query.format == "full":
            return as_json(200, full(mail))
        if query.format == "metadata":
            names = {value.lower() for name, value in asked.request.query if name == "metadataHeaders"}
            return as_json(200, metadata(mail, names))
        return as_json(200, view(mail))

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _send(self, asked: Asked) -> Answer:
        place, mime = self._parts(asked.request)
        if len(mime) > MOST_BYTES:
            raise Refused(refused(413, "uploadTooLarge", "Request is too large."))
        if not re.search(rb"^(To|Cc|Bcc): \S", mime, re.MULTILINE):
            raise Refused(refused(400, "invalidArgument", "Recipient address required"))
        threads = {one.thread_id for one in self.box.mails.values()}
        if place.thread_id and place.thread_id not in threads:
            raise Refused(refused(404, "notFound", "Requested entity was not found."))
        mail = self.box.send(mime, place.thread_id)
        if self.tells and self.watched:
            self.later([{"push": self._push()}])
        return as_json(200, row(mail) | {"labelIds": ["SENT"]})

    def _parts(self, request: Request) -> tuple[Place, bytes]:
        """Cut a multipart/related body into its JSON and the mail."""
        kind, _, boundary = request.headers.get("content-type", "").partition("; boundary=")
        pieces = request.body.split(f"--{boundary.strip(chr(34))}".encode())
        if kind != "multipart/related" or len(pieces) != 4 or pieces[3].strip() != b"--":
            raise Refused(refused(400, "badContent", "Not two parts, one of them the mail."))
        heads = [piece.lstrip(b"\n").partition(b"\n\n") for piece in pieces[1:3]]
        if b"application/json" not in heads[0][0] or b"message/rfc822" not in heads[1][0]:
            raise Refused(refused(400, "badContent", "Not JSON and a mail."))
        place: Place = self._convert(json.loads(heads[0][2]), Place, strict=True)  # type: ignore[assignment]
        return place, heads[1][2].removesuffix(b"\n")

    def _modify(self, asked: Asked) -> Answer:
        mail, body = self._mail(asked), asked.body
        self.box.relabel(mail, set(body.add_label_ids), set(body.remove_label_ids))
        return as_json(200, row(mail) | {"labelIds": sorted(mail.labels)})

    def _draft(self, asked: Asked) -> Answer:
        base64.urlsafe_b64decode(asked.body.message.raw)
        self.drafts += 1
        return as_json(200, {"id": f"r{self.drafts}", "message": {"id": "d0", "threadId": "d0"}})

    def _undraft(self, asked: Asked) -> Answer:
        if asked.arguments[0] != f"r{self.drafts}":
            raise Refused(refused(404, "notFound", "Requested entity was not found."))
        return Answer(204, b"")

    # ── pushes ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _watch(self, asked: Asked) -> Answer:
        if asked.body.topic_name != TOPIC:
            raise Refused(refused(403, "forbidden", "Error sending test message to Cloud PubSub: not authorized."))
        self.watched = asked.body.topic_name
        ends_ms = int((time.time() + 7 * 86_400) * 1000)
        return as_json(200, {"historyId": str(self.box.history_id), "expiration": str(ends_ms)})

    def _stop(self, _asked: Asked) -> Answer:
        self.watched = None
        return Answer(204, b"")

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        body = b""
        for item in items:
            if "push" in item:
                body = json.dumps(item["push"]).encode()
                continue
            self.box.receive(item)
            body = json.dumps(self._push()).encode()
        headers = {"content-type": "application/json"}
        if sign != "none":
            now_s = int(time.time()) - (7200 if sign == "old" else 0)
            claims = {"iss": "https://accounts.google.com", "aud": self.webhook_url, "iat": now_s, "exp": now_s + 3600}
            claims |= {"email": PUSH_ACCOUNT, "email_verified": True, "sub": "1"}
            kid = list(self.keys)[-1]
            key = RSAKey.generate_key(2048) if sign == "wrong" else self.keys[kid]
            token = jws.serialize_compact({"alg": "RS256", "kid": kid}, json.dumps(claims).encode(), key)
            headers["authorization"] = f"Bearer {token}"
        return Call("", body, headers)

    def _push(self) -> dict[str, Any]:
        note = {"emailAddress": ADDRESS, "historyId": self.box.history_id}
        data = base64.urlsafe_b64encode(json.dumps(note).encode()).decode()
        at = datetime.now(UTC).isoformat().replace("+00:00", "Z")
        message = {"data": data, "messageId": str(time.time_ns()), "publishTime": at}
        return {"message": message, "subscription": "projects/northwind-1/subscriptions/gmail-push"}

    # ── control ─────────────────────────────────────────────────────────────────────────────────────────────────

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "redirect":
                known = {*self.oauth.rules.redirect_uris, order["uri"]}
                self.oauth.rules = replace(self.oauth.rules, redirect_uris=tuple(sorted(known)))
            case "revoke":
                self.oauth.end_grants()
                self.tokens.clear()
            case "forget_history":
                self.box.valid_from = self.box.history_id + 1
            case "quiet":
                self.tells = not order["on"]
            case "rename":
                self.box.renames = order["on"]
            case "untick":
                self.unticked = order["on"]
            case "new_key":
                self.keys[f"g{len(self.keys) + 1}"] = RSAKey.generate_key(2048)
            case "label":
                self.box.relabel(self._named(order), set(order.get("add", ())), set(order.get("remove", ())))
            case "remove":
                self.box.remove(self._named(order))
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        read = [one.internet_id for one in self.box.mails.values() if "UNREAD" not in one.labels]
        return {"sent": self.box.sent(), "watched": self.watched, "read": read, "refused": self.oauth.refused}

    # ── bits ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _named(self, order: Mapping[str, Any]) -> Mail:
        mail = self.box.find(internet_id_of(order["mail"]))
        if mail is None:
            raise KeyError(order["mail"])
        return mail

    def _mail(self, asked: Asked) -> Mail:
        mail = self.box.mails.get(asked.arguments[0])
        if mail is None:
            raise Refused(refused(404, "notFound", "Requested entity was not found."))
        return mail

    def _start_at(self, token: str, start: int) -> int:
        if token and not re.fullmatch(r"h\d{1,9}", token):
            raise Refused(refused(400, "invalidArgument", "Invalid pageToken"))
        return int(token[1:]) if token else start


def refused(status: int, reason: str, words: str) -> Answer:
    """Return a refusal in the shape of Google's APIs."""
    name = {400: "INVALID_ARGUMENT", 401: "UNAUTHENTICATED", 403: "PERMISSION_DENIED", 404: "NOT_FOUND"}
    error = {"code": status, "message": words, "status": name.get(status, "RESOURCE_EXHAUSTED")}
    errors = [{"message": words, "domain": "global", "reason": reason}]
    return as_json(status, {"error": error | {"errors": errors}})


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Gmail(), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
