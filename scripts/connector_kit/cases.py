"""
A channel's ``fixtures`` folder: recorded calls and what they are read as. Used by the rules and the contract suite.

``<event>[.<case>].in.json`` holds a call (``query``, ``headers``, ``body``, ``received_at``), or one raw item as
``poll`` and ``expand`` give them (``key``, ``body``, ``received_at``; of mail the bare message, ``.in.eml``);
``….out.json`` the raw items with what they are parsed into, or the ``error`` they end in; ``account.json`` the account
they belong to.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from connectors.base import Account, ParseContext, RawItem, WebhookRequest
from hub.envelope import Identity, InboundItem
from hub.errors import HubError

if TYPE_CHECKING:
    from pathlib import Path

    from connectors.base import Connector

ACCOUNT_ID = "0190b0a0-0000-7000-8000-0000000000aa"
_IN, _IN_MAIL, _OUT = ".in.json", ".in.eml", ".out.json"
_MAIL_RECEIVED_AT = datetime(2026, 11, 22, 12, tzinfo=UTC)


class Reading(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of one raw item: its items, or the code of the error it ended in."""

    key: str
    items: tuple[InboundItem, ...] | None = None
    error: str | None = None


class Case(msgspec.Struct, frozen=True):
    """
    One recorded call of a channel.

    Attributes:
        connector: Its channel.
        folder: The channel's ``fixtures``.
        name: ``<event>`` or ``<event>.<case>``.
    """

    connector: Connector
    folder: Path
    name: str

    @property
    def event(self) -> str:
        """The event it shows, as the manifest lists it."""
        return self.name.partition(".")[0]

    @property
    def is_call(self) -> bool:
        """Whether it is a vendor's call, not an item we asked for."""
        return not self._mail.is_file() and "key" not in self._recorded()

    @property
    def _mail(self) -> Path:
        return self.folder / f"{self.name}{_IN_MAIL}"

    def account(self) -> Account:
        """Return the account it belongs to."""
        return read_account(self.folder)

    def request(self) -> WebhookRequest:
        """Return the vendor's call."""
        call = self._recorded()
        return WebhookRequest(
            method=call.get("method", "POST"),
            url=self.account().webhook_url + call["query"],
            headers=call["headers"],
            body=call["body"].encode(),
            received_at=datetime.fromisoformat(call["received_at"]),
        )

    def raw_items(self) -> list[RawItem]:
        """Return the call cut into items, or the one item we asked for."""
        if self._mail.is_file():
            return [RawItem(key=self.name, body=self._mail.read_bytes())]
        if self.is_call and self.connector.split is not None:
            return list(self.connector.split(self.request()))
        recorded = self._recorded()
        return [RawItem(key=recorded["key"], body=recorded["body"].encode())]

    def read(self) -> list[Reading]:
        """Run the case through ``split`` and ``parse``, with the errors as they come."""
        received_at = (
            _MAIL_RECEIVED_AT if self._mail.is_file() else datetime.fromisoformat(self._recorded()["received_at"])
        )
        account = self.account()
        return [self._read_one(raw, received_at, account) for raw in self.raw_items()]

    def expected(self) -> list[Reading]:
        """Return what the fixture says the call is read as."""
        path = self.folder / f"{self.name}{_OUT}"
        return msgspec.json.decode(path.read_bytes(), type=list[Reading])

    def _read_one(self, raw: RawItem, received_at: datetime, account: Account) -> Reading:
        context = ParseContext(
            received_at=received_at,
            key=raw.key,
            settings=account.settings,
            account_id=account.id,
            workspace_id=account.workspace_id,
            signing_key=account.signing_key,
        )
        try:
            return Reading(key=raw.key, items=tuple(self.connector.parse(raw.body, context)))
        except HubError as error:
            return Reading(key=raw.key, error=error.code)

    def _recorded(self) -> dict[str, Any]:
        recorded: dict[str, Any] = json.loads((self.folder / f"{self.name}{_IN}").read_text(encoding="utf-8"))
        return recorded


def cases_of(connector: Connector, channel_folder: Path) -> list[Case]:
    """Find the recorded calls of a channel, by name."""
    fixtures = channel_folder / "fixtures"
    names = {path.name.removesuffix(end) for end in (_IN, _IN_MAIL) for path in fixtures.glob(f"*{end}")}
    return [Case(connector, fixtures, name) for name in sorted(names)]


def read_account(fixtures: Path) -> Account:
    """Read ``account.json``: credentials, settings and webhook address of the account that was recorded."""
    facts = json.loads((fixtures / "account.json").read_text(encoding="utf-8"))
    keys = {url: document.encode() for url, document in facts.pop("keys", {}).items()}
    return Account(id=ACCOUNT_ID, workspace_id=1, keys=keys, **facts)


def recipient_of(cases: list[Case]) -> Identity:
    """Return somebody the channel can write to: who sent the first recorded message."""
    senders = [item.sender for case in cases for one in case.expected() for item in one.items or () if item.sender]
    return senders[0] if senders else Identity("external", "somebody")
