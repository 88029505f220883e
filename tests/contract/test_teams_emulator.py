"""
Teams' activities, ours and the emulator's, in Microsoft's own classes for them (botbuilder-schema, a test-only package):
what we take for a field is one, and what we send has no field Microsoft does not know.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from botbuilder.schema import Activity, ActivityTypes

from connectors.base import Account, Act, ParseContext
from connectors.teams import CONNECTOR
from connectors.teams.render import render_edit
from hub.envelope import Identity, ItemKind, OutboundAttachment, OutboundMessage

FIXTURES = Path(__file__).parents[2] / "connectors" / "teams" / "fixtures"
ACCOUNT = Account(id="1", workspace_id=1, credentials={}, settings={}, webhook_url="https://hub.example/")
KNOWN = sorted(
    path.name for path in FIXTURES.glob("*.in.json") if not path.name.startswith(("malformed", "unsupported"))
)


def raw(name: str) -> dict[str, Any]:
    told: dict[str, Any] = json.loads(json.loads((FIXTURES / name).read_text())["body"])
    return told


def read(told: dict[str, Any]) -> Activity:
    activity = Activity().deserialize(told)
    # Where this library keeps what it has no name for.
    assert not activity.additional_properties
    return activity


@pytest.mark.parametrize("name", KNOWN)
def test_what_we_read_is_what_microsofts_classes_read(name):
    """Who, where, when, what: by their classes and by our parser the same."""
    activity = read(raw(name))
    context = ParseContext(received_at=datetime.now(UTC), key="k", settings={})
    items = CONNECTOR.parse(json.dumps(raw(name)).encode(), context)

    assert items
    for item in items:
        assert item.sender is not None
        assert (item.sender.value, item.sender.display_name) == (activity.from_property.id, activity.from_property.name)
        assert item.thread_key.startswith(activity.conversation.id)
        assert item.thread_key.endswith(activity.service_url.rstrip("/"))
        if activity.timestamp is not None and item.kind is not ItemKind.REACTION:
            assert item.occurred_at == activity.timestamp
    kinds = {item.kind for item in items}
    match activity.type:
        case ActivityTypes.message:
            assert kinds == {ItemKind.MESSAGE}
            named = [one for one in activity.attachments or [] if one.content_type != "text/html"]
            assert len(items[0].attachments) <= len(named)
        case ActivityTypes.message_update:
            assert kinds <= {ItemKind.EDIT, ItemKind.MESSAGE}
        case ActivityTypes.message_delete:
            assert kinds == {ItemKind.DELETE}
        case ActivityTypes.message_reaction:
            told = len(activity.reactions_added or []) + len(activity.reactions_removed or [])
            assert (kinds, len(items)) == ({ItemKind.REACTION}, told)
        case other:
            pytest.fail(f"no class for {other}")


def outgoing(**more: Any) -> dict[str, Any]:
    to = Identity("teams", "29:ann")
    thread_key = "a:1 https://smba.trafficmanager.net/emea"
    message = OutboundMessage(message_id="0190b0a0-1111-7000-8000-000000000001", to=to, thread_key=thread_key, **more)
    (call,) = CONNECTOR.render(message, ACCOUNT)
    told: dict[str, Any] = json.loads(call.fields["body"])
    return told


def test_what_we_send_is_an_activity_of_theirs():
    """Read by their classes and written again it is what we wrote: no field is lost, none is unknown."""
    picture = OutboundAttachment(
        id="f", kind="image", filename="a.png", mime="image/png", size_bytes=4, url="https://x.example/a"
    )
    for told in (outgoing(text="Hello"), outgoing(text="See", attachments=(picture,), quoted_external_id="a:1 17")):
        activity = read(told)
        assert activity.serialize() == told
        for one in activity.attachments or []:
            assert not one.additional_properties
            assert (one.content_type, one.content_url, one.name) == ("image/png", "https://x.example/a", "a.png")


def test_our_edits_are_activities_of_theirs():
    """The activity that takes the place of one that was sent."""
    wanted = Act(
        id="a", kind="edit", to=Identity("teams", "29:ann"), thread_key="a:1 x", external_id="17", text="Better"
    )
    told = json.loads(render_edit(wanted))
    assert read(told).serialize() == told == {"type": "message", "text": "Better", "textFormat": "plain"}
