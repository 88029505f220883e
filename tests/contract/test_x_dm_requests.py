"""Our requests to X, against the description X publishes."""

from __future__ import annotations

import functools
import json
import os
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from connectors.base import Account
from connectors.x_dm.render import FILE_PLACE, render
from connectors.x_dm.signin import SCOPES
from hub.envelope import Identity, OutboundAttachment, OutboundMessage

SPECS = Path(os.environ.get("HUB_SPECS_DIR", Path(__file__).parents[2].parent / "shared" / "specs"))
SPEC = SPECS / "x_openapi.json"
MESSAGES = "/2/dm_conversations/with/{participant_id}/messages"
EVENTS = "/2/dm_conversations/with/{participant_id}/dm_events"
FILE = OutboundAttachment(id="f", kind="image", filename="a.png", mime="image/png", size_bytes=4)
ACCOUNT = Account(id="1", workspace_id=1, credentials={}, settings={}, webhook_url="https://hub.example.com/x")


@functools.cache
def read_spec() -> dict[str, Any]:
    if not SPEC.exists():
        pytest.skip("NOT RUN: specification missing (HUB_SPECS_DIR)")
    return json.loads(SPEC.read_text())


def validator_of(path: str) -> Draft202012Validator:
    schema = read_spec()["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    return Draft202012Validator({**schema, "components": read_spec()["components"]})


@pytest.mark.parametrize("files", [(), (FILE,), (FILE, FILE)], ids=len)
def test_our_messages_are_xs(files):
    """Text, and text with pictures: no field X does not know, and the test would see one."""
    message = OutboundMessage(message_id="m", to=Identity("x", "222"), thread_key="222", text="Hi", attachments=files)
    check = validator_of(MESSAGES)
    for call in render(message, ACCOUNT):
        # Uploaded pictures have digits for names.
        body = json.loads(call.fields["body"].replace(FILE_PLACE, "1146654567674912769"))
        assert [error.message for error in check.iter_errors(body)] == []
        assert list(check.iter_errors(body | {"txt": 1}))


def test_our_uploads_are_xs():
    """Base64 in JSON, with the category of direct messages."""
    check = validator_of("/2/media/upload")
    body = {"media": "AAAA", "media_category": "dm_image"}
    assert [error.message for error in check.iter_errors(body)] == []
    assert list(check.iter_errors(body | {"media_category": "letter"}))


def test_what_we_ask_for_has_its_paths_and_scopes():
    """Paths, filters and rights are there under these names."""
    spec = read_spec()
    assert {"/2/users/me", MESSAGES, EVENTS, "/2/media/upload"} <= spec["paths"].keys()
    assert "/2/dm_conversations/media/{dm_id}/{media_id}/{resource_id}" in spec["paths"]
    filters = {one.get("name") for one in spec["paths"][EVENTS]["get"]["parameters"]}
    assert {"event_types", "max_results"} <= filters
    fields = json.dumps(spec["components"]["parameters"]["DmEventFieldsParameter"])
    assert all(f'"{one}"' in fields for one in ("dm_event.fields", "id", "text", "created_at"))
    assert '"sender_id"' in json.dumps(spec["components"]["parameters"]["DmEventExpansionsParameter"])
    known = json.dumps(spec["components"]["securitySchemes"])
    assert all(f'"{scope}"' in known for scope in SCOPES.split())
