"""The quality rules of what goes out, tried against a vendor on loopback. Each yields what is wrong, in words."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import fields
from typing import Final

import msgspec

from connectors.base import Account, Call, Connector
from hub.envelope import OutboundAttachment, OutboundMessage
from hub.errors import ConnectorError, ErrorClass, InvalidInput
from scripts.connector_kit.subject import Subject
from scripts.connector_kit.vendor import StubVendor

_WAIT_S: Final = 7.0
_FILE: Final = OutboundAttachment(
    id="0190b0a0-2222-7000-8000-000000000001",
    kind="image",
    filename="photo.jpg",
    mime="image/jpeg",
    size_bytes=1000,
    url="https://hub.example.com/files/token-of-the-file",
)
_DEFAULTS: Final = {field.name: field.default for field in fields(Connector)}


def rate_limit_honoured(one: Subject) -> Iterator[str]:
    if not one.connector.manifest.limits:
        yield "the manifest has no [[limits.…]]; a vendor without limits answers exempt."
        return
    charges = one.connector.charges(one.account, one.message())
    if not charges:
        yield "charges takes nothing from the limits of the manifest."
    for charge in charges:
        if charge.cost <= 0 or not charge.limits:
            yield f"the charge {charge.key!r} costs nothing or has no limits."


def retry_after_honoured(one: Subject) -> Iterator[str]:
    if not one.speaks_http:
        return
    error = yield from _refused_by(one, 429, {"retry-after": f"{_WAIT_S:.0f}"})
    if error is None:
        return
    if error.info.klass is not ErrorClass.RATE_LIMITED:
        yield f"an answer 429 must be RATE_LIMITED, not {error.info.klass.name}."
    elif error.info.retry_after_s != _WAIT_S:
        yield f"an answer 429 with Retry-After: 7 must wait 7 s, not {error.info.retry_after_s}."


def reauth_path(one: Subject) -> Iterator[str]:
    if not one.speaks_http:
        return
    error = yield from _refused_by(one, 401, {})
    if error is not None and error.info.klass is not ErrorClass.AUTH:
        yield f"an answer 401 must be AUTH, so that a person is asked; it is {error.info.klass.name}."


def _refused_by(one: Subject, status: int, headers: dict[str, str]) -> Generator[str, None, ConnectorError | None]:
    """Send to a vendor that answers with ``status``; yields what is wrong, returns what ``send`` raised."""
    with StubVendor(status, b'{"error": "no"}', headers) as vendor:
        account, message = msgspec.structs.replace(one.account, base_url=vendor.base_url), one.message()
        try:
            asyncio.run(_send(one.connector, account, message))
        except ConnectorError as error:
            if not vendor.asked:
                yield f"send raised {error.info.klass.name} before it asked the vendor at account.base_url."
                return None
            return error
        yield f"send takes an answer {status} for a success."
        return None


async def _send(connector: Connector, account: Account, message: OutboundMessage) -> None:
    await connector.send(account, message, connector.render(message, account))


def credentials_checked(one: Subject) -> Iterator[str]:
    if one.connector.check is _DEFAULTS["check"]:
        yield "there is no check: nobody asks the vendor whether the keys are good."
        return
    if not one.speaks_http:
        return
    with StubVendor(401, b'{"error": "no"}') as vendor:
        account = msgspec.structs.replace(one.account, base_url=vendor.base_url)
        try:
            asyncio.run(_check(one.connector, account))
        except (ConnectorError, InvalidInput):
            if not vendor.asked:
                yield "check refuses without asking the vendor at account.base_url."
            return
    yield "check takes keys that the vendor answers with 401."


async def _check(connector: Connector, account: Account) -> None:
    await connector.check(account)


def media_out(one: Subject) -> Iterator[str]:
    """A file must show in what is sent: by its address, or by its id, with which ``send`` reads it."""
    if not one.connector.manifest.capabilities.attachments:
        yield "capabilities.attachments is false."
    if one.is_own:
        return
    message = msgspec.structs.replace(one.message(), attachments=(_FILE,))
    texts = list(_texts(one.connector.render(message, one.account)))
    if not any(_FILE.url in text or _FILE.id in text for text in texts):
        yield "render drops the file of a message: neither its url nor its id is in a call."


def text_limit_split(one: Subject) -> Iterator[str]:
    """Numbered words show what is missing, cut through or out of order."""
    if one.is_own:
        return
    limit = one.connector.manifest.capabilities.text_limit
    text = "".join(f"w{number:06} " for number in range(limit // 8 + 1))[:limit].strip()
    yield from _carries_all(one, text)
    try:
        yield from _carries_all(one, f"{text} and more than the limit w999999")
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.CONTENT:
            yield f"a text above the limit is refused as {error.info.klass.name}; it must be CONTENT."


def _carries_all(one: Subject, text: str) -> Iterator[str]:
    calls = one.connector.render(one.message(text), one.account)
    if _words(" ".join(_texts(calls))) != _words(text):
        yield f"render of {len(text)} characters loses, cuts or reorders words."


def _texts(calls: Sequence[Call]) -> Iterator[str]:
    for call in calls:
        yield from call.fields.values()


def _words(text: str) -> list[str]:
    return re.findall(r"w\d{6}", text)
