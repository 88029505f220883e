"""
Whatever a vendor, or somebody who stole its secret, puts into a call: only our two parse errors leave a connector.

Recorded calls are spoilt in many small ways, the same at each run: bytes, and in JSON every place once by each of a
list of values that parsers trip over.
"""

from __future__ import annotations

import json
import random
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from connectors.base import ParseContext, RawItem
from connectors.registry import ConnectorRegistry
from hub.envelope import InboundItem
from hub.errors import MalformedPayload, UnsupportedPayload
from scripts.connector_kit.cases import Case, cases_of

if TYPE_CHECKING:
    from collections.abc import Iterator

FOLDER = Path(__file__).parents[2] / "connectors"
REGISTRY = ConnectorRegistry.load()
CHANNELS = [manifest.id for manifest in REGISTRY.manifests() if REGISTRY.get(manifest.id).manifest.events]
# Mail has a fuzz of its own (tests/property/test_mail_fuzz.py), and takes a hundred times as long to read.
JSON_LIKE = [channel for channel in CHANNELS if not list((FOLDER / channel / "fixtures").glob("*.in.eml"))]
MOST_OF_A_CHANNEL = 2_500
RECEIVED_AT = datetime(2026, 11, 23, 12, tzinfo=UTC)
ODD_VALUES: tuple[Any, ...] = (
    None, True, 0, -1, 2**70, 1e308, "", "\x00", "x" * 70_000, "\ud800", "9" * 400, "2026-13-45T99:99:99Z", [], {}, [[]], {"": ""},
)  # fmt: skip
FORM_PIECES = (b"%", b"%ZZ", b"&&", b"=", b"%00", b"%ED%A0%80", b"\xff", b"&=&", b"+" * 5_000)


def spoilt_json(tree: Any) -> Iterator[Any]:
    """Give copies of some JSON in which one place is another value, or is not there."""
    for place in places(tree, ()):
        for odd in ODD_VALUES:
            yield changed(tree, place, odd)
        if place:
            yield without(tree, place)


def places(tree: Any, path: tuple[Any, ...]) -> Iterator[tuple[Any, ...]]:
    yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from places(value, (*path, key))


def changed(tree: Any, path: tuple[Any, ...], value: Any) -> Any:
    if not path:
        return value
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    copy[path[0]] = changed(tree[path[0]], path[1:], value)
    return copy


def without(tree: Any, path: tuple[Any, ...]) -> Any:
    copy = dict(tree) if isinstance(tree, dict) else list(tree)
    if len(path) == 1:
        del copy[path[0]]
    else:
        copy[path[0]] = without(tree[path[0]], path[1:])
    return copy


def spoilt_bytes(body: bytes, chance: random.Random) -> Iterator[bytes]:
    """Give copies of a body that were cut, changed or added to."""
    for _ in range(40):
        place = chance.randrange(len(body) + 1)
        yield body[:place]
        yield body[:place] + chance.randbytes(3) + body[place:]
        yield body[:place] + chance.choice(FORM_PIECES) + body[place:]
        yield body[place:] + body[:place]
    yield b""
    yield b"[" * 5_000
    yield b'{"a":' * 5_000


def spoilt(case: Case) -> Iterator[bytes]:
    body = case.request().body if case.connector.split is not None else case.raw_items()[0].body
    chance = random.Random(case.name)
    yield from spoilt_bytes(body, chance)
    try:
        tree = json.loads(body)
    except ValueError:
        return
    bodies = [json.dumps(one).encode() for one in spoilt_json(tree)]
    chance.shuffle(bodies)
    yield from bodies


def read(case: Case, body: bytes) -> list[InboundItem]:
    """Do with a body what the hub does with it."""
    connector, account = case.connector, case.account()
    items: list[InboundItem] = []
    raw_items = [RawItem(key="k", body=body)]
    if connector.split is not None:
        try:
            raw_items = list(connector.split(msgspec.structs.replace(case.request(), body=body)))
        except (MalformedPayload, UnsupportedPayload):
            return []
    for raw in raw_items:
        context = ParseContext(
            received_at=RECEIVED_AT,
            key=raw.key,
            settings=account.settings,
            account_id=account.id,
            workspace_id=1,
            signing_key=account.signing_key,
        )
        try:
            items += connector.parse(raw.body, context) if not raw.hint else ()
        except (MalformedPayload, UnsupportedPayload):
            continue
    return items


@pytest.mark.parametrize("channel", JSON_LIKE)
def test_only_our_parse_errors_leave_a_parser(channel):
    """Thousands of spoilt calls: each is read, or refused in one of two ways; what is read can be stored."""
    connector = REGISTRY.get(channel)
    # What a vendor was asked for is mail, in channels that are called as well.
    cases = [case for case in cases_of(connector, FOLDER / channel) if case.is_call or connector.split is None]
    most = MOST_OF_A_CHANNEL // len(cases)
    tried = 0
    for case in cases:
        for number, body in enumerate(spoilt(case)):
            if number > most:
                break
            tried += 1
            for item in read(case, body):
                encoded = msgspec.json.encode(item)
                assert b"\\u0000" not in encoded, body[:300]
                assert b"\\ud8" not in encoded.lower(), body[:300]
    assert tried > 1_000


def test_the_fuzz_would_notice():
    """A parser that trusts its vendor fails here."""
    tree = {"messages": [{"id": "1", "from": {"name": "Ann"}}]}
    failures = set()
    for one in spoilt_json(tree):
        try:
            one["messages"][0]["from"]["name"].upper()
        except (AttributeError, KeyError, TypeError, IndexError) as error:
            failures.add(type(error))
    assert failures == {AttributeError, KeyError, TypeError, IndexError}
