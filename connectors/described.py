"""What a channel's manifest says of it, as structs. A part of ``base``, which names all of it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import msgspec


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
        shape: How a generated one is written: plain, or ``whsec_`` and Base64 as Standard Webhooks' libraries read it.
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
    shape: Literal["token", "whsec"] = "token"


class Capabilities(msgspec.Struct, frozen=True, kw_only=True):
    """
    What the channel can do; drives the composer and the validation, so no other code names a channel.

    Attributes:
        text_limit: Longest text, in ``text_limit_unit``; 0 where nothing can be written, e.g. calls.
        segments: Whether the composer shows SMS segments.
        receipts: Delivery states the vendor reports.
        visitors: Whether contacts come over our own sockets.
        start_conversation: Whether we may write first.
        subject: Whether messages have a subject line.
        copies: Whether messages go to several people (to, cc, bcc).
        html: Whether messages may come formatted.
        reply: Whether a message may quote an earlier one.
        react: Whether we may react to messages.
        edit: Whether we may edit what we sent.
        edit_within_s: For how long after the send; 0 means at any time.
        delete: Whether we may take back what we sent.
        delete_within_s: For how long after the send; 0 means at any time.
        mark_read: Whether the vendor is told what a member has read.
        attachments: Whether files go out.
        attachment_limit_bytes: Largest file, 0 for the hub's own limit.
        attachment_total_bytes: Largest sum of a message's files, 0 for any.
        attachment_limit_count: Most files of one message, 0 for the hub's own limit.
        attachment_mimes: What may be sent, e.g. ``image/*``; empty means anything.
        window_s: How long after a customer's message we may answer freely; 0 means always.
        human_window_s: The same for what a person wrote, where that is longer; 0 means as ``window_s``.
        templates: Whether templates may be sent, in a window or after it.
        human_only: Whether only people may send here, no automation.
        call: Whether members may call the contact: their own telephone rings, and they are put through.
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
    edit_within_s: int = 0
    delete: bool = False
    delete_within_s: int = 0
    mark_read: bool = False
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
    window_s: int = 0
    human_window_s: int = 0
    templates: bool = False
    human_only: bool = False
    call: bool = False


class Limit(msgspec.Struct, frozen=True):
    """``rate`` tokens per ``per_s`` seconds, at most ``burst`` saved up."""

    rate: float
    per_s: float
    burst: int


class Closed(msgspec.Struct, frozen=True, kw_only=True):
    """
    Accounts on which nothing is sent, by one of their settings: what the vendor granted differs by customer.

    Attributes:
        setting: Name of the setting.
        value: With which nothing is sent.
        why: What members read in place of sending, one sentence or two.
        draft_url: The vendor's own page where a member pastes a draft and sends it, if the contact has no identity
            ``profile_url``; https. Empty: no draft is offered.
    """

    setting: str
    value: str
    why: str
    draft_url: str = ""


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


class Softphone(msgspec.Struct, frozen=True, kw_only=True):
    """
    Telephones in the browser, where a channel has them.

    Attributes:
        library: Which of the frontend's telephone libraries speaks with the vendor.
        setting: The setting of an account that has them: where it is empty, it has none.
        connect: Origins the pages must be let call, e.g. ``wss://…``; in their policy only while an account has them.
        media: Origins sounds come from.
    """

    library: Literal["twilio"]
    setting: str
    connect: tuple[str, ...]
    media: tuple[str, ...] = ()


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
        closed: On which of its accounts nothing is sent.
        rank: Place on the first screen, lowest first.
        webhook_limit_bytes: Longest body of a call, at most 25 MiB; the default is more than most vendors ever send.
        proof: What shows that a call is the vendor's: a signature over its body, a token beside it that says nothing of
            the body, or a secret of ours within the body.
        softphone: How members telephone in the browser; None where they cannot.
        retry_after_s: Pause after each try that failed, in seconds; after the last one the message fails. Empty means
            growing pauses for a day.
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
    closed: tuple[Closed, ...] = ()
    rank: int = 100
    webhook_limit_bytes: int = 1024 * 1024
    proof: Literal["signature", "token", "secret"] = "signature"
    retry_after_s: tuple[int, ...] = ()
    softphone: Softphone | None = None
