"""What Slack's Events API sends, as structs: only the fields we read, each as Slack documents it. Pure."""

from __future__ import annotations

import msgspec


class Authorization(msgspec.Struct, frozen=True):
    """An installation of the app that the event is visible to."""

    team_id: str | None = None


class Envelope(msgspec.Struct, frozen=True):
    """The body of a call."""

    type: str
    event: msgspec.Raw = msgspec.Raw(b"")
    event_id: str = ""
    team_id: str | None = None
    authorizations: tuple[Authorization, ...] | None = None


class Kind(msgspec.Struct, frozen=True):
    """What every event has."""

    type: str
    subtype: str | None = None


class Profile(msgspec.Struct, frozen=True):
    """Comes with messages of people of other organisations."""

    display_name: str | None = None
    real_name: str | None = None


class BotProfile(msgspec.Struct, frozen=True):
    app_id: str | None = None
    name: str | None = None


class Edited(msgspec.Struct, frozen=True):
    ts: str | None = None


class Attachment(msgspec.Struct, frozen=True):
    """A "legacy attachment": what other apps add to their messages."""

    fallback: str | None = None
    text: str | None = None


class Payload(msgspec.Struct, frozen=True):
    message_id: str = ""


class Metadata(msgspec.Struct, frozen=True):
    """What an app hid in its message; ours puts our id there."""

    event_type: str = ""
    event_payload: msgspec.Raw = msgspec.Raw(b"{}")


class File(msgspec.Struct, frozen=True):
    id: str
    name: str | None = None
    title: str | None = None
    mimetype: str | None = None
    size: int | None = None
    mode: str | None = None
    is_external: bool | None = None
    url_private: str | None = None
    url_private_download: str | None = None


class Said(msgspec.Struct, frozen=True):
    """A message, as an event is one or carries one."""

    ts: str = ""
    subtype: str | None = None
    user: str | None = None
    username: str | None = None
    bot_id: str | None = None
    app_id: str | None = None
    bot_profile: BotProfile | None = None
    user_profile: Profile | None = None
    text: str | None = None
    thread_ts: str | None = None
    parent_user_id: str | None = None
    team: str | None = None
    user_team: str | None = None
    source_team: str | None = None
    edited: Edited | None = None
    files: tuple[File, ...] | None = None
    attachments: tuple[Attachment, ...] | None = None
    metadata: Metadata | None = None


class MessageEvent(Said, frozen=True, kw_only=True):
    """An event of type ``message``."""

    channel: str
    channel_type: str | None = None
    event_ts: str | None = None
    deleted_ts: str | None = None
    message: Said | None = None
    previous_message: Said | None = None


class ReactedTo(msgspec.Struct, frozen=True):
    type: str
    channel: str | None = None
    ts: str | None = None


class ReactionEvent(msgspec.Struct, frozen=True):
    """``reaction_added`` and ``reaction_removed``."""

    type: str
    user: str
    reaction: str
    item: ReactedTo
    event_ts: str
