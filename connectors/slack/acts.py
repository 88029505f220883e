"""Edits, deletes and reacts in Slack. Each is asked again after a doubt, and comes to the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from connectors.base import Account, Act
from connectors.slack.client import ask_as
from connectors.slack.emojis import to_names
from connectors.slack.mrkdwn import from_text
from connectors.slack.places import read_place
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from slack_sdk import WebClient

_FILE: Final = "F"
_MOST_NAMES: Final = 4
# What says that it was done before: by the first try, or by somebody else.
_DONE: Final = {
    "delete": frozenset({"message_not_found", "file_deleted", "file_not_found"}),
    "react": frozenset({"already_reacted"}),
    "unreact": frozenset({"no_reaction", "message_not_found"}),
    "edit": frozenset[str](),
}
_UNKNOWN_NAME: Final = frozenset({"invalid_name", "bad_reaction_name"})


async def act(account: Account, wanted: Act) -> None:
    """
    Do something about a message.

    Args:
        account: Whose token is used.
        wanted: An edit, a deletion or a reaction; ``external_id`` is channel and timestamp, or channel and file.

    Raises:
        ConnectorError: As ``send``; ``UNSUPPORTED`` for what Slack cannot do to it.
    """
    channel, _, name = wanted.external_id.partition("/")
    if not read_place(wanted.external_id).channel or not name:
        raise _cannot("This message has no name in Slack.")
    if name.startswith(_FILE):
        await _delete_file(account, wanted, name)
        return
    match wanted.kind:
        case "edit":
            text = from_text(wanted.text)
            await _do(account, wanted, lambda client: client.chat_update(channel=channel, ts=name, text=text))
        case "delete":
            await _do(account, wanted, lambda client: client.chat_delete(channel=channel, ts=name))
        case "react" | "unreact":
            await _react(account, wanted, channel, name)
        case _:
            raise _cannot("Slack cannot be told of this.")


async def _react(account: Account, wanted: Act, channel: str, ts: str) -> None:
    """React under the names Slack may know the emoji by, until it knows one."""
    names = to_names(wanted.emoji)[:_MOST_NAMES]
    if not names:
        raise _cannot("Slack has no name for this emoji.")
    for number, name in enumerate(names):

        def ask_for(client: WebClient, name: str = name) -> object:
            change = client.reactions_add if wanted.kind == "react" else client.reactions_remove
            return change(channel=channel, timestamp=ts, name=name)

        try:
            await _do(account, wanted, ask_for)
        except ConnectorError as error:
            if error.info.code not in _UNKNOWN_NAME or number == len(names) - 1:
                raise
        else:
            return


async def _delete_file(account: Account, wanted: Act, file_id: str) -> None:
    """Take back a message that was all file, and whose name Slack never told us."""
    if wanted.kind != "delete":
        raise _cannot("Slack has not said which message shows this file; it can only be deleted.")
    await _do(account, wanted, lambda client: client.files_delete(file=file_id))


async def _do(account: Account, wanted: Act, question: Callable[[WebClient], object]) -> None:
    try:
        await ask_as(account, question)
    except ConnectorError as error:
        if error.info.code not in _DONE.get(wanted.kind, ()):
            raise


def _cannot(words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(ErrorClass.UNSUPPORTED, "cannot", words))
