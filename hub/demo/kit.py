"""What the kit in ``scripts/emulators`` tells the hub: its accounts, what to start, and the history. Decoded, no IO."""

from __future__ import annotations

import msgspec

from hub.demo.model import PastMessage


class KitOwner(msgspec.Struct, frozen=True):
    """Who owns a workspace that is made for the demo."""

    name: str
    email: str


class KitAccount(msgspec.Struct, frozen=True):
    """
    A channel account of the demo; does not show its secrets in text.

    Attributes:
        external_ref: The vendor's own id of the account, where its calls name one.
    """

    channel: str
    name: str
    credentials: dict[str, str]
    settings: dict[str, str]
    external_ref: str = ""

    def __repr__(self) -> str:
        return f"KitAccount(channel={self.channel!r})"


class KitProcess(msgspec.Struct, frozen=True):
    """One emulator: what follows the Python interpreter on its command line, and secrets in its environment."""

    name: str
    arguments: tuple[str, ...]
    environ: dict[str, str] = {}

    def __repr__(self) -> str:
        return f"KitProcess(name={self.name!r})"


class Kit(msgspec.Struct, frozen=True, kw_only=True):
    """
    A demo about to run.

    Attributes:
        workspace: Name of a workspace that is made for it.
        processes: Emulators, started before the customers.
        customers: The process of the customers.
        given: What the customers must know besides what the hub tells them.
    """

    workspace: str
    owner: KitOwner
    accounts: tuple[KitAccount, ...]
    processes: tuple[KitProcess, ...]
    customers: KitProcess
    given: dict[str, str]


read_kit = msgspec.json.Decoder(Kit).decode
read_past = msgspec.json.Decoder(PastMessage).decode
