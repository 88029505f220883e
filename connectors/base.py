"""
The interface of a channel: a frozen dataclass of functions, one folder each, found by its ``manifest.toml``.

A connector knows the envelope and the errors, never the store. ``verify``, ``split``, ``reply``, ``parse`` and
``render`` are pure; the others talk to the vendor and raise ``ConnectorError``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from connectors.described import Capabilities as Capabilities
from connectors.described import Closed as Closed
from connectors.described import Field as Field
from connectors.described import Limit as Limit
from connectors.described import Manifest as Manifest
from connectors.described import Preset as Preset
from connectors.described import Softphone as Softphone
from connectors.oauth import Granted as Granted
from connectors.oauth import OAuth as OAuth
from connectors.oauth import OAuthApp as OAuthApp
from hub.envelope import AttachmentRef, Identity, InboundItem, OutboundMessage, SendResult, Template
from hub.errors import ConnectorErrorInfo

Reach = Literal["public", "loopback", "any"]


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """
    A connected instance as its connector sees it, secrets open; lives only as long as the call.

    Attributes:
        id: UUID text.
        webhook_url: Our address for this account, as the vendor calls it.
        base_url: The vendor's API origin where it is not the vendor's own (an emulator, a region); else empty.
        signing_key: HMAC key of this account, for what must come back to us unaltered.
        read_file: Gives the bytes of an ``OutboundAttachment`` by its id; None where nothing is sent.
        reach: Which servers may be connected to where a member names them: any but private ones, only this computer
            (the demo), or any (the operator says so).
        keys: For ``verify``: the documents of ``Connector.key_sets``, as fetched, by their addresses.
    """

    id: str
    workspace_id: int
    credentials: Mapping[str, str]
    settings: Mapping[str, str]
    webhook_url: str
    base_url: str = ""
    signing_key: bytes = b""
    read_file: Callable[[str], AsyncIterator[bytes]] | None = None
    reach: Reach = "public"
    keys: Mapping[str, bytes] = {}


class WebhookRequest(msgspec.Struct, frozen=True, kw_only=True):
    """
    A vendor's call.

    Attributes:
        url: The address as configured with the vendor (public URL + path + query), not as proxies show it.
        headers: Names in lower case; of repeated ones the last.
        body: Raw bytes, as signed.
    """

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes
    received_at: datetime


class WebhookReply(msgspec.Struct, frozen=True, kw_only=True):
    """What to answer; the default answer of a channel to a stored call, or the whole answer to a handshake."""

    status: int = 200
    content_type: str = "text/plain"
    body: bytes = b""


class RawItem(msgspec.Struct, frozen=True, kw_only=True):
    """
    One item of a webhook call, not yet read.

    Attributes:
        key: Dedupe key, stable over the vendor's retries, 1-300 characters.
        body: What ``parse`` will read.
        account_ref: For app-level webhooks: the vendor's own id of the account; empty means the account in the URL.
        hint: Says only that there is something: ``expand`` fetches it.
    """

    key: str
    body: bytes
    account_ref: str = ""
    hint: bool = False


class ParseContext(msgspec.Struct, frozen=True, kw_only=True):
    """
    What ``parse`` may know besides the bytes.

    Attributes:
        received_at: When they came, our clock.
        key: Dedupe key made by ``split`` or ``poll``.
        settings: The account's public settings.
        account_id: UUID text.
        signing_key: The account's, to know our own signatures again.
    """

    received_at: datetime
    key: str
    settings: Mapping[str, str]
    account_id: str = ""
    workspace_id: int = 0
    signing_key: bytes = b""


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far long work is; ``what`` says it in words, ``total`` 0 means unknown."""

    done: int
    total: int
    what: str


class PolledBatch(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a poll found.

    Attributes:
        items: In the vendor's order; may be empty.
        cursor: Where to go on, opaque; kept once the items are stored.
        progress: While history is read.
    """

    items: Sequence[RawItem]
    cursor: str
    progress: Progress | None = None


# Gives the raw item an attachment came in, where the connector keeps it.
RawReader = Callable[[], Awaitable[bytes]]


class Charge(msgspec.Struct, frozen=True, kw_only=True):
    """What a send takes from one rate bucket; ``key`` is shared by all who share the vendor's limit."""

    key: str
    limits: tuple[Limit, ...]
    cost: float = 1.0


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request to the vendor, rendered: an operation's name and its fields, no secrets."""

    operation: str
    fields: Mapping[str, str]


class LiveCall(msgspec.Struct, frozen=True, kw_only=True):
    """A telephone call of the account that goes on; ``member`` is whose telephone rings, or who speaks, by name."""

    external_id: str
    outcome: str
    member: str = ""


class Staff(msgspec.Struct, frozen=True, kw_only=True):
    """
    Who could take a call.

    Attributes:
        here: Addresses, in small letters, of members who have the hub open and may answer in the account's inbox; None
            where that is not known.
        calls: Those that go on, the longest first.
    """

    here: frozenset[str] | None = None
    calls: tuple[LiveCall, ...] = ()


class CallOrder(msgspec.Struct, frozen=True, kw_only=True):
    """
    A member calls a contact.

    Attributes:
        message_id: Of the call's row, UUID text; the vendor's words on the call must come back with it.
        to: The contact's identity on this channel account.
        member_name: As colleagues see it.
        member_email: The member's address; finds their telephone in the account's settings.
    """

    message_id: str
    to: Identity
    member_name: str
    member_email: str


class SoftphonePass(msgspec.Struct, frozen=True, kw_only=True):
    """What a telephone in a browser signs in with at the vendor; does not show its token in text."""

    token: str
    identity: str
    expires_at: datetime

    def __repr__(self) -> str:
        return f"SoftphonePass(identity={self.identity!r})"


class Act(msgspec.Struct, frozen=True, kw_only=True):
    """
    Something to do at the vendor about a message, or in a thread. Done twice it must come to the same.

    Attributes:
        id: Ours, UUID text; for correlation.
        to: The contact's identity on this channel account.
        thread_key: The vendor's thread.
        external_id: The message; for ``mark_read`` the newest inbound one, for ``typing`` empty.
        text: For ``edit``: what it says from now on.
        emoji: For ``react`` and ``unreact``.
    """

    id: str
    kind: Literal["edit", "delete", "react", "unreact", "mark_read", "typing"]
    to: Identity
    thread_key: str
    external_id: str = ""
    text: str = ""
    emoji: str = ""


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the vendor said of an account's keys.

    Attributes:
        external_ref: The vendor's own id of the account, routes app-level webhooks.
        warnings: Sentences for the member, e.g. that no webhook is configured there yet.
    """

    external_ref: str = ""
    warnings: tuple[str, ...] = ()


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a vendor says of a person.

    Attributes:
        name: What they are called; empty where the vendor says none.
        handle: Their name in addresses, e.g. ``nadia.brandt``; stands in where there is no other.
        avatar_url: Their picture, https, as the vendor gave it; fetched at once, for many end soon.
    """

    name: str = ""
    handle: str | None = None
    avatar_url: str | None = None


class Maintained(msgspec.Struct, frozen=True, kw_only=True):
    """
    What was renewed at the vendor.

    Attributes:
        next_at: When to come again, well before what was renewed ends.
        settings: To keep in the account's settings, over what is there.
        credentials: To keep in the account's credentials, over what is there.
    """

    next_at: datetime
    settings: Mapping[str, str] = {}
    credentials: Mapping[str, str] = {}


async def _no_check(account: Account) -> Checked:  # noqa: ARG001  a channel without keys has nothing to check
    return Checked()


async def _never_confirmed(account: Account, message: OutboundMessage) -> SendResult | None:  # noqa: ARG001
    return None


def _no_charges(account: Account, message: OutboundMessage) -> tuple[Charge, ...]:  # noqa: ARG001
    return ()


def _no_key_sets(account: Account) -> tuple[str, ...]:  # noqa: ARG001
    return ()


def _always(settings: Mapping[str, str]) -> bool:  # noqa: ARG001
    return True


def _never_shared(reader: Mapping[str, str], other: Mapping[str, str]) -> bool:  # noqa: ARG001
    return False


def _no_counts() -> Mapping[str, int]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """
    The functions of one channel.

    Attributes:
        verify: Checks a call's signature; returns a reply for a handshake, else None. Raises SignatureRejected;
            SigningKeyUnknown where newer ``keys`` may help.
        key_sets: Pure: addresses of the key sets (JWKS) ``verify`` needs, where a token of the vendor's identity
            service proves who calls.
        split: Cuts a verified call into raw items. Raises MalformedPayload.
        stored_reply: What the vendor gets once the items are stored.
        reply: The same where it depends on the call and on who could take it, e.g. what a phone exchange is to do
            with a caller; goes before ``stored_reply``. Pure. Raises MalformedPayload, which is answered 400.
        asks_staff: Whether the answer to a call depends on who could take it; finding that out costs two questions to
            our stores. Pure; never raises.
        parse: Reads one raw item. Raises MalformedPayload, UnsupportedPayload.
        render: Makes the vendor calls of one message. Raises ConnectorError (CONTENT, UNSUPPORTED).
        check: Asks the vendor whether the keys are good, before they are saved. Raises ConnectorError, InvalidInput.
        send: Performs a rendered message, all its calls. Raises ConnectorError.
        reconcile: After an ambiguous send: asks the vendor; ``FAILED`` where it says so, None where it does not know
            (either). Raises ConnectorError when it could not be asked.
        classify: Turns whatever ``send`` or ``check`` let through into our words.
        charges: What a send takes from which rate buckets.
        act: Edits, deletes, reacts, marks read or shows typing, as the capabilities say. Raises ConnectorError.
        poll: For polled channels: batches after a cursor. May go on for ever; closing it frees everything.
        polls: Pure: whether an account with these settings is polled, where the channel has accounts of both kinds.
        shares: Pure: whether an item that was polled for an account with the first settings goes to one with the second
            where the item's ``account_ref`` names that; both are of this channel. Only what the vendor itself said of
            both may decide it, nothing a member can enter.
        fetch: The bytes of an attachment, in pieces. Raises ConnectorError.
        keeps_raw: Attachments are parts of the raw item: it is kept until they are fetched.
        oauth: How it is connected where people sign in at the vendor.
        test: "Send a test": does what shows that messages go out, and says in words what. Raises ConnectorError.
        counts: What the channel counts in this process, ever-growing, by name; for /metrics.
        expand: Fetches what a hint speaks of: batches after a cursor, the same cursor as ``poll``'s. Ends when it has
            all. Raises ConnectorError.
        maintain: Renews watches and subscriptions at the vendor; called at connect and then when it said. Raises
            ConnectorError; AUTH when only a person can mend it.
        backfill: History from before the account was connected, once: batches after a cursor of its own, with progress.
            Ends when it has all. Raises ConnectorError.
        render_call: Makes the request of a member's call, before anything is written of it. Pure. Raises InvalidInput.
        call: Begins a rendered call at the vendor, and returns the vendor's id of it. Never done twice by itself.
            Raises ConnectorError.
        pass_softphone: Makes what a member's telephone in the browser signs in with, by the member's address. Pure.
            Raises InvalidInput where the member has none.
        connect_softphone: Writes what that telephone gives the vendor to call a contact: sealed, bound to the member
            and to some minutes from the moment. Pure. Raises InvalidInput.
        list_templates: Which templates the vendor knows. Raises ConnectorError.
        profile_of: What somebody is called whose messages come with an id only; asked once, at the rate of the
            manifest's ``limits.profile``. Raises ConnectorError.
    """

    manifest: Manifest
    parse: Callable[[bytes, ParseContext], Sequence[InboundItem]]
    render: Callable[[OutboundMessage, Account], Sequence[Call]]
    send: Callable[[Account, OutboundMessage, Sequence[Call]], Awaitable[SendResult]]
    classify: Callable[[BaseException], ConnectorErrorInfo]
    verify: Callable[[WebhookRequest, Account], WebhookReply | None] | None = None
    key_sets: Callable[[Account], Sequence[str]] = _no_key_sets
    split: Callable[[WebhookRequest], Sequence[RawItem]] | None = None
    stored_reply: WebhookReply = WebhookReply()
    reply: Callable[[WebhookRequest, Account, Staff], WebhookReply] | None = None
    asks_staff: Callable[[WebhookRequest], bool] | None = None
    check: Callable[[Account], Awaitable[Checked]] = _no_check
    reconcile: Callable[[Account, OutboundMessage], Awaitable[SendResult | None]] = _never_confirmed
    charges: Callable[[Account, OutboundMessage], Sequence[Charge]] = _no_charges
    act: Callable[[Account, Act], Awaitable[None]] | None = None
    poll: Callable[[Account, str | None], AsyncIterator[PolledBatch]] | None = None
    polls: Callable[[Mapping[str, str]], bool] = _always
    shares: Callable[[Mapping[str, str], Mapping[str, str]], bool] = _never_shared
    fetch: Callable[[Account, AttachmentRef, RawReader], AsyncIterator[bytes]] | None = None
    keeps_raw: bool = False
    oauth: OAuth | None = None
    test: Callable[[Account], Awaitable[str]] | None = None
    counts: Callable[[], Mapping[str, int]] = _no_counts
    expand: Callable[[Account, RawItem, str | None], AsyncIterator[PolledBatch]] | None = None
    maintain: Callable[[Account, datetime], Awaitable[Maintained]] | None = None
    backfill: Callable[[Account, str | None], AsyncIterator[PolledBatch]] | None = None
    list_templates: Callable[[Account], Awaitable[Sequence[Template]]] | None = None
    pass_softphone: Callable[[Account, str, datetime], SoftphonePass] | None = None
    connect_softphone: Callable[[CallOrder, Account, datetime], str] | None = None
    render_call: Callable[[CallOrder, Account], Call] | None = None
    call: Callable[[Account, Call], Awaitable[str]] | None = None
    profile_of: Callable[[Account, Identity], Awaitable[Profile]] | None = None
