"""Proving who one is beside the password: signing in with a passkey, and proving oneself again in a session."""

from __future__ import annotations

import hashlib
from datetime import datetime
from typing import TYPE_CHECKING, Annotated, Final

import msgspec
from starlette.responses import Response

from api import auth, session
from api.factors import Code, person_of, sealer_of, site_of, wrong_code
from api.session import Carried, answer_with_cookie, carried_by
from hub import clock
from hub.accounts import sessions
from hub.accounts import store as accounts
from hub.errors import InvalidInput, NotSignedIn, ProofNeeded
from hub.signin import actions as signin
from hub.signin import store as challenges
from hub.signin.factors import proving, store
from hub.signin.factors.model import PROOF_LIFETIME, Method, Person, Purpose
from hub.signin.factors.proving import Asked
from hub.signin.factors.telling import note
from hub.signin.factors.wire import Assertion, RequestOptions
from hub.signin.issuers import actions as issuers
from hub.throttle import Allowance

if TYPE_CHECKING:
    from uuid import UUID

    from api.call import Call, SessionCall
    from hub.db import TenantConn
    from hub.signin.factors.model import Standing
    from hub.signin.model import Challenge

Token = Annotated[str, msgspec.Meta(max_length=100)]

# Whether a code, and whether an assertion, comes with a method.
_GIVEN_WITH: Final = {
    Method.TOTP: (True, False),
    Method.RECOVERY_CODE: (True, False),
    Method.PASSKEY: (False, True),
}
_TOO_LATE = "This took too long. Sign in again."
_REFUSED = "This passkey was not accepted. Try again, or sign in another way."


class RequestView(msgspec.Struct, frozen=True):
    """For ``PublicKeyCredential.parseRequestOptionsFromJSON``."""

    options: RequestOptions


class SignInOptionsView(msgspec.Struct, frozen=True):
    """
    What a sign-in by passkey begins with.

    Attributes:
        ceremony: Known to the page that asked alone; goes back with the signature.
    """

    ceremony: str
    options: RequestOptions


class PasskeySignIn(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    Who signs in by passkey alone.

    Attributes:
        assertion: What ``navigator.credentials.get`` gave, by its ``toJSON``.
        bearer: Whether the answer carries the token, for clients without cookies; no cookie is set then.
        refresh: With ``bearer``: the token is good for 15 minutes and comes with one to renew it.
    """

    ceremony: Token
    assertion: Assertion
    bearer: bool = False
    refresh: bool = False


class ChallengeRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The ``challenge`` of a sign-in that was answered ``second_factor_required``."""

    challenge: Token


class SecondFactorRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    The second factor of a sign-in.

    Attributes:
        challenge: Of the answer ``second_factor_required``.
        method: ``totp`` and ``recovery_code`` come with a code, ``passkey`` with an assertion.
        code: As typed.
        assertion: A passkey's signature for the options of ``session/second-factor/options``.
    """

    challenge: Token
    method: Method
    code: Code | None = None
    assertion: Assertion | None = None


class ProofRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    One proof: exactly one field.

    Attributes:
        password: Only of those who have no second factor.
        code: Of the authenticator app, or a recovery code.
        assertion: A passkey's signature for the options of ``session/proof/options``.
    """

    password: str | None = None
    code: Code | None = None
    assertion: Assertion | None = None


class ProofView(msgspec.Struct, frozen=True, omit_defaults=True):
    """
    A session that was proved.

    Attributes:
        token: The session's new one, for clients without cookies; the old one is worth nothing any more.
    """

    proved_until: datetime
    token: str | None = None


async def begin_sign_in(call: Call) -> SignInOptionsView:
    """Ask for a signature by any passkey the person has for us; nobody is named, so nothing is told of anybody."""
    await call.resources.throttle.take((Allowance(f"passkey:address:{call.address}", times=60, window_s=900),))
    ceremony = clock.new_token()
    async with call.resources.database.across() as conn:
        options = await proving.begin(conn, Asked(site_of(call), Purpose.SIGN_IN, _bound_to_page(ceremony)))
    return SignInOptionsView(ceremony, options)


async def sign_in(call: Call) -> Response:
    """Sign in by a passkey alone: having it and finger, face or PIN are two factors."""
    wanted = await call.decode(PasskeySignIn)
    carried = carried_by(bearer=wanted.bearer, refresh=wanted.refresh)
    await call.resources.throttle.take((Allowance(f"passkey:tried:{call.address}", times=60, window_s=900),))
    bound_to = _bound_to_page(wanted.ceremony)
    asked = Asked(site_of(call), Purpose.SIGN_IN, bound_to, address=call.address)
    async with call.resources.database.across() as conn:
        login_id = await proving.by_passkey(conn, asked, wanted.assertion)
    if login_id is None:
        raise NotSignedIn(_REFUSED)
    return await session.start_session(call, login_id, carried)


async def begin_second_factor(call: Call) -> RequestView:
    """Ask for a signature by one of the passkeys of a sign-in half done."""
    wanted = await call.decode(ChallengeRequest)
    async with call.resources.database.across() as conn:
        login_id = await store.peek_challenge(conn, sessions.token_hash(wanted.challenge))
        if login_id is None:
            raise InvalidInput("challenge", _TOO_LATE)
        return RequestView(await proving.begin(conn, _asked_of_challenge(call, wanted.challenge, login_id)))


async def finish_sign_in(call: Call) -> Response:
    """Show the second factor of a sign-in half done."""
    wanted = await call.decode(SecondFactorRequest)
    given = (wanted.code is not None, wanted.assertion is not None)
    if given != _GIVEN_WITH.get(wanted.method):
        raise InvalidInput("method", "Send a code with totp and recovery_code, an assertion with passkey.")
    async with call.resources.database.across() as conn:
        waiting = await signin.try_challenge(conn, wanted.challenge)
    allowances = proving.allowances(waiting.login_id)
    await call.resources.throttle.take(allowances)
    async with call.resources.database.across() as conn:
        holds = await _holds(call, conn, wanted, waiting)
        # Somebody finished it in another window: what was shown here is not used up.
        if holds and not await challenges.use_challenge(conn, sessions.token_hash(wanted.challenge)):
            raise InvalidInput("challenge", _TOO_LATE)
        if holds:
            await issuers.finish_held_link(conn, wanted.challenge, call.address)
    if not holds:
        raise wrong_code() if wanted.assertion is None else InvalidInput("assertion", _REFUSED)
    await call.resources.throttle.forget(allowances)
    return await session.start_session(call, waiting.login_id, Carried(waiting.bearer, waiting.refreshable))


async def begin_proof(call: SessionCall) -> RequestView:
    """Ask for a signature that proves this session anew."""
    asked = _asked_of_session(call)
    async with call.resources.database.across() as conn:
        return RequestView(await proving.begin(conn, asked))


async def prove(call: SessionCall) -> Response:
    """Prove who one is again; the session keeps its id and gets another token."""
    wanted = await call.decode(ProofRequest)
    given = [one for one in (wanted.password, wanted.code, wanted.assertion) if one is not None]
    if len(given) != 1:
        raise InvalidInput("body", "Send exactly one of password, code and assertion.")
    await _check_proof(call, wanted)
    return await _rotate(call)


async def _holds(call: Call, conn: TenantConn, wanted: SecondFactorRequest, waiting: Challenge) -> bool:
    if wanted.assertion is not None:
        asked = _asked_of_challenge(call, wanted.challenge, waiting.login_id)
        return await proving.by_passkey(conn, asked, wanted.assertion) is not None
    person = Person(waiting.login_id, waiting.email, waiting.name, call.address)
    return await proving.by_code(conn, sealer_of(call), person, wanted.code or "", method=wanted.method) is not None


async def _check_proof(call: SessionCall, wanted: ProofRequest) -> None:
    """Raise unless the proof holds; a password is none for whoever has a second factor, it may be known already."""
    database, login_id = call.resources.database, call.signed_in.login_id
    standing = await store.find_standing(database, call.signed_in.session_id)
    if standing is None:
        raise NotSignedIn
    allowances = proving.allowances(login_id)
    await call.resources.throttle.take(allowances)
    if wanted.assertion is not None:
        async with database.across() as conn:
            if await proving.by_passkey(conn, _asked_of_session(call), wanted.assertion) is not None:
                await call.resources.throttle.forget(allowances)
                return
        raise InvalidInput("assertion", _REFUSED)
    if wanted.code is not None:
        async with database.across() as conn:
            method = await proving.by_code(conn, sealer_of(call), person_of(call), wanted.code)
        if method is None:
            raise wrong_code()
    else:
        await _check_password(call, standing, wanted.password or "")
    await call.resources.throttle.forget(allowances)


async def _check_password(call: SessionCall, standing: Standing, password: str) -> None:
    methods = standing.methods()
    if Method.PASSWORD not in methods:
        raise ProofNeeded(methods)
    async with call.resources.database.across() as conn:
        login = await accounts.find_login(conn, call.signed_in.email)
    if login is None or not await call.resources.passwords.matches(login.password_hash, password):
        async with call.resources.database.across() as conn:
            await note(conn, person_of(call), "second_factor.refused", {"method": "password"})
        raise InvalidInput("password", "This password is wrong.")


async def _rotate(call: SessionCall) -> Response:
    """
    Give the session another token.

    Source:
        OWASP ASVS 5.0 7.2.4 (May 2025): a new token at authentication and re-authentication ends the old one.
    """
    token = clock.new_token()
    hashes = sessions.token_hash(call.token), sessions.token_hash(token)
    async with call.resources.database.across() as conn:
        # Somebody signed out, or proved themselves in another tab, between the check and here.
        if not await store.rotate_session(conn, call.signed_in, *hashes):
            raise NotSignedIn
        await note(conn, person_of(call), "session.proved")
    proved_until = clock.now() + PROOF_LIFETIME
    if auth.bearer_of(call.request) is not None:
        return Response(msgspec.json.encode(ProofView(proved_until, token)), media_type="application/json")
    return answer_with_cookie(call, ProofView(proved_until), token)


def _asked_of_session(call: SessionCall) -> Asked:
    who = call.signed_in
    return Asked(site_of(call), Purpose.PROOF, who.session_id.bytes, who.login_id, call.address)


def _asked_of_challenge(call: Call, challenge: str, login_id: UUID) -> Asked:
    bound_to = sessions.token_hash(challenge)
    return Asked(site_of(call), Purpose.SECOND_FACTOR, bound_to, login_id, call.address)


def _bound_to_page(ceremony: str) -> bytes:
    return hashlib.sha256(ceremony.encode("utf-8", "surrogatepass")).digest()
