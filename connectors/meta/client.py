"""Talks to Meta for a page or an Instagram account: checks keys, sends, uploads, reacts and fetches files."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator, Sequence
from typing import Final

import msgspec

from connectors.base import Account, Act, Call, Checked
from connectors.downloads import download
from connectors.meta.graph import Asking, ask_graph
from connectors.meta.product import Product
from connectors.meta.render import FILE_PLACE, UPLOAD, bucket, render_act, tagged
from hub import clock
from hub.envelope import AttachmentRef, OutboundMessage, SendResult
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, InvalidInput

# Where Meta keeps files; addresses of anybody else are not asked.
HOSTS: Final = (".fbcdn.net", ".fbsbx.com", ".cdninstagram.com")


class _Ours(msgspec.Struct, frozen=True):
    id: str
    name: str = ""
    username: str = ""


class _Done(msgspec.Struct, frozen=True):
    success: bool = True


class _Sent(msgspec.Struct, frozen=True):
    message_id: str = ""


class _Uploaded(msgspec.Struct, frozen=True):
    attachment_id: str


async def check(account: Account, product: Product) -> Checked:
    """
    Ask whether the token opens the page or account, and let its calls come to our app.

    Raises:
        ConnectorError: ``AUTH`` for keys Meta refuses.
        InvalidInput: The app's secret is another app's, or the token opens no such page.
    """
    found = await _ours(account, product)
    warnings: list[str] = []
    asking = Asking(
        path=f"{own_id(account, product)}/subscribed_apps", query={"subscribed_fields": ",".join(product.subscribed)}
    )
    try:
        await ask_graph(account, product.vendor, asking, _Done)
    except ConnectorError as error:
        if error.info.klass is ErrorClass.AUTH:
            raise
        warnings.append(f"Meta does not send the messages to your app yet: subscribe it there. ({error.info.message})")
    return Checked(external_ref=found.id, warnings=tuple(warnings))


async def test(account: Account, product: Product) -> str:
    """Ask for the page; nobody can be written to who did not write first."""
    found = await _ours(account, product)
    return f"{product.vendor} answered for {found.name or found.username or found.id}. Nothing was sent."


async def send(account: Account, product: Product, message: OutboundMessage, calls: Sequence[Call]) -> SendResult:
    """
    Send the parts of a message, once; files are uploaded before the first part leaves.

    Args:
        account: Whose token is used.
        product: Which of the two.
        message: What was rendered. After the ordinary window a person's message goes with the tag HUMAN_AGENT.
        calls: Its parts, in order.

    Returns:
        Meta's ids, one a part.

    Raises:
        ConnectorError: ``AMBIGUOUS`` when a part may have been sent; final when only some were.
    """
    bodies = [await _with_file(account, product, call) for call in calls]
    ends_at = message.window_expires_at
    if ends_at is not None and message.author_is_human and clock.now() >= ends_at:
        bodies = [tagged(body) for body in bodies]
    ids: list[str] = []
    for call, body in zip(calls, bodies, strict=True):
        try:
            asking = Asking(path=f"{own_id(account, product)}/messages", body=body.encode())
            sent = await ask_graph(account, product.vendor, asking, _Sent)
        except ConnectorError as error:
            raise _halfway(_with_bucket(error, account, product, call), len(ids), len(bodies)) from error
        if not sent.message_id:
            words = f"{product.vendor}'s answer could not be read."
            raise ConnectorError(ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "no_id", words))
        ids.append(sent.message_id)
    return SendResult(external_ids=tuple(ids))


async def act(account: Account, product: Product, wanted: Act) -> None:
    """
    React, take a reaction back, or say that something was seen.

    Raises:
        ConnectorError: As ``send``; ``UNSUPPORTED`` for what Meta has no call for.
    """
    if wanted.kind not in ("react", "unreact", "mark_read"):
        words = f"{product.vendor} cannot do this."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.UNSUPPORTED, wanted.kind, words))
    await ask_graph(
        account,
        product.vendor,
        Asking(path=f"{own_id(account, product)}/messages", body=render_act(wanted)),
        msgspec.Raw,
    )


async def fetch(account: Account, attachment: AttachmentRef) -> AsyncIterator[bytes]:
    """
    Fetch a file somebody sent, from Meta's hosts alone and without keys; its address is signed and good for a while.

    Raises:
        ConnectorError: ``PERMANENT`` where it is gone or elsewhere, ``RETRYABLE``.
    """
    async for piece in download(attachment.ref, hosts=HOSTS, base_url=account.base_url):
        yield piece


def own_id(account: Account, product: Product) -> str:
    """
    Return Meta's id of our page or account.

    Raises:
        ConnectorError: ``PERMANENT`` where the settings have none.
    """
    found = account.settings.get(product.account_setting, "")
    if not found.isascii() or not found.isdigit():
        words = "The account's settings lack an id of Meta's."
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, product.account_setting, words))
    return found


def classify(error: BaseException, product: Product) -> ConnectorErrorInfo:
    """Turn whatever sending let through into our words; a surprise may have been sent."""
    if isinstance(error, ConnectorError):
        return error.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", f"{product.vendor}'s answer could not be read.")


async def _ours(account: Account, product: Product) -> _Ours:
    fields = "id,username" if product.part_bytes else "id,name"
    asking = Asking(method="GET", path=own_id(account, product), query={"fields": fields})
    try:
        return await ask_graph(account, product.vendor, asking, _Ours)
    except ConnectorError as error:
        if error.info.code == "appsecret_proof":
            raise InvalidInput("client_secret", error.info.message) from error
        if error.info.code in ("100", "10", "404"):
            raise InvalidInput(product.account_setting, "The access token does not open this.") from error
        raise


async def _with_file(account: Account, product: Product, call: Call) -> str:
    """Return what to post; a file is uploaded first. Nothing has been sent yet, whatever becomes of an upload."""
    body = call.fields["body"]
    if call.operation != UPLOAD:
        return body
    if account.read_file is None:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, "no_file", "The file is not at hand."))
    content = b"".join([piece async for piece in account.read_file(call.fields["file"])])
    mime, form = _form(call, content)
    asking = Asking(path=f"{own_id(account, product)}/message_attachments", body=form, mime=mime)
    try:
        uploaded = await ask_graph(account, product.vendor, asking, _Uploaded)
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error
    place, made = f'"attachment_id":"{FILE_PLACE}"', msgspec.json.encode(uploaded.attachment_id).decode()
    return body.replace(place, f'"attachment_id":{made}', 1)


def _form(call: Call, content: bytes) -> tuple[str, bytes]:
    """Write a form with the file; its name goes without what would end the header."""
    boundary = secrets.token_hex(16)
    name = call.fields["filename"].translate({ord('"'): "'", ord("\\"): "_", 10: " ", 13: " "})
    about = '{"attachment":{"type":"' + call.fields["kind"] + '","payload":{"is_reusable":false}}}'
    head = f'--{boundary}\r\nContent-Disposition: form-data; name="message"\r\n\r\n{about}\r\n'
    head += f'--{boundary}\r\nContent-Disposition: form-data; name="filedata"; filename="{name}"\r\n'
    head += f"Content-Type: {call.fields['mime']}\r\n\r\n"
    return f"multipart/form-data; boundary={boundary}", head.encode() + content + f"\r\n--{boundary}--\r\n".encode()


def _with_bucket(error: ConnectorError, account: Account, product: Product, call: Call) -> ConnectorError:
    if error.info.klass is not ErrorClass.RATE_LIMITED:
        return error
    kind = "media" if call.operation == UPLOAD or '"attachment":{' in call.fields["body"] else "text"
    return ConnectorError(msgspec.structs.replace(error.info, bucket=bucket(account, product, kind)))


def _halfway(error: ConnectorError, sent: int, parts: int) -> ConnectorError:
    """After the first part nothing may be sent again: the member decides, knowing what the person has."""
    if sent == 0 or error.info.klass is ErrorClass.AMBIGUOUS:
        return error
    words = f"Only {sent} of {parts} parts were sent. {error.info.message}"
    return ConnectorError(ConnectorErrorInfo(ErrorClass.PERMANENT, error.info.code, words))
