"""
The interface of a channel: a frozen dataclass of functions, one folder each, found by its ``manifest.toml``.

A connector knows the envelope and the errors, never the store. ``verify``, ``split``, ``parse`` and ``render`` are
pure; the others talk to the vendor and raise ``ConnectorError``.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec

from hub.envelope import AttachmentRef, InboundItem, OutboundMessage, SendResult
from hub.errors import ConnectorErrorInfo


class Field(msgspec.Struct, frozen=True, kw_only=True):
    """
    One input of the connect form.

    Attributes:
        name: Key in ``credentials`` or ``settings``.
        label: What members read.
        help: One sentence under the input, may name where to find the value.
        kind: How it is entered.
        required: Whether the form can be saved without it.
        pattern: Regular expression a value must match whole; empty means any.
        options: For ``select``.
        default: Value shown at first.
        generated: Made by the hub when the account is connected, never entered; shown once when it is renewed.
    """

    name: str
    label: str
    help: str = ""
    kind: Literal["text", "secret", "email", "phone", "url", "select", "checkbox", "multiline", "color"] = "text"
    required: bool = True
    pattern: str = ""
    options: tuple[str, ...] = ()
    default: str = ""
    generated: bool = False


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the channel can do; drives the composer and the validation, so no other code names a channel.

    Attributes:
        text_limit: Longest text, in ``text_limit_unit``.
        segments: Whether the composer shows SMS segments.
        receipts: Delivery states the vendor reports.
        visitors: Whether contacts come over our own sockets.
        start_conversation: Whether we may write first.
        subject: Whether messages have a subject line.
        copies: Whether messages go to several people (to, cc, bcc).
        html: Whether messages may come formatted.
        attachments: Whether files go out.
        attachment_limit_bytes: Largest file, 0 for the hub's own limit.
        attachment_total_bytes: Largest sum of a message's files, 0 for any.
        attachment_limit_count: Most files of one message, 0 for the hub's own limit.
        attachment_mimes: What may be sent, e.g. ``image/*``; empty means anything.
    """

    text_limit: int
    text_limit_unit: Literal["chars", "utf16", "bytes"] = "chars"
    segments: bool = False
    receipts: tuple[Literal["sent", "delivered", "read"], ...] = ()
    typing_in: bool = False
    typing_out: bool = False
    reply: bool = False
    react: bool = False
    edit: bool = False
    delete: bool = False
    attachments: bool = False
    attachment_limit_bytes: int = 0
    attachment_total_bytes: int = 0
    attachment_limit_count: int = 0
    attachment_mimes: tuple[str, ...] = ()
    subject: bool = False
    copies: bool = False
    html: bool = False
    visitors: bool = False
    start_conversation: bool = True


class Limit(msgspec.Struct, frozen=True):
    """``rate`` tokens per ``per_s`` seconds, at most ``burst`` saved up."""

    rate: float
    per_s: float
    burst: int


class Preset(msgspec.Struct, frozen=True, kw_only=True):
    """
    Settings of a well-known provider, filled into the connect form.

    Attributes:
        id: Short name.
        label: What members read.
        domains: Mail domains that mean this provider, e.g. ``gmail.com``.
        values: Settings to fill in.
        help: What a member must do there first, e.g. make an app password.
    """

    id: str
    label: str
    domains: tuple[str, ...] = ()
    values: Mapping[str, str] = {}
    help: str = ""


class Manifest(msgspec.Struct, frozen=True, kw_only=True):
    """
    ``manifest.toml``.

    Attributes:
        id: The channel, equal to the folder's name.
        transport: How items come in.
        unknown_policy: What to do with a send nobody confirmed: leave it to a person, or send again.
        limits: Rate limits by bucket name; a customer's account may override them in its settings.
        events: What it reads, e.g. ``message``; each has a fixture ``<event>.in.json`` or ``<event>.<case>.in.json``.
        read_on: The day the vendor's documentation was read.
        presets: Providers whose settings we know.
        rank: Place on the first screen, lowest first.
        webhook_limit_bytes: Longest body of a call, at most 25 MiB; the default is more than most vendors ever send.
    """

    id: str
    name: str
    summary: str
    transport: Literal["webhook", "poll", "socket", "own"]
    docs_url: str
    read_on: str
    capabilities: Capabilities
    unknown_policy: Literal["at_most_once", "at_least_once"]
    credentials: tuple[Field, ...] = ()
    settings: tuple[Field, ...] = ()
    limits: Mapping[str, tuple[Limit, ...]] = {}
    events: tuple[str, ...] = ()
    needs_public_url: bool = False
    setup_steps: tuple[str, ...] = ()
    presets: tuple[Preset, ...] = ()
    rank: int = 100
    webhook_limit_bytes: int = 1024 * 1024


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
    """

    key: str
    body: bytes
    account_ref: str = ""


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


class Checked(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the vendor said of an account's keys.

    Attributes:
        external_ref: The vendor's own id of the account, routes app-level webhooks.
        warnings: Sentences for the member, e.g. that no webhook is configured there yet.
    """

    external_ref: str = ""
    warnings: tuple[str, ...] = ()


async def _no_check(account: Account) -> Checked:  # noqa: ARG001  a channel without keys has nothing to check
    return Checked()


async def _never_confirmed(account: Account, message: OutboundMessage) -> SendResult | None:  # noqa: ARG001
    return None


def _no_charges(account: Account, message: OutboundMessage) -> tuple[Charge, ...]:  # noqa: ARG001
    return ()


def _no_counts() -> Mapping[str, int]:
    return {}


@dataclass(frozen=True, slots=True, kw_only=True)
class Connector:
    """
    The functions of one channel.

    Attributes:
        verify: Checks a call's signature; returns a reply for a handshake, else None. Raises SignatureRejected.
        split: Cuts a verified call into raw items. Raises MalformedPayload.
        stored_reply: What the vendor gets once the items are stored.
        parse: Reads one raw item. Raises MalformedPayload, UnsupportedPayload.
        render: Makes the vendor calls of one message. Raises ConnectorError (CONTENT, UNSUPPORTED).
        check: Asks the vendor whether the keys are good, before they are saved. Raises ConnectorError, InvalidInput.
        send: Performs a rendered message, all its calls. Raises ConnectorError.
        reconcile: After an ambiguous send: asks the vendor; ``FAILED`` where it says so, None where it does not know
            (either). Raises ConnectorError when it could not be asked.
        classify: Turns whatever ``send`` or ``check`` let through into our words.
        charges: What a send takes from which rate buckets.
        poll: For polled channels: batches after a cursor. May go on for ever; closing it frees everything.
        fetch: The bytes of an attachment, in pieces. Raises ConnectorError.
        keeps_raw: Attachments are parts of the raw item: it is kept until they are fetched.
        counts: What the channel counts in this process, ever-growing, by name; for /metrics.
    """

    manifest: Manifest
    parse: Callable[[bytes, ParseContext], Sequence[InboundItem]]
    render: Callable[[OutboundMessage, Account], Sequence[Call]]
    send: Callable[[Account, OutboundMessage, Sequence[Call]], Awaitable[SendResult]]
    classify: Callable[[BaseException], ConnectorErrorInfo]
    verify: Callable[[WebhookRequest, Account], WebhookReply | None] | None = None
    split: Callable[[WebhookRequest], Sequence[RawItem]] | None = None
    stored_reply: WebhookReply = WebhookReply()
    check: Callable[[Account], Awaitable[Checked]] = _no_check
    reconcile: Callable[[Account, OutboundMessage], Awaitable[SendResult | None]] = _never_confirmed
    charges: Callable[[Account, OutboundMessage], Sequence[Charge]] = _no_charges
    poll: Callable[[Account, str | None], AsyncIterator[PolledBatch]] | None = None
    fetch: Callable[[Account, AttachmentRef, RawReader], AsyncIterator[bytes]] | None = None
    keeps_raw: bool = False
    counts: Callable[[], Mapping[str, int]] = _no_counts
