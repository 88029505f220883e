"""What a member entered, read into the facts the rest of this folder works with. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Literal, cast

import msgspec

from connectors.base import Account, Reach

Security = Literal["tls", "starttls", "none"]
MEGABYTE = 1024 * 1024


class Server(msgspec.Struct, frozen=True, kw_only=True):
    """
    One server and how to sign in there; does not show secrets in text.

    Attributes:
        field: Prefix of its settings, ``imap`` or ``smtp``: errors name the input they are about.
    """

    field: Literal["imap", "smtp"]
    host: str
    port: int
    security: Security
    username: str
    password: str
    reach: Reach

    def __repr__(self) -> str:
        return f"Server({self.host}:{self.port})"


class Mailbox(msgspec.Struct, frozen=True, kw_only=True):
    """
    A mailbox as it is to be read and sent from.

    Attributes:
        address: Ours, in From.
        addresses: All of ours, lower case.
        folders: To read besides INBOX and the one for sent mail.
        largest_bytes: Larger mails are read without their files.
        saves_sent: The server keeps what is sent through it.
    """

    address: str
    addresses: tuple[str, ...]
    from_name: str
    imap: Server
    smtp: Server
    folders: tuple[str, ...]
    backfill_days: int
    largest_bytes: int
    plus_addressing: bool
    saves_sent: bool

    @property
    def fingerprint(self) -> str:
        """Tells whether a cursor is of this mailbox: UIDs of another one mean nothing here."""
        return hashlib.sha256(f"{self.imap.username}\n{self.imap.host.lower()}".encode()).hexdigest()[:16]


def read_mailbox(account: Account) -> Mailbox:
    """
    Read an account's form.

    Args:
        account: Its values have passed the manifest's patterns.

    Returns:
        The mailbox, defaults filled in.
    """
    settings, credentials = account.settings, account.credentials
    address = settings.get("address", "")
    username = credentials.get("username") or address
    password = credentials.get("password", "")
    return Mailbox(
        address=address,
        addresses=own_addresses(settings),
        from_name=settings.get("from_name", ""),
        imap=_server("imap", settings, username, password, account.reach),
        smtp=_server(
            "smtp",
            settings,
            credentials.get("smtp_username") or username,
            credentials.get("smtp_password") or password,
            account.reach,
        ),
        folders=_list(settings.get("folders", "")),
        backfill_days=int(settings.get("backfill_days") or 30),
        largest_bytes=int(settings.get("largest_mail_mb") or 25) * MEGABYTE,
        plus_addressing=settings.get("plus_addressing") == "yes",
        saves_sent=settings.get("saves_sent") == "yes",
    )


def own_addresses(settings: Mapping[str, str]) -> tuple[str, ...]:
    """Return the addresses whose mail is ours, lower case, the mailbox's own first."""
    both = (settings.get("address", ""), *_list(settings.get("aliases", "")))
    return tuple(dict.fromkeys(one.strip().lower() for one in both if one.strip()))


def _server(
    field: Literal["imap", "smtp"], settings: Mapping[str, str], username: str, password: str, reach: Reach
) -> Server:
    return Server(
        field=field,
        host=settings.get(f"{field}_host", ""),
        port=int(settings.get(f"{field}_port") or (993 if field == "imap" else 465)),
        security=cast("Security", settings.get(f"{field}_security") or "tls"),
        username=username,
        password=password,
        reach=reach,
    )


def _list(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(one.strip() for one in text.split(",") if one.strip()))
