"""
Channels that are connected by signing in at their vendor: the way there, and the way back.

What the browser is told on its way back is an id only; what came of it is asked for by the member it belongs to.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final, cast
from urllib.parse import urlencode
from uuid import UUID

import msgspec
from starlette.responses import RedirectResponse

from api import auth
from api.call import required
from api.channel_accounts import ask_vendor, connector_of, open_account, require_inbox, route_of, vendor_of
from connectors.accounts import account_of
from connectors.apps import app_of
from connectors.forms import Form, generate_credentials, read_changes, read_form
from hub import clock
from hub.accounts import policy
from hub.accounts.model import Permission
from hub.channels import actions as channels
from hub.channels.connecting import actions, store
from hub.channels.connecting.actions import SPENT
from hub.channels.connecting.model import Attempt, AttemptState, Filled, challenge_of, verifier_of
from hub.channels.model import AccountChange, NewAccount, Token
from hub.errors import Conflict, ConnectorError, HubError, InvalidInput, NotFound, NotSignedIn
from hub.log import get_logger
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.auth import Edge
    from api.call import Call, MemberCall
    from connectors.base import Connector, Granted, OAuth
    from hub.accounts.model import Actor, SignedIn

_PAGE: Final = "/settings/channels"
_MOST_CODE_CHARS: Final = 4096
_ERROR_CODE: Final = re.compile(r"[A-Za-z0-9_.-]{1,60}")
# Source: RFC 6749 section 4.1.2.1 (October 2012), OpenID Connect Core 1.0 section 3.1.2.6 (December 2023).
_ERRORS: Final = {
    "access_denied": "You did not agree at {vendor}, so nothing was changed.",
    "consent_required": "{vendor} wants your consent; begin again and agree to what is listed there.",
    "interaction_required": "{vendor} wants you to sign in there; begin again.",
    "login_required": "{vendor} wants you to sign in there; begin again.",
    "invalid_scope": "{vendor} does not let this app ask for what the channel needs. Look at its permissions there.",
    "unauthorized_client": "{vendor} does not accept this app here. Look at its settings there.",
    "invalid_request": "{vendor} did not understand the request. Is the redirect address registered there?",
    "unsupported_response_type": "{vendor} does not accept this app here. Look at its settings there.",
    "server_error": "{vendor} had a fault. Try again in a while.",
    "temporarily_unavailable": "{vendor} is not available now. Try again in a while.",
}

_log = get_logger("api.connecting")


class SignInRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """
    What a member entered before signing in at the vendor; does not show secrets in text.

    Attributes:
        credentials: Keys of an app of their own, where the form takes them.
        account_id: An account that is to be signed in again; name and inbox stay as they are.
    """

    channel: str
    name: str = ""
    credentials: dict[str, str] = {}
    settings: dict[str, str] = {}
    inbox_id: UUID | None = None
    account_id: UUID | None = None

    def __repr__(self) -> str:
        return f"SignInRequest(channel={self.channel!r})"


class SignInView(msgspec.Struct, frozen=True):
    """Where to send the browser; the session's cookie must come back with it."""

    authorize_url: str

    def __repr__(self) -> str:
        return "SignInView()"


async def begin(call: MemberCall) -> SignInView:
    """Note what was entered and say where the browser signs in."""
    wanted = await call.decode(SignInRequest)
    await call.resources.throttle.take((Allowance(f"connect:{call.actor.member_id}", times=30, window_s=900),))
    connector = connector_of(call, wanted.channel)
    oauth = _oauth(connector)
    form, account_id = await _filled(call, connector, wanted)
    app = app_of(connector.manifest, (form.settings, form.credentials), call.resources.settings)
    if wanted.account_id is None:
        await require_inbox(call, wanted.inbox_id)
        if wanted.name:
            channels.check_name(wanted.name)
    attempt = Attempt(
        workspace_id=call.actor.workspace_id,
        id=clock.new_id(),
        member_id=call.actor.member_id,
        session_id=call.signed_in.session_id,
        channel=connector.manifest.id,
        account_id=account_id,
        is_again=wanted.account_id is not None,
    )
    filled = Filled(name=wanted.name, inbox_id=wanted.inbox_id, credentials=form.credentials, settings=form.settings)
    sealer = required(call.resources.sealer, "secret key")
    async with call.resources.database.transaction([attempt.workspace_id]) as conn:
        state = await actions.begin(conn, sealer, attempt, filled)
    challenge = challenge_of(verifier_of(call.token, state))
    return SignInView(oauth.authorize_url(app, state, challenge, form.settings))


async def read(call: MemberCall) -> AttemptState:
    """Say what came of one of one's own sign-ins."""
    workspace_id = call.actor.workspace_id
    async with call.resources.database.snapshot([workspace_id]) as conn:
        return await store.get_attempt(conn, workspace_id, call.path_id("attempt_id"), call.actor.member_id)


async def come_back(call: Call) -> RedirectResponse:
    """
    Take a browser back from a vendor. Always a redirect into the app; an account is saved only when it works.

    Source:
        RFC 9700 sections 2.1 and 4.4 (January 2025): state of one session, used once; one redirect address a vendor.
    """
    await call.resources.throttle.take((Allowance(f"connect:address:{call.address}", times=120, window_s=900),))
    try:
        connector = connector_of(call, call.path["channel"])
        query = _query(call)
        signed_in, token = await _signed_in(call)
        sealer = required(call.resources.sealer, "secret key")
        async with call.resources.database.across() as conn:
            workspace_id = await actions.find(conn, connector.manifest.id, query.get("state", ""), signed_in.session_id)
        actor = await _actor(call, token, workspace_id)
        async with call.resources.database.transaction([workspace_id]) as conn:
            attempt, filled = await actions.take(conn, sealer, workspace_id, query["state"], signed_in.session_id)
    except (Conflict, InvalidInput, NotFound, NotSignedIn) as error:
        _log.info("connect_refused", reason=error.code)
        return _go({"connect": "expired"})
    returned = _Returned(call, connector, attempt, filled, actor)
    outcome, message = await returned.settle(query, verifier_of(token, query["state"]))
    async with call.resources.database.transaction([workspace_id]) as conn:
        await store.settle_attempt(conn, attempt, outcome, message)
    return _go({"connect": str(attempt.id), "workspace": str(workspace_id)})


class _Returned:
    """A browser whose attempt is its own, with a vendor's answer."""

    def __init__(self, call: Call, connector: Connector, attempt: Attempt, filled: Filled, actor: Actor) -> None:
        self._call = call
        self._connector = connector
        self._attempt = attempt
        self._filled = filled
        self._actor = actor
        self._vendor = vendor_of(connector.manifest)

    async def settle(self, query: dict[str, str], verifier: str) -> tuple[str, str]:
        """Connect the account; returns the outcome and what to tell the member."""
        try:
            if query.get("error") or not query.get("code"):
                return "refused", self._words_of(query.get("error", ""))
            granted = await self._exchange(query["code"], verifier)
            warnings = await self._save(granted)
        except ConnectorError as error:
            _log.info("connect_refused", channel=self._attempt.channel, reason=error.info.code)
            return "refused", error.info.message
        except HubError as error:
            _log.info("connect_refused", channel=self._attempt.channel, reason=error.code)
            return "refused", error.message
        return "connected", " ".join((f"{self._vendor} is connected.", *warnings))

    def _words_of(self, error: str) -> str:
        known = _ERRORS.get(error)
        if known is not None:
            return known.format(vendor=self._vendor)
        code = f" ({error})" if _ERROR_CODE.fullmatch(error) else ""
        return f"{self._vendor} sent you back without an answer we can use{code}. Try again."

    async def _exchange(self, code: str, verifier: str) -> Granted:
        if len(code) > _MOST_CODE_CHARS:
            raise InvalidInput("code", f"{self._vendor} answered with something that is no code.")
        settings = self._call.resources.settings
        app = app_of(self._connector.manifest, (self._filled.settings, self._filled.credentials), settings)
        try:
            return await _oauth(self._connector).exchange(app, code, verifier)
        except HubError:
            raise
        except Exception as error:  # edge: a vendor library may raise anything; classified
            raise ConnectorError(self._connector.classify(error)) from error

    async def _save(self, granted: Granted) -> tuple[str, ...]:
        attempt, filled = self._attempt, self._filled
        form = Form({**filled.credentials, **granted.credentials}, {**filled.settings, **granted.settings})
        route = route_of(attempt.workspace_id, attempt.account_id, attempt.channel, form)
        account = account_of(route, form.credentials, self._call.resources.settings)
        checked = await ask_vendor(self._connector, account)
        reference = granted.external_ref or checked.external_ref
        sealer = required(self._call.resources.sealer, "secret key")
        token = Token(granted.expires_at, clock.now())
        async with self._call.resources.database.transaction([attempt.workspace_id]) as conn:
            await channels.lock(conn, attempt.workspace_id)
            await actions.require_new(conn, attempt, reference, self._vendor)
            if attempt.is_again:
                change = AccountChange(
                    workspace_id=attempt.workspace_id,
                    id=attempt.account_id,
                    credentials=form.credentials,
                    settings=form.settings,
                    external_ref=reference or None,
                    actor_id=self._actor.member_id,
                    address=self._call.address,
                    token=token,
                )
                await channels.change(conn, sealer, change)
            else:
                await channels.connect(conn, sealer, self._new(granted, form, reference, token))
        return checked.warnings

    def _new(self, granted: Granted, form: Form, reference: str, token: Token) -> NewAccount:
        return NewAccount(
            workspace_id=self._attempt.workspace_id,
            id=self._attempt.account_id,
            channel=self._attempt.channel,
            name=self._filled.name or granted.name or self._connector.manifest.name,
            credentials=form.credentials,
            settings=form.settings,
            inbox_id=self._filled.inbox_id,
            external_ref=reference,
            actor_id=self._actor.member_id,
            address=self._call.address,
            token=token,
        )


async def _filled(call: MemberCall, connector: Connector, wanted: SignInRequest) -> tuple[Form, UUID]:
    """Check what was entered, as connecting or changing by form does."""
    manifest = connector.manifest
    if wanted.account_id is None:
        form = read_form(manifest, wanted.credentials, wanted.settings)
        made = generate_credentials(manifest, clock.new_token)
        return Form({**form.credentials, **made}, form.settings), clock.new_id()
    account, old = await open_account(call, wanted.account_id)
    if account.demo:
        raise InvalidInput("account_id", "The demo's accounts are not signed in anywhere.")
    if account.channel != manifest.id:
        raise InvalidInput("account_id", "This account belongs to another channel.")
    return read_changes(manifest, old, wanted.credentials, wanted.settings), account.id


def _oauth(connector: Connector) -> OAuth:
    if connector.oauth is None:
        raise InvalidInput("channel", f"{connector.manifest.name} is connected with keys, not by signing in.")
    return connector.oauth


def _query(call: Call) -> dict[str, str]:
    """Read what came back; RFC 6749 section 3.1: of a parameter that comes twice readers would differ which counts."""
    query = call.request.query_params
    if any(len(query.getlist(name)) > 1 for name in ("state", "code", "error")):
        raise InvalidInput("state", SPENT)
    return {name: query[name] for name in ("state", "code", "error") if name in query}


async def _signed_in(call: Call) -> tuple[SignedIn, str]:
    """Find the session of the browser; a header would be another program's."""
    token = auth.token_of(_edge(call), call.request)
    return await auth.sign_in_of(call.resources.database, token), token


async def _actor(call: Call, token: str, workspace_id: int) -> Actor:
    """Whoever began it may have lost the right meanwhile; the answer is the same as for no attempt at all."""
    try:
        _, actor = await auth.actor_of(call.resources.database, token, str(workspace_id))
        policy.require(actor, Permission.CHANNELS_MANAGE)
    except HubError as error:
        raise Conflict(SPENT) from error
    return actor


def _go(told: dict[str, str]) -> RedirectResponse:
    """Go on in the app; what it is told stays in the browser, behind the #."""
    where = f"{_PAGE}#{urlencode(told)}"
    return RedirectResponse(where, 303, headers={"cache-control": "no-store", "referrer-policy": "no-referrer"})


def _edge(call: Call) -> Edge:
    return cast("Edge", call.request.app.state.edge)
