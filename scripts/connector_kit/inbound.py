"""The quality rules of what comes in. Each yields what is wrong, in words."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

import msgspec

from connectors.base import Account, ParseContext, WebhookRequest
from hub import clock
from hub.envelope import ItemKind
from hub.errors import SignatureRejected, UnsupportedPayload
from scripts.connector_kit.subject import Subject


def signature_verified(one: Subject) -> Iterator[str]:
    verify = one.connector.verify
    if verify is None:
        yield "there is no verify. A channel that takes no calls answers exempt."
        return
    calls = [case for case in one.cases if case.is_call]
    if not calls:
        yield "no recorded call shows a signature that passes."
    for case in calls:
        request, account = case.request(), case.account()
        verify(request, account)
        for what, call, owner in _FORGERIES[one.connector.manifest.proof](request, account):
            try:
                verify(call, owner)
            except SignatureRejected:
                continue
            yield f"{case.name}: verify takes a call with {what}; it must raise SignatureRejected."


_Forged = Iterator[tuple[str, WebhookRequest, Account]]


def _forge_body(request: WebhookRequest, account: Account) -> _Forged:
    replace = msgspec.structs.replace
    for position in {0, len(request.body) // 2, len(request.body) - 1} if request.body else ():
        changed = bytearray(request.body)
        changed[position] ^= 1
        yield f"byte {position} of its body changed", replace(request, body=bytes(changed)), account
    yield "no signature", replace(request, headers=_plain(request)), account
    yield from _forge_secret(request, account)


def _forge_token(request: WebhookRequest, account: Account) -> _Forged:
    replace = msgspec.structs.replace
    yield "no token", replace(request, headers=_plain(request)), account
    yield "no key to check it with", request, replace(account, keys={})


def _forge_secret(request: WebhookRequest, account: Account) -> _Forged:
    replace = msgspec.structs.replace
    wrong = dict.fromkeys(account.credentials, "f" * 32)
    yield "a proof by another key", request, replace(account, credentials=wrong)
    yield "no key to check it with", request, replace(account, credentials={})


def _plain(request: WebhookRequest) -> dict[str, str]:
    return {name: value for name, value in request.headers.items() if name == "content-type"}


_FORGERIES: Final = {"signature": _forge_body, "token": _forge_token, "secret": _forge_secret}


def every_event_has_fixture(one: Subject) -> Iterator[str]:
    events = one.connector.manifest.events
    if not events:
        yield "the manifest lists no events."
    shown = {case.event for case in one.cases}
    for event in events:
        if event not in shown:
            yield f"fixtures/{event}.in.json is missing."
    for case in one.cases:
        if not (case.folder / f"{case.name}.out.json").is_file():
            yield f"fixtures/{case.name}.out.json is missing."
        elif case.read() != case.expected():
            yield f"{case.name}.in.json is not read as {case.name}.out.json says."


def unknown_is_unsupported(one: Subject) -> Iterator[str]:
    if one.is_own:
        yield from _own_takes_nothing(one)
        return
    unknown = [case for case in one.cases if any(item.error == UnsupportedPayload.code for item in case.expected())]
    if not unknown:
        yield "no fixture shows a call of a kind we do not handle: add fixtures/unsupported.in.json and .out.json."
    for case in unknown:
        if not any(item.error == UnsupportedPayload.code for item in case.read()):
            yield f"{case.name}: parse must raise UnsupportedPayload."


def _own_takes_nothing(one: Subject) -> Iterator[str]:
    try:
        one.connector.parse(b"{}", ParseContext(received_at=clock.now(), key="k", settings={}))
    except UnsupportedPayload:
        return
    yield "parse must raise UnsupportedPayload: nothing of this channel travels as a vendor's call."


def receipts(one: Subject) -> Iterator[str]:
    promised = set(one.connector.manifest.capabilities.receipts)
    if not promised:
        yield "capabilities.receipts is empty."
    if one.is_own:
        return
    shown = {item.receipt.status.value for item in one.items() if item.receipt is not None}
    for status in sorted(promised - shown):
        yield f"capabilities.receipts has {status!r}, which no fixture shows."


def media_in(one: Subject) -> Iterator[str]:
    if one.is_own:
        return
    if not any(item.attachments for item in one.items()):
        yield "no fixture shows a message with a file."
    if one.connector.fetch is None:
        yield "there is no fetch: the files of a message are never read."


def edits(one: Subject) -> Iterator[str]:
    yield from _shows(one, ItemKind.EDIT)


def deletes(one: Subject) -> Iterator[str]:
    yield from _shows(one, ItemKind.DELETE)


def _shows(one: Subject, kind: ItemKind) -> Iterator[str]:
    if not one.is_own and not any(item.kind is kind and item.target_external_id for item in one.items()):
        yield f"no fixture is read as an item of kind {kind.value!r} with its target_external_id."


def threads(one: Subject) -> Iterator[str]:
    messages = [item for item in one.items() if item.kind is ItemKind.MESSAGE]
    if not any(item.thread_key and (item.sender is None or item.thread_key != item.sender.value) for item in messages):
        yield "no fixture shows a message whose thread_key is more than its sender."


def backfill(one: Subject) -> Iterator[str]:
    if one.connector.poll is None and one.connector.backfill is None:
        yield "there is no poll and no backfill: nothing asks the vendor for what was missed."


def replay_safe(one: Subject) -> Iterator[str]:
    for case in one.cases:
        if case.read() != case.read():
            yield f"{case.name}: read twice, the items differ."
        keys = [raw.key for raw in case.raw_items()]
        if len(set(keys)) != len(keys) or not all(0 < len(key) <= 300 for key in keys):
            yield f"{case.name}: keys must differ and have 1-300 characters."
        split = one.connector.split
        if split is not None and case.is_call:
            request = case.request()
            later = msgspec.structs.replace(request, received_at=request.received_at + timedelta(days=1))
            if [raw.key for raw in split(later)] != keys:
                yield f"{case.name}: the keys change with the time of arrival, so that a retry would be stored twice."
