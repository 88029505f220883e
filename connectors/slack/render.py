"""Makes the one call of a message, and says what it takes from the rate buckets. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final
from urllib.parse import quote, urlsplit

from connectors.base import Account, Call, Charge, Limit
from connectors.slack.mrkdwn import from_text
from connectors.slack.places import Place, read_place
from hub.envelope import OutboundMessage, clean_text
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# Slack cuts a text at 40,000 characters, and an escaped character has five at most: a text up to here is never cut.
TEXT_LIMIT_CHARS: Final = 8_000
MOST_FILES: Final = 10
NAME_LIMIT_CHARS: Final = 80
POST: Final = "chat.postMessage"
SHARE: Final = "files.completeUploadExternal"
ID_SEPARATOR: Final = ","


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:
    """
    Make the call that sends a message: a text, or files with the text as their comment.

    Args:
        message: What a member wrote.
        account: Who sends.

    Returns:
        One call, so that a message arrives whole or not at all.

    Raises:
        ConnectorError: ``CONTENT`` for a blank or too long text or too many files, ``RECIPIENT`` without a place.
    """
    if not message.text.strip() and not message.attachments:
        raise _refused(ErrorClass.CONTENT, "no_text", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; at most {TEXT_LIMIT_CHARS:,} go out at once."
        raise _refused(ErrorClass.CONTENT, "msg_too_long", words)
    if len(message.attachments) > MOST_FILES:
        raise _refused(ErrorClass.CONTENT, "too_many_files", f"At most {MOST_FILES} files go out at once.")
    place = place_of(message)
    if not place.channel:
        raise _refused(ErrorClass.RECIPIENT, "channel_not_found", "This is no conversation of Slack's.")
    fields = {"channel": place.channel, "text": from_text(message.text), "message_id": message.message_id}
    if place.thread_ts:
        fields["thread_ts"] = place.thread_ts
    if not message.attachments:
        return (Call(operation=POST, fields=fields | _author(message, account)),)
    return (Call(operation=SHARE, fields=fields | {"files": ID_SEPARATOR.join(one.id for one in message.attachments)}),)


def _author(message: OutboundMessage, account: Account) -> dict[str, str]:
    """
    Say as whom a text appears; files cannot be shown as somebody's.

    Source:
        docs.slack.dev/reference/methods/chat.postMessage (username, icon_url; the scope chat:write.customize), as the
        project's reference notes it, read 2026-11-22.
    """
    name = " ".join(clean_text(message.author_name).split())[:NAME_LIMIT_CHARS]
    if not name or account.settings.get("show_author") != "true":
        return {}
    hub = urlsplit(account.webhook_url)
    if not message.author_avatar or hub.scheme != "https":
        # Slack fetches the picture itself, and by https alone.
        return {"username": name}
    picture = f"https://{hub.netloc}/avatars/{quote(message.author_avatar, safe='')}"
    return {"username": name, "icon_url": picture}


def place_of(message: OutboundMessage) -> Place:
    """
    Find where a message goes.

    Returns:
        The thread's channel; for a direct conversation its channel as the newest message from there names it, else the
        member, whose channel is opened first.
    """
    place = read_place(message.thread_key or message.to.value)
    last = read_place(message.reply_to_external_id or "")
    if place.is_member and last.channel.startswith("D"):
        return Place(last.channel, place.thread_ts)
    return place


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:
    """
    Say what a message takes: one of its channel's, one of the workspace's, and one of the uploads' for each file.

    Args:
        account: Its own rate of a channel stands before the manifest's.
        message: What is sent.
        limits: The manifest's, by name.
    """
    team = account.settings.get("team_id") or account.id
    channel = read_place(message.thread_key or message.to.value).channel
    chosen = limits["channel"]
    if (wanted := _rate(account.settings.get("messages_per_second", ""))) > 0:
        chosen = (Limit(wanted, 1.0, max(1, round(wanted))),)
    found = [
        Charge(key=f"slack:post:{team}:{channel}", limits=chosen),
        Charge(key=f"slack:{team}:{POST}", limits=limits["workspace"]),
    ]
    if message.attachments:
        found.append(Charge(key=f"slack:{team}:files", limits=limits["files"], cost=float(len(message.attachments))))
    return found


def _rate(text: str) -> float:
    try:
        rate = float(text)
    except ValueError:
        return 0.0
    return rate if 0 < rate <= 100 else 0.0


def _refused(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, code, words))
