"""
Emulates Microsoft Graph for one mailbox, and Microsoft's sign-in before it.

Run: ``python -m scripts.emulators.outlook``. Items to deliver are mails ``{mail, folder, from, to, subject, text,
files, reply_to, at}`` (``mail`` is a word or a whole Message-ID), ``{lifecycle}`` or ``{raw}``. Beside what all
emulators understand: ``redirect {uri}`` registers a redirect address, ``revoke`` takes all agreements back, ``resync``
ends all delta tokens, ``drop`` removes all subscriptions, ``quiet {on}`` keeps it from notifying of what we send.
"""

from __future__ import annotations

import argparse
import base64
import json
import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from typing import Any
from urllib.parse import quote, unquote

from scripts.emulators.http1 import Answer, Cut, Request, as_json
from scripts.emulators.oauth import OAuthServer, Rules
from scripts.emulators.outlook_mailbox import ADDRESS, FOLDERS, Mail, Mailbox, row
from scripts.emulators.outlook_shapes import (
    DeltaQuery,
    ListQuery,
    MessageQuery,
    NewAttachment,
    NewMessage,
    NewReply,
    NewSession,
    NewSubscription,
    ReadPatch,
    SelectQuery,
    SubscriptionPatch,
)
from scripts.emulators.vendor import Asked, Call, Endpoint, Fault, Refused, Vendor, serve

CLIENT_ID = "00000000-1111-4222-8333-444444444444"
CLIENT_SECRET = "emulated-client-secret"  # noqa: S105  of the emulator
USER_ID = "48d31887-5fad-4d73-a9f5-3c356e68a038"
LONGEST_LIFE = timedelta(minutes=4230)
_RESOURCE = re.compile(r"me/mailFolders\('(inbox|sentitems)'\)/messages", re.IGNORECASE)
_MARKED = re.compile(r"singleValueExtendedProperties/Any\(ep: ep/id eq '([^']+)' and ep/value eq '([^']*)'\)")
_BY_ID = re.compile(r"internetMessageId eq '<((?:[^']|'')+)>'")
_SINCE = re.compile(r"receivedDateTime ge (\S+)(?: and receivedDateTime lt (\S+))?")
_PREFERS_IDS = re.compile(r'IdType\s*=\s*"ImmutableId"')
_PAGE = re.compile(r"odata\.maxpagesize=(\d+)")


def rules() -> Rules:
    return Rules(
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uris=(),
        scopes=frozenset({"offline_access", "Mail.ReadWrite", "Mail.Send", "User.Read"}),
        more=frozenset({"response_mode", "prompt"}),
        authorize_path="/common/oauth2/v2.0/authorize",
        token_path="/common/oauth2/v2.0/token",  # noqa: S106  a path
        revoke_path="/common/oauth2/v2.0/revoke",
    )


class Graph(Vendor):
    """
    One mailbox behind Graph.

    Attributes:
        tokens: Access tokens that are good without a sign-in, for tests of the client alone.
    """

    def __init__(self) -> None:
        super().__init__()
        self.oauth = OAuthServer(rules())
        self.box = Mailbox()
        self.subscriptions: dict[str, dict[str, Any]] = {}
        self.tokens: set[str] = set()
        self.uploads: dict[str, dict[str, Any]] = {}
        self.notifies = True

    def endpoints(self) -> Sequence[Endpoint]:
        me, one = "/v1.0/me", "/v1.0/me/messages/(AAkALg[^/]+)"
        folder = rf"{me}/mailFolders/(\w+)/messages"
        return (
            Endpoint(method="GET", path=me, answer=self._me, query=SelectQuery),
            Endpoint(method="GET", path=f"{me}/mailFolders/inbox", answer=self._folder, query=SelectQuery),
            Endpoint(method="GET", path=folder + r"/delta(?:\(\))?", answer=self._delta, query=DeltaQuery),
            Endpoint(method="GET", path=folder, answer=self._list, query=ListQuery),
            Endpoint(method="GET", path=f"{me}/messages", answer=self._find, query=MessageQuery),
            Endpoint(method="POST", path=f"{me}/messages", answer=self._write, body=NewMessage),
            Endpoint(method="GET", path=rf"{one}/\$value", answer=self._mime),
            Endpoint(method="POST", path=f"{one}/createReply", answer=self._reply, body=NewReply),
            Endpoint(method="POST", path=f"{one}/send", answer=self._send),
            Endpoint(method="POST", path=f"{one}/attachments", answer=self._attach, body=NewAttachment),
            Endpoint(
                method="POST", path=f"{one}/attachments/createUploadSession", answer=self._session, body=NewSession
            ),
            Endpoint(method="PUT", path=r"/upload/(\w+)", answer=self._upload, raw=True, public=True),
            Endpoint(method="GET", path=one, answer=self._read, query=SelectQuery),
            Endpoint(method="PATCH", path=one, answer=self._patch, body=ReadPatch),
            Endpoint(method="DELETE", path=one, answer=self._delete),
            Endpoint(method="GET", path="/v1.0/subscriptions", answer=self._subscriptions),
            Endpoint(method="POST", path="/v1.0/subscriptions", answer=self._subscribe, body=NewSubscription),
            Endpoint(method="PATCH", path=r"/v1.0/subscriptions/([\w-]+)", answer=self._extend, body=SubscriptionPatch),
            Endpoint(method="DELETE", path=r"/v1.0/subscriptions/([\w-]+)", answer=self._unsubscribe),
        )

    async def handle(self, request: Request) -> Answer | Cut:
        signed_in = self.oauth.handle(request)
        return signed_in if signed_in is not None else await super().handle(request)

    def check(self, asked: Request) -> None:
        token = asked.headers.get("authorization", "").removeprefix("Bearer ")
        if token not in self.tokens and self.oauth.user_of(token) is None:
            raise Refused(self.fault(Fault("credentials", "Access token is empty, has expired or is not ours.")))
        if not _PREFERS_IDS.search(asked.headers.get("prefer", "")):
            raise Refused(refused(400, "ErrorPreferMissing", "A request without IdType: ids would change."))

    def fault(self, fault: Fault) -> Answer:
        status, code = {
            "credentials": (401, "InvalidAuthenticationToken"),
            "missing_endpoint": (404, "ResourceNotFound"),
        }.get(fault.kind, (400, "BadRequest"))
        return refused(status, code, f"{fault.reason} {fault.field}".strip())

    def throttled(self, order: Mapping[str, Any]) -> Answer:
        answer = refused(429, "ApplicationThrottled", "Application is over its MailboxConcurrency limit.")
        return Answer(429, answer.body, headers={"Retry-After": str(order.get("retry_after", 1))})

    # ── reading ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _me(self, _asked: Asked) -> Answer:
        return as_json(200, {"id": USER_ID, "mail": ADDRESS, "userPrincipalName": ADDRESS})

    def _folder(self, _asked: Asked) -> Answer:
        return as_json(200, {"id": "AAkALgInbox"})

    def _delta(self, asked: Asked) -> Answer:
        folder, query = self._known(asked.arguments[0]), asked.query
        since = ""
        if query.token:
            number, _, since = query.token.partition("|")
            place = int(number)
            if place < self.box.valid_from:
                raise Refused(refused(410, "SyncStateNotFound", "The sync state has ended."))
        else:
            if query.change_type != "created" or not _SINCE.fullmatch(query.filter):
                raise Refused(refused(400, "ErrorInvalidUrlQuery", "changeType or $filter is missing here."))
            place, since = 0, _SINCE.fullmatch(query.filter)[1]  # type: ignore[index]  # matched above
        size = page_size(asked)
        rows: list[dict[str, Any]] = []
        while place < len(self.box.log) and len(rows) < size:
            where, mail_id = self.box.log[place]
            mail = self.box.mails.get(mail_id)
            place += 1
            if where != folder or (mail is not None and mail.received_at < datetime.fromisoformat(since)):
                continue
            rows.append(row(mail) if mail else {"id": mail_id, "@removed": {"reason": "deleted"}})
        name, option = ("nextLink", "skiptoken") if place < len(self.box.log) else ("deltaLink", "deltatoken")
        link = f"{origin(asked)}/v1.0/me/mailFolders/{folder}/messages/delta?${option}={quote(f'{place}|{since}')}"
        return as_json(200, {"value": rows, f"@odata.{name}": link})

    def _list(self, asked: Asked) -> Answer:
        folder, query = self._known(asked.arguments[0]), asked.query
        match = _SINCE.fullmatch(query.filter)
        if match is None or query.orderby != "receivedDateTime asc":
            raise Refused(refused(400, "ErrorInvalidUrlQuery", "$filter or $orderby is not understood."))
        begin = datetime.fromisoformat(match[1])
        end = datetime.fromisoformat(match[2]) if match[2] else datetime.max.replace(tzinfo=UTC)
        found = [one for one in self.box.mails.values() if one.folder == folder and begin <= one.received_at < end]
        found.sort(key=lambda one: one.received_at)
        start, size = query.skip, page_size(asked)
        answer: dict[str, Any] = {"value": [row(one) for one in found[start : start + size]]}
        if query.count == "true" and not start:
            answer["@odata.count"] = len(found)
        if start + size < len(found):
            more = f"$filter={quote(query.filter)}&$orderby={quote(query.orderby)}&$skip={start + size}"
            answer["@odata.nextLink"] = f"{origin(asked)}{asked.request.path}?{more}"
        return as_json(200, answer)

    def _find(self, asked: Asked) -> Answer:
        wanted = asked.query.filter
        if match := _MARKED.fullmatch(wanted):
            found = [one for one in self.box.mails.values() if one.mark.get(match[1]) == match[2]]
        elif match := _BY_ID.fullmatch(wanted):
            found = [one for one in self.box.mails.values() if one.internet_id == match[1].replace("''", "'")]
        else:
            raise Refused(refused(400, "ErrorInvalidUrlQueryFilter", "The filter is not understood."))
        return as_json(200, {"value": [self._view(one) for one in found]})

    def _mime(self, asked: Asked) -> Answer:
        return Answer(200, self._mail(asked).mime, "text/plain")

    def _read(self, asked: Asked) -> Answer:
        mail = self._mail(asked)
        headers = [line.partition(": ")[::2] for line in mail.mime.decode().partition("\n\n")[0].splitlines()]
        body = {"contentType": "text", "content": mail.mime.decode().partition("\n\n")[2][:1000]}
        named = [{"name": name, "value": value} for name, value in headers if value]
        return as_json(200, {"id": mail.id, "internetMessageHeaders": named, "body": body})

    # ── writing ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _write(self, asked: Asked) -> Answer:
        return as_json(201, self._view(self.box.write(json.loads(asked.request.body))))

    def _reply(self, asked: Asked) -> Answer:
        parent = self._mail(asked)
        content = json.loads(asked.request.body)["message"]
        content.setdefault("subject", f"RE: {message_from_bytes(parent.mime)['subject']}")
        return as_json(201, self._view(self.box.write(content, parent.internet_id)))

    def _send(self, asked: Asked) -> Answer:
        mail = self._mail(asked)
        if not mail.is_draft:
            raise Refused(refused(404, "ErrorItemNotFound", "The draft is not there."))
        if not mail.draft.get("toRecipients"):
            raise Refused(refused(400, "ErrorInvalidRecipients", "At least one recipient is not valid."))
        self.box.send(mail)
        if self.notifies:
            self.later([{"mail": mail.internet_id, "folder": "sentitems"}])
        return Answer(202, b"")

    def _attach(self, asked: Asked) -> Answer:
        content = base64.b64decode(asked.body.content_bytes, validate=True)
        if len(content) > 3 * 1024 * 1024 or len(asked.request.body) > 4 * 1024 * 1024:
            raise Refused(refused(413, "ErrorMessageSizeExceeded", "Use an upload session."))
        file = {"name": asked.body.name, "contentType": asked.body.content_type, "bytes": content}
        self._mail(asked).files.append(file)
        return as_json(201, {"id": secrets.token_hex(8)})

    def _session(self, asked: Asked) -> Answer:
        item = asked.body.attachment_item
        if item.size <= 3 * 1024 * 1024:
            raise Refused(refused(400, "ErrorAttachmentSizeShouldNotBeLessThanMinimumSize", "Attach it at once."))
        name = secrets.token_hex(12)
        file = {"name": item.name, "contentType": item.content_type, "bytes": b""}
        self.uploads[name] = {"mail": self._mail(asked), "size": item.size, "file": file}
        return as_json(201, {"uploadUrl": f"{origin(asked)}/upload/{name}", "nextExpectedRanges": ["0-"]})

    def _upload(self, asked: Asked) -> Answer:
        upload, headers = self.uploads.get(asked.arguments[0]), asked.request.headers
        span = re.fullmatch(r"bytes (\d+)-(\d+)/(\d+)", headers.get("content-range", ""))
        if upload is None or span is None or "authorization" in headers:
            raise Refused(refused(400, "BadRequest", "No session, no range, or a token where none belongs."))
        begin, end, size = map(int, span.groups())
        piece, file = asked.request.body, upload["file"]
        is_last = end + 1 == size
        whole = begin == len(file["bytes"]) and end - begin + 1 == len(piece) and size == upload["size"]
        if not whole or len(piece) > 4 * 1024 * 1024 or (not is_last and len(piece) % (320 * 1024)):
            raise Refused(refused(416, "InvalidRange", "The range is not the next one, or not of the size told."))
        file["bytes"] += piece
        if is_last:
            upload["mail"].files.append(file)
            return Answer(201, b"")
        return as_json(200, {"nextExpectedRanges": [f"{end + 1}-"]})

    def _patch(self, asked: Asked) -> Answer:
        mail = self._mail(asked)
        mail.is_read = asked.body.is_read
        return as_json(200, self._view(mail))

    def _delete(self, asked: Asked) -> Answer:
        del self.box.mails[self._mail(asked).id]
        return Answer(204, b"")

    # ── subscriptions ───────────────────────────────────────────────────────────────────────────────────────────

    def _subscriptions(self, _asked: Asked) -> Answer:
        # The secret is never shown again.
        return as_json(200, {"value": [one | {"clientState": None} for one in self.subscriptions.values()]})

    async def _subscribe(self, asked: Asked) -> Answer:
        wanted, token = json.loads(asked.request.body), f"Validation: {secrets.token_hex(8)} ä&<b>"
        if not _RESOURCE.fullmatch(wanted["resource"]) or not 0 < len(wanted["clientState"]) <= 128:
            raise Refused(refused(400, "ExtensionError", "resource or clientState is not right."))
        if self._life(wanted["expirationDateTime"]) > LONGEST_LIFE:
            raise Refused(refused(400, "ExtensionError", "Subscription expiration can only be 4230 minutes away."))
        call = Call(f"{wanted['notificationUrl']}?validationToken={quote(token)}", b"", {"content-type": "text/plain"})
        told = await self.post(call)
        if (told["status"], told["body"]) != (200, token) or not told["content_type"].startswith("text/plain"):
            raise Refused(
                refused(400, "ValidationError", f"The address did not answer with the token: {told['status']}")
            )
        made = {"id": f"7f10{secrets.token_hex(14)}", **wanted}
        self.subscriptions[made["id"]] = made
        return as_json(201, made | {"clientState": None})

    def _extend(self, asked: Asked) -> Answer:
        one = self._subscription(asked)
        one["expirationDateTime"] = asked.body.expiration_date_time
        return as_json(200, one | {"clientState": None})

    def _unsubscribe(self, asked: Asked) -> Answer:
        del self.subscriptions[self._subscription(asked)["id"]]
        return Answer(204, b"")

    def _life(self, text: str) -> timedelta:
        return datetime.fromisoformat(text) - datetime.now(UTC) - timedelta(minutes=1)

    # ── calls ───────────────────────────────────────────────────────────────────────────────────────────────────

    def call_of(self, items: Sequence[Any], sign: str) -> Call:
        notes, url = [], ""
        for item in items:
            folder = item.get("folder", "inbox")
            subscribed = next((one for one in self.subscriptions.values() if folder in one["resource"]), {})
            url = url or subscribed.get("notificationUrl", "")
            state = "another" if sign == "wrong" else subscribed.get("clientState", "")
            note = {"subscriptionId": subscribed.get("id", "none"), "tenantId": "84bd8158"}
            if sign != "none":
                note["clientState"] = state
            notes.append(note | self._note_of(item))
        return Call(url, json.dumps({"value": notes}).encode(), {"content-type": "application/json"})

    def _note_of(self, item: dict[str, Any]) -> dict[str, Any]:
        if "raw" in item:
            raw: dict[str, Any] = item["raw"]
            return raw
        ends = {"subscriptionExpirationDateTime": "2026-11-25T11:00:00Z"}
        if "lifecycle" in item:
            return ends | {"lifecycleEvent": item["lifecycle"]}
        mail = self.box.receive(item)
        place = f"Users/{USER_ID}/Messages/{mail.id}"
        kind = {"@odata.type": "#Microsoft.Graph.Message", "@odata.id": place, "@odata.etag": 'W/"CQAAA"'}
        return ends | {"changeType": "created", "resource": place, "resourceData": kind | {"id": mail.id}}

    def steer(self, op: str, order: dict[str, Any]) -> object:
        match op:
            case "redirect":
                known = {*self.oauth.rules.redirect_uris, order["uri"]}
                self.oauth.rules = replace(self.oauth.rules, redirect_uris=tuple(sorted(known)))
            case "revoke":
                self.oauth.end_grants()
                self.tokens.clear()
            case "resync":
                self.box.valid_from = len(self.box.log) + 1
            case "drop":
                self.subscriptions.clear()
            case "quiet":
                self.notifies = not order["on"]
            case _:
                raise KeyError(op)
        return {}

    def facts(self) -> Mapping[str, Any]:
        read = [one.internet_id for one in self.box.mails.values() if one.is_read]
        kept = [{name: one[name] for name in ("id", "resource")} for one in self.subscriptions.values()]
        return {"sent": self.box.sent(), "subscriptions": kept, "read": read, "refused": self.oauth.refused}

    # ── bits ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _known(self, folder: str) -> str:
        if folder not in FOLDERS:
            raise Refused(refused(404, "ErrorItemNotFound", "There is no such folder."))
        return folder

    def _mail(self, asked: Asked) -> Mail:
        mail = self.box.mails.get(unquote(asked.arguments[0]))
        if mail is None:
            raise Refused(refused(404, "ErrorItemNotFound", "The specified object was not found in the store."))
        return mail

    def _subscription(self, asked: Asked) -> dict[str, Any]:
        one = self.subscriptions.get(asked.arguments[0])
        if one is None:
            raise Refused(refused(404, "ResourceNotFound", "The object was not found."))
        return one

    def _view(self, mail: Mail) -> dict[str, Any]:
        return row(mail) | {"internetMessageId": f"<{mail.internet_id}>", "conversationId": "AAQkAD"}


def refused(status: int, code: str, words: str) -> Answer:
    inner = {"request-id": secrets.token_hex(8), "date": "2026-11-23T12:00:00"}
    return as_json(status, {"error": {"code": code, "message": words, "innerError": inner}})


def origin(asked: Asked) -> str:
    return f"http://{asked.request.headers['host']}"


def page_size(asked: Asked) -> int:
    match = _PAGE.search(asked.request.headers.get("prefer", ""))
    return int(match[1]) if match else 10


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Graph(), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
