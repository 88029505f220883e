"""A mailbox as Microsoft Graph shows it: folders, drafts, ids that survive moves, and the log behind deltas."""

from __future__ import annotations

import base64
import hashlib
import html
import re
import secrets
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Any

from scripts.emulators.written_mail import UNFOLDED, internet_id_of, written

ADDRESS = "support@northwind.example"
FOLDERS = ("inbox", "sentitems", "drafts")


@dataclass(slots=True)
class Mail:
    """
    One mail.

    Attributes:
        id: Graph's immutable one.
        draft: A draft's JSON as it was given; what was sent keeps it.
        is_ours: Sent through the API.
    """

    id: str
    folder: str
    internet_id: str
    received_at: datetime
    mime: bytes = b""
    is_draft: bool = False
    is_read: bool = False
    is_ours: bool = False
    draft: dict[str, Any] = field(default_factory=dict)
    files: list[dict[str, Any]] = field(default_factory=list)
    answers: str = ""

    @property
    def mark(self) -> dict[str, str]:
        """Named properties by their id."""
        return {one["id"]: one["value"] for one in self.draft.get("singleValueExtendedProperties") or []}


class Mailbox:
    """
    One mailbox.

    Attributes:
        log: What came into which folder, in order; a delta token is a place in it.
        valid_from: Tokens of places before it have ended.
    """

    def __init__(self) -> None:
        self.mails: dict[str, Mail] = {}
        self.log: list[tuple[str, str]] = []
        self.valid_from = 0

    def by_internet_id(self, internet_id: str) -> Mail | None:
        return next((one for one in self.mails.values() if one.internet_id == internet_id), None)

    def receive(self, item: dict[str, Any]) -> Mail:
        """Take a mail that somebody else wrote, or we elsewhere; the same one again is the one that is there."""
        internet_id = internet_id_of(item["mail"])
        if (there := self.by_internet_id(internet_id)) is not None:
            return there
        received_at, mime = written(item, internet_id, ADDRESS)
        mail = Mail(new_id(internet_id), item.get("folder", "inbox"), internet_id, received_at, mime)
        self.put(mail)
        return mail

    def put(self, mail: Mail) -> None:
        self.mails[mail.id] = mail
        self.log.append((mail.folder, mail.id))

    def write(self, content: dict[str, Any], answers: str = "") -> Mail:
        """Make a draft."""
        internet_id = f"{secrets.token_hex(12)}@exchange.example"
        mail = Mail(new_id(internet_id), "drafts", internet_id, datetime.now(UTC), is_draft=True, answers=answers)
        mail.draft = content
        self.put(mail)
        return mail

    def send(self, mail: Mail) -> None:
        """Send a draft; its id stays, its folder does not."""
        mime = EmailMessage(UNFOLDED)
        mime["From"] = ADDRESS
        for name, field_ in (("To", "toRecipients"), ("Cc", "ccRecipients")):
            people = [one["emailAddress"]["address"] for one in mail.draft.get(field_) or []]
            if people:
                mime[name] = ", ".join(people)
        mime["Subject"] = mail.draft.get("subject") or ""
        mime["Message-ID"] = f"<{mail.internet_id}>"
        mime["Date"] = format_datetime(datetime.now(UTC))
        if mail.answers:
            mime["In-Reply-To"] = mime["References"] = f"<{mail.answers}>"
        for one in mail.draft.get("internetMessageHeaders") or []:
            mime[one["name"]] = one["value"]
        mime.set_content(mail.draft["body"]["content"], subtype="html")
        for file in mail.files:
            main, _, sub = file["contentType"].partition("/")
            mime.add_attachment(file["bytes"], maintype=main, subtype=sub, filename=file["name"])
        mail.mime, mail.folder, mail.is_draft, mail.is_ours = bytes(mime), "sentitems", False, True
        self.log.append((mail.folder, mail.id))

    def sent(self) -> list[dict[str, Any]]:
        """What was sent through the API, for ``GET /_control``."""
        return [
            {
                "id": one.internet_id,
                "html": one.draft["body"]["content"],
                "text": first_paragraph(one.draft["body"]["content"]),
                "subject": one.draft.get("subject"),
                "answers": one.answers,
                "files": [{"name": file["name"], "size": len(file["bytes"])} for file in one.files],
            }
            for one in self.mails.values()
            if one.is_ours
        ]


def new_id(seed: str) -> str:
    """Make an id that must be quoted in paths, as Graph's must."""
    return "AAkALg/" + base64.b64encode(hashlib.sha256(seed.encode()).digest()).decode()


def row(mail: Mail) -> dict[str, Any]:
    at = mail.received_at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"@odata.etag": 'W/"CQAAA"', "id": mail.id, "receivedDateTime": at, "isDraft": mail.is_draft}


def first_paragraph(content: str) -> str:
    """What a member wrote, without the marks below it."""
    found = re.search(r"<p>(.*?)</p>", content, re.DOTALL)
    return html.unescape(re.sub(r"<br>\n?", "\n", found[1])) if found else ""
