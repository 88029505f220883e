"""What the quality rules look at: one channel's folder, functions, recorded calls and answers."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import msgspec

from connectors.base import Account, Connector
from connectors.quality import Given
from hub.envelope import InboundItem, OutboundMessage
from scripts.connector_kit.cases import Case, cases_of, read_account, recipient_of


class Subject(msgspec.Struct, frozen=True):
    """One channel: its folder, its functions, its recorded calls and its answers."""

    folder: Path
    connector: Connector
    answers: Mapping[str, Given]

    @property
    def cases(self) -> list[Case]:
        return cases_of(self.connector, self.folder)

    @property
    def account(self) -> Account:
        # What is sent is signed; what was recorded is not ours.
        return msgspec.structs.replace(read_account(self.folder / "fixtures"), signing_key=b"k" * 32)

    @property
    def is_own(self) -> bool:
        """Whether there is no vendor: the hub itself is the channel."""
        return self.connector.manifest.transport == "own"

    @property
    def speaks_http(self) -> bool:
        """Whether ``send`` can be pointed to a vendor's HTTP API of ours: then its answers can be tried out."""
        manifest = self.connector.manifest
        return manifest.transport == "webhook" or (not self.is_own and self.account.base_url != "")

    def message(self, text: str = "Hello") -> OutboundMessage:
        to = recipient_of(self.cases)
        # As the hub answers: in the thread they wrote in.
        thread = next((one.thread_key for one in self.items() if one.sender == to and one.thread_key), to.value)
        return OutboundMessage(
            message_id="0190b0a0-1111-7000-8000-000000000001",
            conversation_id="0190b0a0-2222-7000-8000-000000000001",
            to=to,
            thread_key=thread,
            text=text,
        )

    def items(self) -> list[InboundItem]:
        """Return all items the fixtures say their calls are read as."""
        return [item for case in self.cases for reading in case.expected() for item in reading.items or ()]
