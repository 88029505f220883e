"""What Slack's Web API takes, method by method, as structs that refuse every other field. For ``slack``."""

from __future__ import annotations

from typing import Any

import msgspec


class Strict(msgspec.Struct, forbid_unknown_fields=True, kw_only=True):
    """Refuses what Slack does not document."""


class Metadata(Strict):
    event_type: str
    event_payload: dict[str, Any]


class PostMessage(Strict):
    """``chat.postMessage``; of its many fields those the product may come to use."""

    channel: str
    text: str = ""
    thread_ts: str | None = None
    reply_broadcast: bool | None = None
    mrkdwn: bool | None = None
    unfurl_links: bool | None = None
    unfurl_media: bool | None = None
    metadata: Metadata | None = None
    username: str | None = None
    icon_url: str | None = None


class Update(Strict):
    """``chat.update``."""

    channel: str
    ts: str
    text: str


class Delete(Strict):
    """``chat.delete``."""

    channel: str
    ts: str


class React(Strict):
    """``reactions.add`` and ``reactions.remove``."""

    channel: str
    timestamp: str
    name: str


class UserInfo(Strict):
    """``users.info``."""

    user: str


class Open(Strict):
    """``conversations.open``."""

    users: str


class History(Strict):
    """``conversations.history``; ``ts`` makes it ``conversations.replies``."""

    channel: str
    ts: str = ""
    oldest: str = "0"
    limit: int = 100
    cursor: str = ""
    include_all_metadata: int = 0


class Channels(Strict):
    """``users.conversations``."""

    types: str = "public_channel"
    exclude_archived: int = 0
    limit: int = 100
    cursor: str = ""


class Upload(Strict):
    """``files.getUploadURLExternal``."""

    filename: str
    length: int


class Complete(Strict):
    """``files.completeUploadExternal``."""

    files: str
    channel_id: str
    initial_comment: str = ""
    thread_ts: str = ""


class Completed(Strict):
    """One of ``Complete.files``."""

    id: str
    title: str = ""


class FileInfo(Strict):
    """``files.info`` and ``files.delete``."""

    file: str


class Access(Strict):
    """``oauth.v2.access``, of a code or of a refresh token."""

    code: str = ""
    redirect_uri: str = ""
    grant_type: str = "authorization_code"
    refresh_token: str = ""


class Authorize(Strict):
    """The address a browser is sent to."""

    client_id: str
    scope: str
    redirect_uri: str
    state: str
    user_scope: str = ""
    team: str = ""
