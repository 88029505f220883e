"""Talks to WhatsApp: checks keys, sends, uploads, reacts, fetches files and lists templates."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Act, Call, Checked, RawReader
from connectors.downloads import download
from connectors.whatsapp_cloud.errors import PAIR_CODES
from connectors.whatsapp_cloud.graph import WRONG_PROOF, Asking, ask_graph
from connectors.whatsapp_cloud.render import FILE_PLACE, UPLOAD, number_bucket, pair_bucket, render_act
from connectors.whatsapp_cloud.templates import Listed, read_template
from hub.envelope import AttachmentRef, Identity, OutboundMessage, SendResult, Template
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput

# Where Meta keeps files; addresses of anybody else are not asked, least of all with the token.
HOSTS: Final = ("lookaside.fbsbx.com", ".fbcdn.net", ".whatsapp.net")
_TEMPLATE_PAGES: Final = 20
_TEMPLATES_A_PAGE: Final = 50
_REF_CHARS: Final = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ._-:"


class _Number(msgspec.Struct, frozen=True):
    id: str
    display_phone_number: str = ""
    verified_name: str = ""
    quality_rating: str = ""


class _Id(msgspec.Struct, frozen=True):
    id: str


class _Sent(msgspec.Struct, frozen=True):
    messages: tuple[_Id, ...]


class _Done(msgspec.Struct, frozen=True):
    success: bool = True


class _Place(msgspec.Struct, frozen=True):
    url: str


class _Cursors(msgspec.Struct, frozen=True):
    after: str = ""


class _Paging(msgspec.Struct, frozen=True):
    cursors: _Cursors = _Cursors()
    next: str = ""


class _Page(msgspec.Struct, frozen=True):
    data: tuple[msgspec.Raw, ...]
    paging: _Paging = _Paging()


async def check(account: Account) -> Checked:
    """
    Ask whether the token opens the number, and let the business account's calls come to our app.

    Args:
        account: Not saved yet.

    Returns:
        The number's id, and what is still to be set at Meta, in words.

    Raises:
        ConnectorError: ``AUTH`` for keys Meta refuses.
        InvalidInput: The app's secret is missing, or another app's.
    """
    credentials = account.credentials
    if not credentials.get("client_secret"):
        raise InvalidInput("client_secret", "Enter the app's secret: without it no call of Meta's can be trusted.")
    number = await _number(account)
    warnings: list[str] = []
    if not credentials.get("verify_token") and not credentials.get("signing_secret"):
        warnings.append("Meta asks for a verify token when you enter the webhook address: make one up, here and there.")
    path = f"{_setting(account, 'waba_id')}/subscribed_apps"
    try:
        await ask_graph(account, Asking(path=path), _Done)
    except ConnectorError as error:
        if error.info.klass is ErrorClass.AUTH:
            raise
        warnings.append("Meta does not send this business account's messages to your app yet: subscribe it there.")
    return Checked(external_ref=number.id, warnings=tuple(warnings))


async def test(account: Account) -> str:
    """Ask for the number's state; WhatsApp lets nobody write to themselves."""
    number = await _number(account)
    rating = f", quality {number.quality_rating.lower()}" if number.quality_rating else ""
    name = f" ({number.verified_name})" if number.verified_name else ""
    return f"WhatsApp answered for {number.display_phone_number or 'the number'}{name}{rating}. Nothing was sent."


async def send(account: Account, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Send the parts of a message, once; files are uploaded before the first part leaves.

    Args:
        account: Whose token is used.
        message: What was rendered.
        calls: Its parts, in order.

    Returns:
        WhatsApp's ids, one a part.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when a part may have been sent; final when only some were.
    """
    bodies = [await _with_file(account, call) for call in calls]
    ids: list[str] = []
    for body in bodies:
        try:
            ids.append(await _post(account, message.to, body))
        except ConnectorError as error:
            raise _halfway(error, len(ids), len(bodies)) from error
    return SendResult(external_ids=tuple(ids))


async def act(account: Account, wanted: Act) -> None:
    """
    React, take a reaction back, or say that something was read.

    Raises:
        ConnectorError: As ``send``; ``UNSUPPORTED`` for what WhatsApp has no call for.
    """
    if wanted.kind not in ("react", "unreact", "mark_read"):
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.UNSUPPORTED, wanted.kind, "WhatsApp cannot do this."))
    asking = Asking(path=f"{_setting(account, 'phone_number_id')}/messages", body=render_act(wanted))
    try:
        await ask_graph(account, asking, _Done)
    except ConnectorError as error:
        raise ConnectorError(_with_bucket(error.info, account, wanted.to)) from error


async def fetch(account: Account, attachment: AttachmentRef, _read_raw: RawReader) -> AsyncIterator[bytes]:
    """
    Fetch a file somebody sent: its address by its id, then its bytes; the address is good for minutes.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone (Meta keeps files for days) or not at Meta's; ``RETRYABLE``.
    """
    if not attachment.ref or set(attachment.ref) - set(_REF_CHARS):
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "ref", "This is no file of WhatsApp's."))
    query = {"phone_number_id": _setting(account, "phone_number_id")}
    try:
        place = await ask_graph(account, Asking(method="GET", path=attachment.ref, query=query), _Place)
    except ConnectorError as error:
        raise ConnectorError(_of_file(error.info)) from error
    token = account.credentials.get("access_token", "")
    async for piece in download(place.url, hosts=HOSTS, bearer=token, base_url=account.base_url):
        yield piece


async def list_templates(account: Account) -> Sequence[Template]:
    """
    List the approved templates of the business account that we can fill in.

    Raises:
        ConnectorError: Meta could not be asked.
    """
    found: list[Template] = []
    query = {"fields": "id,name,language,status,components", "limit": str(_TEMPLATES_A_PAGE)}
    path = f"{_setting(account, 'waba_id')}/message_templates"
    for _ in range(_TEMPLATE_PAGES):
        page = await ask_graph(account, Asking(method="GET", path=path, query=query), _Page)
        found += [one for raw in page.data if (one := _template(raw)) is not None and one.status == "approved"]
        if not page.paging.next or not page.paging.cursors.after:
            break
        query["after"] = page.paging.cursors.after
    return found


# ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _number(account: Account) -> _Number:
    query = {"fields": "id,display_phone_number,verified_name,quality_rating"}
    asking = Asking(method="GET", path=_setting(account, "phone_number_id"), query=query)
    try:
        number = await ask_graph(account, asking, _Number)
    except ConnectorError as error:
        if error.info == WRONG_PROOF:
            raise InvalidInput("client_secret", WRONG_PROOF.message) from error
        if error.info.code == "100":
            raise InvalidInput("phone_number_id", "The access token opens no number with this id.") from error
        raise
    return number


async def _with_file(account: Account, call: Call) -> str:
    """Return what to post; a file is uploaded first. Nothing has been sent yet, whatever becomes of an upload."""
    body = call.fields["body"]
    if call.operation != UPLOAD:
        return body
    if account.read_file is None:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "no_file", "The file is not at hand."))
    content = b"".join([piece async for piece in account.read_file(call.fields["file"])])
    mime, form = _form(call, content)
    try:
        uploaded = await ask_graph(account, Asking(path=f"{call.fields['number']}/media", body=form, mime=mime), _Id)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
    return body.replace(f'"id":"{FILE_PLACE}"', f'"id":{msgspec.json.encode(uploaded.id).decode()}', 1)


def _form(call: Call, content: bytes) -> tuple[str, bytes]:
    """Write a form with the file; its name goes without what would end the header."""
    boundary = secrets.token_hex(16)
    name = call.fields["filename"].translate({ord('"'): "'", ord("\\"): "_", 10: " ", 13: " "})
    fields = {"messaging_product": "whatsapp", "type": call.fields["mime"]}
    head = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'
        for key, value in fields.items()
    )
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="file"; filename="{name}"\r\n'
    head += f"Content-Type: {call.fields['mime']}\r\n\r\n"
    return f"multipart/form-data; boundary={boundary}", head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


async def _post(account: Account, to: Identity, body: str) -> str:
    asking = Asking(path=f"{_setting(account, 'phone_number_id')}/messages", body=body.encode())
    try:
        sent = await ask_graph(account, asking, _Sent)
    except ConnectorError as error:
        raise ConnectorError(_with_bucket(error.info, account, to)) from error
    if not sent.messages or not sent.messages[0].id:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "no_id", "WhatsApp's answer could not be read."))
    return sent.messages[0].id


def _with_bucket(info: ConnectorErrorInfo, account: Account, to: Identity) -> ConnectorErrorInfo:
    if info.klass is not ErrorClass.RATE_LIMITED:
        return info
    bucket = pair_bucket(account, to) if info.code in PAIR_CODES else number_bucket(account)
    return msgspec.structs.replace(info, bucket=bucket)


def _halfway(error: ConnectorError, sent: int, parts: int) -> ConnectorError:
    """After the first part nothing may be sent again: the member decides, knowing what the person has."""
    if sent == 0 or error.info.klass is ErrorClass.AMBIGUOUS:
        return error
    words = f"Only {sent} of {parts} parts were sent. {error.info.message}"
    return ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, error.info.code, words))


def _of_file(info: ConnectorErrorInfo) -> ConnectorErrorInfo:
    """To ask for a file again does no harm."""
    if info.klass is ErrorClass.AMBIGUOUS:
        return msgspec.structs.replace(info, klass=ErrorClass.RETRYABLE)
    if info.code in ("100", "404", "131052"):
        return ConnectorErrorInfo(ErrorClass.PERMANENT, info.code, "The file is no longer there.")
    return info


def _template(raw: msgspec.Raw) -> Template | None:
    try:
        return read_template(msgspec.json.decode(raw, type=Listed))
    except msgspec.MsgspecError:
        # Of a form we do not know: the others are still good.
        return None


def _setting(account: Account, name: str) -> str:
    found = account.settings.get(name, "")
    if not found.isascii() or not found.isdigit():
        raise ConnectorError(
            ConnectorErrorInfo(ErrorClass.PERMANENT, name, "The account's settings lack an id of Meta's.")
        )
    return found
