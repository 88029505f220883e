"""
Where messages of Teams are: the service that takes answers, the conversation, and the message in it. Pure.

Conversation ids hold no spaces and ids of activities are unique within one: a thread's key is ``<conversation>
<service>``, a message's id ``<conversation> <activity>``.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import quote, urlsplit

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# Where the Bot Connector of Teams is; nobody else is sent our token. The first is one name, not all below
# trafficmanager.net: every customer of Azure can have a name there.
HOSTS: Final = ("smba.trafficmanager.net", ".botframework.com", ".teams.microsoft.com")
_NOWHERE: Final = ConnectorErrorInfo(ErrorClass.PERMANENT, "place", "This conversation is not one of Teams.")


def thread_key(conversation: str, service_url: str) -> str:
    """Name a conversation together with the service that takes answers to it."""
    return f"{conversation} {service_url.rstrip('/')}"


def message_id(conversation: str, activity: str) -> str:
    """Name a message so that no other conversation has one of the same name."""
    return f"{conversation} {activity}"


def activities_url(key: str, base_url: str) -> str:
    """
    Return the address that takes a conversation's messages.

    Args:
        key: The thread's.
        base_url: The only origin asked where it is not empty (an emulator).

    Raises:
        ConnectorError: ``PERMANENT``: not a key of ours, or a service that is not Microsoft's.
    """
    conversation, _, service = key.rpartition(" ")
    if not conversation or not (base_url or is_service(service)):
        raise ConnectorError(_NOWHERE)
    return f"{base_url or service}/v3/conversations/{quote(conversation, safe='')}/activities"


def is_service(url: str) -> bool:
    """Say whether an address is the Bot Connector's, by its host."""
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower()
        is_plain = parts.port is None and parts.username is None
    except ValueError:
        return False
    known = any(host.endswith(one) if one.startswith(".") else host == one for one in HOSTS)
    return parts.scheme == "https" and is_plain and known


def activity_of(external_id: str) -> str:
    """Return a message's own id, for an address; raises ConnectorError where it is none of ours."""
    conversation, _, activity = external_id.rpartition(" ")
    if not conversation or not activity:
        raise ConnectorError(_NOWHERE)
    return quote(activity, safe="")
