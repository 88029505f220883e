"""Who comes to a live chat: a new visitor, one who was here before, or a user who proves to be one. No routes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import msgspec

from api.call import required
from connectors.livechat.site import Site
from hub import clock
from hub.channels.model import Route
from hub.channels.visitors import TOKEN_DAYS, HmacProof, JwtProof, VisitorClaims, prove_identity
from hub.envelope import clean_text
from hub.errors import InvalidInput, NotFound, NotSignedIn
from hub.inbox.identify import Recognised, recognise_visitor

if TYPE_CHECKING:
    from api.call import Call

NAME_LIMIT_CHARS = 200
EMAIL_LIMIT_CHARS = 254
URL_LIMIT_CHARS = 2000

_EMAIL = re.compile(r"[^\s@<>\"',;:\\()\[\]]{1,64}@[^\s@<>\"',;:\\()\[\]]+\.[^\s@<>\"',;:\\()\[\]]{2,}")


class Chat(msgspec.Struct, frozen=True):
    """A live chat that is switched on."""

    route: Route
    site: Site


class IdentityProof(msgspec.Struct, frozen=True):
    """Either ``user_id`` with ``hmac``, or ``jwt``."""

    user_id: str | None = None
    hmac: str | None = None
    jwt: str | None = None


class PreChatForm(msgspec.Struct, frozen=True):
    name: str | None = None
    email: str | None = None


class VisitRequest(msgspec.Struct, frozen=True, kw_only=True):
    """
    A browser that opens the chat.

    Attributes:
        visitor_token: From an earlier visit; without one a new visitor is made.
        page_url: Where the chat was opened.
    """

    visitor_token: str | None = None
    identity: IdentityProof | None = None
    form: PreChatForm | None = None
    page_url: str | None = None


async def welcome_visitor(call: Call, chat: Chat, old: VisitorClaims | None, wanted: VisitRequest) -> VisitorClaims:
    """
    Decide who a browser is from now on.

    Args:
        call: For the parts of this process.
        chat: The live chat.
        old: Who its token said it was, None without one.
        wanted: Its proof of identity and its pre-chat form.

    Returns:
        Claims to sign, good for ``TOKEN_DAYS``.

    Raises:
        NotSignedIn: The chat takes only users of the site, and this is none.
        InvalidInput: The proof or the form cannot be used.
    """
    if wanted.page_url is not None and len(wanted.page_url) > URL_LIMIT_CHARS:
        raise InvalidInput("page_url", "This address is too long.")
    now_s = clock.now().timestamp()
    user_id = _proved_user(call, chat, wanted.identity, now_s)
    if chat.site.identity == "required" and user_id is None and (old is None or old.external_user_id is None):
        raise NotSignedIn("Sign in on this website to chat.")
    claims = _with_form(await _claims(call, chat, old, user_id), wanted.form)
    return msgspec.structs.replace(claims, expires_at_s=int(now_s) + TOKEN_DAYS * 86_400)


def _proved_user(call: Call, chat: Chat, proof: IdentityProof | None, now_s: float) -> str | None:
    if proof is None or chat.site.identity == "off":
        return None
    given: HmacProof | JwtProof
    if proof.jwt is not None and proof.user_id is None and proof.hmac is None:
        given = JwtProof(proof.jwt)
    elif proof.jwt is None and proof.user_id is not None and proof.hmac is not None:
        given = HmacProof(proof.user_id, proof.hmac)
    else:
        raise InvalidInput("identity", "Send user_id and hmac, or jwt.")
    try:
        credentials = required(call.resources.routes, "channel accounts").open(chat.route).credentials
    except NotFound:
        credentials = {}
    return prove_identity(given, credentials.get("identity_secret", ""), chat.route.id, now_s)


async def _claims(call: Call, chat: Chat, old: VisitorClaims | None, user_id: str | None) -> VisitorClaims:
    """Carry the old visitor on, or make a new one where the browser has changed hands."""
    if old is None:
        return _new_visitor(chat, user_id)
    if user_id is None or user_id == old.external_user_id:
        return old
    if old.external_user_id is not None:
        return _new_visitor(chat, user_id)
    claims = msgspec.structs.replace(old, external_user_id=user_id)
    who = Recognised(
        workspace_id=old.workspace_id,
        channel_account_id=old.channel_account_id,
        visitor=old.identity(),
        user=claims.identity(),
        visitor_thread=old.thread_key(),
        user_thread=claims.thread_key(),
    )
    async with call.resources.database.transaction([old.workspace_id]) as conn:
        is_one = await recognise_visitor(conn, who)
    return claims if is_one else _new_visitor(chat, user_id)


def _new_visitor(chat: Chat, user_id: str | None) -> VisitorClaims:
    return VisitorClaims(
        workspace_id=chat.route.workspace_id,
        channel_account_id=chat.route.id,
        visitor_id=clock.new_id(),
        expires_at_s=0,
        external_user_id=user_id,
    )


def _with_form(claims: VisitorClaims, form: PreChatForm | None) -> VisitorClaims:
    """Note what the visitor says of themselves; it reaches their contact with the next message."""
    if form is None:
        return claims
    name, email = claims.name, claims.email
    if form.name is not None and form.name.strip():
        name = " ".join(clean_text(form.name).split())
        if len(name) > NAME_LIMIT_CHARS:
            raise InvalidInput("form.name", f"A name has at most {NAME_LIMIT_CHARS} characters.")
    if form.email is not None and form.email.strip():
        email = form.email.strip().lower()
        if len(email) > EMAIL_LIMIT_CHARS or not email.isprintable() or not _EMAIL.fullmatch(email):
            raise InvalidInput("form.email", "This is not an e-mail address.")
    return msgspec.structs.replace(claims, name=name, email=email)
