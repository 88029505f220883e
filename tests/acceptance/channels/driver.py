"""What the tests of all channels need to know of one: how its emulator speaks, and what it has."""

from __future__ import annotations

import importlib
import pkgutil
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import httpx

from tests.acceptance.running import EMAIL, PASSWORD
from tests.emulators import EmulatedVendor


@dataclass(frozen=True, slots=True)
class Sent:
    """A message the vendor took from us: its id there, and its text (of all parts, joined)."""

    id: str
    text: str


@dataclass(frozen=True, slots=True)
class Done:
    """What we did at the vendor about a message: ``edit``, ``delete``, ``react`` or ``unreact``."""

    kind: str
    id: str
    text: str = ""


class Driver:
    """
    One channel's emulator as the tests steer it; a subclass named ``Driver`` in ``tests/acceptance/channels/<channel>.py``.

    Items are what ``Vendor.deliver`` takes. A person is named by a short word; the driver makes the vendor's id of it.

    Attributes:
        channel: The folder's name.
        has: What the vendor has: of ``media``, ``edit``, ``delete``, ``reaction``, ``echo``, ``thread``, ``threads``
            (each a conversation of its own, see ``thread_of``), ``delivered``, ``read``, ``act_edit``, ``act_delete``,
            ``act_react``, ``call``, ``sockets`` (it can be listened to as well, see ``listen``), ``names`` (events bring
            ids only; it is asked what people are called), ``past`` (the vendor has a conversation of last week with
            ``past``, see ``MetaDriver``).
        writes: Whether people write there at all, and are written to (not: calls).
        oauth: Whether accounts are connected by signing in.
        confirms: Whether anything ever tells us of a send whose answer was lost.
        rests_on_receipt: Whether an unanswered send is confirmed by a receipt or an echo (else by asking).
        api: The owner's, under the workspace's address; there once the hub runs.
    """

    channel: ClassVar[str]
    has: ClassVar[frozenset[str]] = frozenset()
    writes: ClassVar[bool] = True
    oauth: ClassVar[bool] = False
    confirms: ClassVar[bool] = True
    rests_on_receipt: ClassVar[bool] = False

    api: httpx.Client

    def __init__(self) -> None:
        self.vendor: Any = self.start()
        self.account_id = ""
        self.webhook_url = ""

    def start(self) -> Any:
        """Start the emulator."""
        return EmulatedVendor(self.channel)

    def environ(self) -> Mapping[str, str]:
        """Return what the hub's environment must say."""
        return {f"HUB_VENDOR_URL_{self.channel.upper()}": self.vendor.base_url}

    def connect(self) -> Mapping[str, Any]:
        """Connect an account as a member does: by its form, or by signing in at the vendor."""
        if self.oauth:
            return self.sign_in()
        answer = self.api.post(
            "channel-accounts", json={"channel": self.channel, "name": self.channel} | self.account()
        )
        assert answer.status_code == 201, answer.text
        found: Mapping[str, Any] = answer.json()
        return found

    def sign_in(self, **more: Any) -> Mapping[str, Any]:
        """
        Go to the vendor and come back, as a browser with a session does; returns the account.

        Args:
            more: ``account_id`` where it is connected already.
        """
        origin, _, workspace = str(self.api.base_url).rstrip("/").partition("/api/v1/")
        own = {"origin": origin, "x-hub-request": "1"}
        with httpx.Client(base_url=origin, headers=own, timeout=20) as browser:
            answer = browser.post("/api/v1/session", json={"email": EMAIL, "password": PASSWORD})
            assert answer.status_code == 200, answer.text
            form = {"channel": self.channel} | (more or self.account())
            accounts = f"/api/v1/{workspace}/channel-accounts/oauth"
            answer = browser.post(accounts, json=form)
            assert answer.status_code == 201, answer.text
            there = httpx.get(answer.json()["authorize_url"], trust_env=False)
            assert there.status_code == 302, there.text
            back = dict(parse_qsl(urlsplit(browser.get(there.headers["location"]).headers["location"]).fragment))
            attempt = browser.get(f"{accounts}/{back['connect']}").json()
        assert attempt["outcome"] == "connected", attempt
        rows = self.api.get("channel-accounts").json()["channel_accounts"]
        found: Mapping[str, Any] = next(one for one in rows if one["channel_account"]["channel"] == self.channel)
        return found

    def account(self) -> dict[str, Any]:
        """Return the filled-in connect form: ``credentials`` and ``settings``."""
        raise NotImplementedError

    def connected(self, answer: Mapping[str, Any]) -> None:
        """Take the connected account; the emulator learns where to call."""
        self.account_id, self.webhook_url = answer["id"], answer["webhook_url"]
        self.vendor.control("webhook", url=self.webhook_url)

    # ── what people do ──────────────────────────────────────────────────────────────────────────────────────────

    def text(self, person: str, text: str, key: str, **more: Any) -> Any:
        """Somebody writes; ``key`` is the vendor's message id, ``reply_to`` and ``thread`` are others' keys."""
        raise NotImplementedError

    def media(self, person: str, name: str, mime: str, content: bytes, key: str) -> Any:
        """Somebody sends a file; the emulator keeps its bytes."""
        raise NotImplementedError

    def edit(self, person: str, key: str, text: str) -> Any:
        raise NotImplementedError

    def delete(self, person: str, key: str) -> Any:
        raise NotImplementedError

    def reaction(self, person: str, key: str, emoji: str, *, removed: bool = False) -> Any:
        raise NotImplementedError

    def echo(self, person: str, text: str, key: str) -> Any:
        """Our side wrote to somebody from the vendor's own app."""
        raise NotImplementedError

    def receipt(self, person: str, sent: Sent, status: str) -> Any:
        """The vendor says that a message of ours was ``delivered`` or ``read``."""
        raise NotImplementedError

    def call(self, person: str, **what: Any) -> dict[str, Any]:
        """Somebody calls; see ``scripts.emulators.twilio_voice``, op ``call``. Members on duty are Anna, then Ben."""
        raise NotImplementedError

    def deliver(self, items: Sequence[Any], **how: Any) -> list[dict[str, Any]]:
        """Let the vendor call us (or let us find the items); see ``scripts.emulators.vendor.Delivery``."""
        return self.vendor.control("deliver", items=list(items), **how)

    def listen(self, *, on: bool) -> None:
        """Let the hub open a connection in place of being called, or be called again; ``deliver`` goes that way."""
        raise NotImplementedError

    def introduce(self, person: str, name: str, picture: bytes) -> None:
        """Let the vendor know what somebody is called and, where it can, how they look."""
        raise NotImplementedError

    # ── what the vendor has ─────────────────────────────────────────────────────────────────────────────────────

    def sent(self) -> list[Sent]:
        """Return the messages taken from us, oldest first."""
        raise NotImplementedError

    def thread_of(self, sent: Sent) -> str:
        """Return the key of the message whose thread one of ours is in."""
        raise NotImplementedError

    def send_times_s(self) -> list[float]:
        """Return when we asked to send, refused requests too: seconds on the emulator's clock."""
        return [one["at_s"] for one in self.vendor.state()["requests"] if self.is_send(one)]

    def done(self) -> list[Done]:
        """Return what we did about messages there, oldest first."""
        raise NotImplementedError

    def is_send(self, request: Mapping[str, Any]) -> bool:
        """Say whether a kept request asks to send a message."""
        raise NotImplementedError

    def plan(self, **answer: Any) -> None:
        """Plan what the next request to send gets; see ``Vendor.steer``, ``next``."""
        raise NotImplementedError

    def revoke(self) -> None:
        """The vendor refuses the keys from now on."""
        raise NotImplementedError

    def renewed_credentials(self) -> dict[str, str]:
        """Make new keys at the vendor and return what a member enters."""
        raise NotImplementedError

    def sign_in_again(self) -> None:
        """Do what a member does whose account needs a sign-in: sign in at the vendor, or enter new keys."""
        if self.oauth:
            self.sign_in(account_id=self.account_id)
            return
        body = {"credentials": self.renewed_credentials(), "status": "connected"}
        answer = self.api.patch(f"channel-accounts/{self.account_id}", json=body)
        assert answer.status_code == 200, answer.text


def wait_until(found: Callable[[], Any], seconds: float = 40) -> Any:
    """Return what ``found`` returns once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)
    return value


def new_key() -> str:
    """Return an id nobody used."""
    return uuid.uuid4().hex


def all_drivers() -> list[type[Driver]]:
    """Return the drivers of this folder, by name."""
    import tests.acceptance.channels as folder

    found = []
    for module in sorted(one.name for one in pkgutil.iter_modules(folder.__path__)):
        driver = getattr(importlib.import_module(f"{folder.__name__}.{module}"), "Driver", None)
        if isinstance(driver, type) and driver is not Driver:
            found.append(driver)
    return found
