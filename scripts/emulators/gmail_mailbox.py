"""A mailbox as the Gmail API shows it: labels, threads, and the history behind ``history.list``."""

from __future__ import annotations

import base64
import hashlib
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import message_from_bytes, policy
from email.message import EmailMessage
from typing import Any

from scripts.emulators.written_mail import internet_id_of, written

ADDRESS = "support@northwind.example"
_FIRST_ID = 9000


@dataclass(slots=True)
class Mail:
    """
    One mail.

    Attributes:
        is_ours: Sent through the API.
    """

    id: str
    thread_id: str
    internet_id: str
    arrived_at: datetime
    mime: bytes
    labels: set[str] = field(default_factory=set)
    is_ours: bool = False


class Mailbox:
    """
    One mailbox.

    Attributes:
        log: What happened, in order; an id of history is a place in it.
        valid_from: History before it is not there any more.
        renames: Whether mails that are sent get a Message-ID of Google's.
    """

    def __init__(self) -> None:
        self.mails: dict[str, Mail] = {}
        self.log: list[dict[str, Any]] = []
        self.valid_from = _FIRST_ID
        self.renames = False

    @property
    def history_id(self) -> int:
        return _FIRST_ID + len(self.log)

    def find(self, internet_id: str) -> Mail | None:
        return next((one for one in self.mails.values() if one.internet_id == internet_id), None)

    def receive(self, item: dict[str, Any]) -> Mail:
        """Take a mail that somebody else wrote, or we elsewhere; the same one again is the one that is there."""
        internet_id = internet_id_of(item["mail"])
        if (there := self.find(internet_id)) is not None:
            return there
        arrived_at, mime = written(item, internet_id, ADDRESS)
        labels = set(item.get("labels", ("INBOX", "UNREAD")))
        return self._put(internet_id, item.get("reply_to", ""), arrived_at, mime, labels)

    def send(self, mime: bytes, thread_id: str) -> Mail:
        """Send a mail through the API."""
        parsed = message_from_bytes(mime, policy=policy.default)
        internet_id = str(parsed["Message-ID"] or "").strip().strip("<>")
        if self.renames:
            new_id = f"CA{hashlib.sha256(mime).hexdigest()[:20]}@mail.gmail.com"
            mime = mime.replace(f"<{internet_id}>".encode(), f"<{new_id}>".encode(), 1)
            internet_id = new_id
        mail = self._put(internet_id, "", datetime.now(UTC), mime, {"SENT"}, thread_id)
        mail.is_ours = True
        return mail

    def relabel(self, mail: Mail, added: set[str], removed: set[str]) -> None:
        """Change labels, which the history tells."""
        for name, labels in (("labelsAdded", added - mail.labels), ("labelsRemoved", removed & mail.labels)):
            if labels:
                self._tell(mail, name, {"labelIds": sorted(labels)})
        mail.labels = (mail.labels | added) - removed

    def remove(self, mail: Mail) -> None:
        del self.mails[mail.id]
        self._tell(mail, "messagesDeleted", {})

    def sent(self) -> list[dict[str, Any]]:
        """What was sent through the API, for ``GET /_control``."""
        return [_described(one) for one in self.mails.values() if one.is_ours]

    def _put(
        self, internet_id: str, answers: str, at: datetime, mime: bytes, labels: set[str], thread_id: str = ""
    ) -> Mail:
        mail_id = hashlib.sha256(internet_id.encode()).hexdigest()[:16]
        parent = self.find(answers) if answers else None
        thread = thread_id or (parent.thread_id if parent else mail_id)
        mail = Mail(mail_id, thread, internet_id, at, mime, labels)
        self.mails[mail_id] = mail
        self._tell(mail, "messagesAdded", {})
        return mail

    def _tell(self, mail: Mail, name: str, more: dict[str, Any]) -> None:
        shown = {"id": mail.id, "threadId": mail.thread_id, "labelIds": sorted(mail.labels)}
        # ``messages`` names them once more, as Gmail does.
        self.log.append({"messages": [{"id": mail.id, "threadId": mail.thread_id}], name: [{"message": shown, **more}]})


def row(mail: Mail) -> dict[str, Any]:
    return {"id": mail.id, "threadId": mail.thread_id}


def view(mail: Mail) -> dict[str, Any]:
    """What every format of a mail has."""
    at_ms = int(mail.arrived_at.timestamp() * 1000)
    return row(mail) | {
        "labelIds": sorted(mail.labels),
        "historyId": "9000",
        "internalDate": str(at_ms),
        "sizeEstimate": len(mail.mime),
        "snippet": "",
    }


def raw(mail: Mail) -> dict[str, Any]:
    return view(mail) | {"raw": base64.urlsafe_b64encode(mail.mime).decode()}


def full(mail: Mail) -> dict[str, Any]:
    """A mail in parts: texts with their bytes, files with an id to ask for them by."""
    return view(mail) | {"payload": _part(message_from_bytes(mail.mime, policy=policy.default), "")}


def metadata(mail: Mail, names: set[str]) -> dict[str, Any]:
    parsed = message_from_bytes(mail.mime, policy=policy.default)
    headers = [{"name": name, "value": str(value)} for name, value in parsed.items() if name.lower() in names]
    return view(mail) | {"payload": {"mimeType": parsed.get_content_type(), "headers": headers}}


def _part(parsed: EmailMessage, number: str) -> dict[str, Any]:
    headers = [{"name": name, "value": str(value)} for name, value in parsed.items()]
    part: dict[str, Any] = {
        "partId": number,
        "mimeType": parsed.get_content_type(),
        "filename": parsed.get_filename() or "",
        "headers": headers,
    }
    if parsed.is_multipart():
        inner = [_part(one, f"{number}.{place}".strip(".")) for place, one in enumerate(parsed.iter_parts())]
        return part | {"body": {"size": 0}, "parts": inner}
    content = parsed.get_payload(decode=True) or b""
    if part["filename"]:
        return part | {"body": {"attachmentId": "ANGj", "size": len(content)}}
    return part | {"body": {"size": len(content), "data": base64.urlsafe_b64encode(content).decode().rstrip("=")}}


def _described(mail: Mail) -> dict[str, Any]:
    parsed = message_from_bytes(mail.mime, policy=policy.default)
    html = parsed.get_body(("html",))
    content = html.get_content() if html else ""
    found = re.search(r"<p>(.*?)</p>", content, re.DOTALL)
    return {
        "id": mail.internet_id,
        "text": re.sub(r"<br>\n?", "\n", found[1]) if found else "",
        "subject": str(parsed["Subject"]),
        "to": str(parsed["To"]),
        "bcc": str(parsed["Bcc"] or ""),
        "answers": str(parsed["In-Reply-To"] or "").strip("<>"),
        "thread": mail.thread_id,
        "files": [{"name": one.get_filename(), "size": len(one.get_content())} for one in parsed.iter_attachments()],
    }
