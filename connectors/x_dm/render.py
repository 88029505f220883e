"""Makes the calls of one message, and says what they take from X's limits and from the budget. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Call, Charge, Limit
from hub.envelope import OutboundMessage
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SEND: Final = "messages"
WITH_FILE: Final = "messages_with_media"
TEXT_LIMIT_CHARS: Final = 10_000
FILE_PLACE: Final = "uploaded-media"
# Dollars X takes for a message; x.com's price list by the reference, 22 August 2026. A setting changes it.
PRICE: Final = 0.015
_MONTH_S: Final = 30 * 86_400.0


class MediaId(msgspec.Struct, frozen=True):
    media_id: str


class Body(msgspec.Struct, frozen=True, omit_defaults=True):
    text: str = ""
    attachments: tuple[MediaId, ...] = ()


def render(message: OutboundMessage, account: Account) -> Sequence[Call]:  # noqa: ARG001  the shape all channels share
    """
    Make the requests that send a message: the text with its first picture, then the others; one a message.

    Args:
        message: At most 10,000 characters.
        account: Whose user sends.

    Raises:
        ConnectorError: ``CONTENT`` for an empty or too long text, ``RECIPIENT`` for somebody of another channel.
    """
    if not message.text.strip() and not message.attachments:
        raise _refused(ErrorClass.CONTENT, "empty", "The message has no text.")
    if len(message.text) > TEXT_LIMIT_CHARS:
        words = f"The text has {len(message.text):,} characters; X takes {TEXT_LIMIT_CHARS:,}."
        raise _refused(ErrorClass.CONTENT, "too_long", words)
    if message.to.scheme != "x" or not message.to.value.isdigit():
        raise _refused(ErrorClass.RECIPIENT, "recipient", "This is nobody on X.")
    if not message.attachments:
        return [_call(SEND, Body(message.text))]
    calls = []
    for place, file in enumerate(message.attachments):
        call = _call(WITH_FILE, Body(message.text if place == 0 else "", (MediaId(FILE_PLACE),)))
        about = {"file": file.id, "mime": file.mime, "filename": file.filename}
        calls.append(Call(operation=WITH_FILE, fields={**call.fields, **about}))
    return calls


def charges(account: Account, message: OutboundMessage, limits: Mapping[str, tuple[Limit, ...]]) -> Sequence[Charge]:
    """
    Say what a message takes: of what X lets a user send in 15 minutes and a day, and of the month's money.

    Args:
        account: Its settings stand before the manifest's limits; without a budget money is not counted.
        message: What is sent.
        limits: The manifest's, by name.
    """
    user = account.settings.get("user_id", "")
    cost = float(max(1, len(message.attachments)))
    found = [
        Charge(key=bucket(account), limits=_scaled(account, "sends_per_15_minutes", 900.0, limits["user"]), cost=cost),
        Charge(key=f"x:dm:day:{user}", limits=_scaled(account, "sends_per_day", 86_400.0, limits["day"]), cost=cost),
    ]
    budget = _number(account, "monthly_budget_usd")
    if budget > 0:
        price = _number(account, "price_per_message_usd") or PRICE
        money = (Limit(budget, _MONTH_S, max(1, int(budget))),)
        found.append(Charge(key=f"x:money:{user}", limits=money, cost=min(cost * price, budget)))
    return found


def bucket(account: Account) -> str:
    """Return the key of the bucket of our user's 15 minutes."""
    return f"x:dm:user:{account.settings.get('user_id', '')}"


def _scaled(account: Account, setting: str, per_s: float, default: tuple[Limit, ...]) -> tuple[Limit, ...]:
    """Stay under ``n`` in every window: a fifth saved up, the rest over time."""
    most = _number(account, setting)
    if most < 1:
        return default
    return (Limit(max(1.0, most * 0.8), per_s, max(1, int(most * 0.2))),)


def _number(account: Account, setting: str) -> float:
    try:
        return float(account.settings.get(setting, "") or 0)
    except ValueError:
        return 0.0


def _call(operation: str, body: Body) -> Call:
    return Call(operation=operation, fields={"body": msgspec.json.encode(body).decode()})


def _refused(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    return ConnectorError(ConnectorErrorInfo(klass, code, words))
