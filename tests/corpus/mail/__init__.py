"""Mail cases in Python: raw bytes and what ``parse_mail`` must make of them."""

from __future__ import annotations

import importlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from connectors.mime.model import MailContext
from connectors.mime.tokens import TokenKey, sign_marker, sign_message_id, sign_plus_address

CONVERSATION = str(UUID(int=0x11112222333344445555666677778888))
MESSAGE = str(UUID(int=0x9999AAAABBBBCCCCDDDDEEEEFFFF0000))
ACCOUNT = str(UUID(int=0x1234))
KEY = TokenKey(b"corpus-signing-key-of-32-bytes!!", 7, ACCOUNT)
OUR_ID = sign_message_id(KEY, CONVERSATION, MESSAGE, "acme.example")
OUR_PLUS = sign_plus_address(KEY, CONVERSATION, "support@acme.example")
OUR_MARKER = sign_marker(KEY, CONVERSATION)
RECEIVED = datetime(2026, 11, 22, 12, 0, tzinfo=UTC)
CONTEXT = MailContext(
    addresses=("support@acme.example", "sales@acme.example"),
    signing_key=KEY.signing_key,
    workspace_id=KEY.workspace_id,
    account_id=KEY.account_id,
    received_at=RECEIVED,
    key="inbox:1:77",
)

_CASES: dict[str, Case] = {}


@dataclass(frozen=True)
class Case:
    """``expect`` holds fields of the first item (see ``tests/unit/connectors/mime/outcome.py``)."""

    name: str
    raw: bytes
    expect: dict[str, object] = field(default_factory=dict)


def case(name: str, raw: bytes | str, **expect: object) -> None:
    """Register a case; a raw text is UTF-8 with LF made CRLF."""
    assert name not in _CASES, name
    data = raw.replace("\r\n", "\n").replace("\n", "\r\n").encode() if isinstance(raw, str) else raw
    _CASES[name] = Case(name, data, expect)


def mail(
    body: str = "Hello\n", *, headers: str = "", subject: str = "Question", sender: str = "Ann <ann@client.example>"
) -> str:
    """Build a plain mail; ``headers`` are lines ended by LF and come first."""
    kept = {line.partition(":")[0].lower() for line in headers.splitlines() if line[:1] not in (" ", "\t")}
    standard = {
        "from": f"From: {sender}\n",
        "to": "To: support@acme.example\n",
        "subject": f"Subject: {subject}\n",
        "date": "Date: Sun, 22 Nov 2026 10:00:00 +0100\n",
        "message-id": "Message-ID: <one@client.example>\n",
    }
    return headers + "".join(line for name, line in standard.items() if name not in kept) + "\n" + body


def cases() -> list[Case]:
    """Return every case of every module here, by name."""
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            importlib.import_module(f"tests.corpus.mail.{path.stem}")
    return sorted(_CASES.values(), key=lambda one: one.name)
