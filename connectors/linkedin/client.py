"""Talks to LinkedIn: checks tokens, sends, and looks for what was sent."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

import msgspec

from connectors.base import Account, Call, Checked
from connectors.linkedin.api import Asking, ask_linkedin
from connectors.linkedin.parse import MESSAGES
from connectors.linkedin.products import product_of, require_writing
from connectors.linkedin.reading import read_since
from connectors.linkedin.render import bucket
from connectors.linkedin.shapes import Activity, Event, read
from hub.envelope import OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, MalformedPayload

_LOOK_BACK: Final = timedelta(minutes=2)


class Me(msgspec.Struct, frozen=True, kw_only=True):
    """Whose token it is: LinkedIn's id of the member for this app, and a name where the product tells it."""

    urn: str
    name: str = ""


class _UserInfo(msgspec.Struct, frozen=True):
    sub: str
    name: str = ""


class _Key(msgspec.Struct, frozen=True):
    member: str


class _Authorization(msgspec.Struct, frozen=True, rename="camel"):
    member_compliance_authorization_key: _Key


class _Authorizations(msgspec.Struct, frozen=True):
    elements: tuple[_Authorization, ...] = ()


class _Sent(msgspec.Struct, frozen=True):
    id: str = ""
    value: str = ""


async def check(account: Account) -> Checked:
    """
    Ask whose token it is, and say what is missing.

    Raises:
        ConnectorError: ``AUTH`` where LinkedIn refuses it.
    """
    me = await who(account)
    explained = product_of(account.settings).explained
    return Checked(external_ref=me.urn, warnings=(explained,) if explained else ())


async def test(account: Account) -> str:
    """Ask whose token it is; nothing is sent, for no person asked for a message to anybody."""
    me = await who(account)
    return f"LinkedIn answered for {me.name or me.urn}. Nothing was sent."


async def who(account: Account) -> Me:
    """
    Ask whose token it is.

    Raises:
        ConnectorError: ``AUTH`` where LinkedIn refuses it, ``ACCOUNT`` where it names nobody.

    Source:
        learn.microsoft.com/en-us/linkedin, Sign In with LinkedIn using OpenID Connect (``userinfo``); Member Data
        Portability (``memberAuthorizations``), whose tokens have no ``openid``; the latter by the reference.
    """
    if account.settings.get("product") != "member_portability":
        user, _ = await ask_linkedin(account, Asking(path="/v2/userinfo"), _UserInfo)
        return Me(urn=f"urn:li:person:{user.sub}", name=user.name)
    asking = Asking(path="/rest/memberAuthorizations", query={"q": "memberAndApplication"})
    found, _ = await ask_linkedin(account, asking, _Authorizations)
    if not found.elements:
        # Agreeing begins with this; from then on LinkedIn keeps events.
        await ask_linkedin(account, Asking(method="POST", path="/rest/memberAuthorizations", body=b"{}"), msgspec.Raw)
        found, _ = await ask_linkedin(account, asking, _Authorizations)
    if not found.elements:
        info = ConnectorErrorInfo(ErrorClass.ACCOUNT, "nobody", "LinkedIn does not say whose data this app may read.")
        raise ConnectorError(info)
    return Me(urn=found.elements[0].member_compliance_authorization_key.member)


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:  # noqa: ARG001
    """
    Send a message, once.

    Args:
        account: Whose token is used; its product is looked at again.
        message: What was rendered.
        calls: One.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when it may have been sent.
    """
    require_writing(account.settings)
    path = account.settings.get("messages_path") or "/rest/messages"
    (call,) = calls
    asking = Asking(method="POST", path=path, body=call.fields["body"].encode())
    try:
        sent, answer = await ask_linkedin(account, asking, _Sent)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.RATE_LIMITED:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, bucket=bucket(account))) from error
    external_id = answer.headers.get("x-restli-id") or sent.id or sent.value
    return SendResult(external_ids=(external_id,) if external_id else ())


async def reconcile(account: Account, message: OutboundMessage) -> SendResult | None:
    """
    Read the thread since the try began, and look for a message of ours that says the same.

    Returns:
        The message LinkedIn has; None where there is none, which it may only not have told yet.

    Raises:
        ConnectorError: LinkedIn could not be asked.
    """
    if message.attempted_at is None:
        return None
    since = message.attempted_at - _LOOK_BACK
    for one in await read_since(account, int(since.timestamp() * 1000)):
        try:
            event = read(one.item.body, Event)
            activity = read(event.activity, Activity)
        except MalformedPayload:
            continue
        is_ours = event.actor == event.owner and event.resource_name == MESSAGES and event.method == "CREATE"
        text = activity.content.text or activity.content.fallback
        if is_ours and activity.thread == message.thread_key and text == message.text:
            return SendResult(external_ids=(event.resource_id or event.activity_id,))
    return None
