"""
Keeps the tokens of accounts fresh: before they end, and once after a vendor refused them.

One worker asks the vendor, the others wait for what it COMMITTED: a rolled refresh token is good once. Called by
whatever opens an account: dispatch, polling, fetching, the settings.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Final
from uuid import UUID

import msgspec

from connectors.account_notes import AccountNotes
from connectors.accounts import with_app
from connectors.apps import app_of
from hub import clock
from hub.channels import actions as channels
from hub.channels.connecting import actions
from hub.channels.connecting.model import ends_soon
from hub.channels.model import AccountChange
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass, HubError, InvalidInput, NotFound
from hub.log import get_logger

if TYPE_CHECKING:
    from connectors.base import Account, Connector, Granted
    from hub.channels.connecting.model import Tokens
    from hub.channels.model import Route
    from hub.channels.routes import ChannelRoutes
    from hub.channels.sealing import Sealer
    from hub.config import Settings
    from hub.db import Database

RENEW_TIMEOUT_S: Final = 20.0
WAIT_FOR_OTHERS_S: Final = 30.0
LOOK_AGAIN_S: Final = 0.1
FIRST_REST_S, LONGEST_REST_S = 2.0, 300.0

_BUSY = ConnectorErrorInfo(ErrorClass.RETRYABLE, "renewing", "Signing in again at the vendor takes long.")
_NOT_ANSWERED = ConnectorErrorInfo(
    ErrorClass.RETRYABLE, "renew_timeout", "The vendor did not renew the sign-in in time."
)

_log = get_logger("connectors.renewal")


@dataclass(slots=True)
class RenewalMetrics:
    """Since the process began, for /metrics."""

    renewed: int = 0
    failed: int = 0
    signed_out: int = 0
    waited: int = 0


class _Rest(msgspec.Struct):
    """A vendor that did not renew is left alone for a while."""

    until_s: float
    length_s: float
    info: ConnectorErrorInfo


class Renewals:
    """
    The renewals of one process.

    Args:
        database: Where tokens are.
        sealer: Opens and seals them.
        routes: This process's copy, which learns of each renewal at once.
        settings: The installation's apps.
        now: The wall clock; tests move it.
    """

    def __init__(
        self,
        database: Database,
        sealer: Sealer,
        routes: ChannelRoutes,
        settings: Settings,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        self._database = database
        self._sealer = sealer
        self._routes = routes
        self._settings = settings
        self._now = now
        self._rests: dict[UUID, _Rest] = {}
        self.metrics = RenewalMetrics()
        self.notes = AccountNotes(now)

    async def fresh(self, route: Route, account: Account, connector: Connector, *, refused: bool = False) -> Account:
        """
        Return an account with tokens that can be used now.

        Args:
            route: The account's.
            account: As it is known here.
            connector: The channel's.
            refused: The vendor did not accept the tokens.

        Returns:
            The account itself where nothing is to be done.

        Raises:
            ConnectorError: ``AUTH``: only a person can mend it, and the account says so by now. Others: later.
            NotFound: The account was removed.
            Unavailable: Postgres is away.
        """
        if connector.oauth is None or connector.oauth.renew is None:
            return account
        if not refused and not ends_soon(route.token_expires_at, self._now()):
            return account
        place = (route.workspace_id, route.id)
        deadline_s = clock.monotonic_s() + WAIT_FOR_OTHERS_S
        while (held := await self._claim(place, refused=refused)) is None:
            self.metrics.waited += 1
            if clock.monotonic_s() > deadline_s:
                raise ConnectorError(_BUSY)
            await asyncio.sleep(LOOK_AGAIN_S)
        if held.is_ours:
            held = await self._renew(place, account, connector, held, refused=refused)
        return await self._adopt(route, account, held)

    async def _claim(self, place: tuple[int, UUID], *, refused: bool) -> Tokens | None:
        async with self._database.transaction([place[0]]) as conn:
            return await actions.claim_renewal(conn, self._sealer, place, refused=refused, now=self._now())

    async def _renew(
        self, place: tuple[int, UUID], account: Account, connector: Connector, held: Tokens, *, refused: bool
    ) -> Tokens:
        """Ask the vendor, and commit what it gave before anybody uses it."""
        still_good = not refused and (held.expires_at is None or held.expires_at > self._now())
        try:
            self._require_rested(place[1])
            granted = await self._ask(account, connector, held)
        except ConnectorError as error:
            await self._note_failure(place, error.info)
            if still_good and error.info.klass is not ErrorClass.AUTH:
                return held
            raise
        except BaseException:
            # Cut off: others need not wait until the promise ends by itself.
            with suppress(HubError):
                await asyncio.shield(self._end(place))
            raise
        self._rests.pop(place[1], None)
        renewed = actions.as_granted(granted.credentials, granted.expires_at)
        async with self._database.transaction([place[0]]) as conn:
            kept = await actions.keep_renewed(conn, self._sealer, place, held, renewed)
        if any(account.settings.get(name) != value for name, value in granted.settings.items()):
            await self._keep_settings(place, account, granted)
        self.metrics.renewed += 1
        return kept

    async def _ask(self, account: Account, connector: Connector, held: Tokens) -> Granted:
        assert connector.oauth is not None
        assert connector.oauth.renew is not None
        credentials = with_app(connector.manifest.id, held.credentials, self._settings)
        account = msgspec.structs.replace(account, credentials=credentials)
        try:
            app = app_of(connector.manifest, (account.settings, credentials), self._settings, base_url=account.base_url)
            async with asyncio.timeout(RENEW_TIMEOUT_S):
                return await connector.oauth.renew(app, account)
        except InvalidInput as error:
            raise ConnectorError(ConnectorErrorInfo(ErrorClass.AUTH, "no_app", error.message)) from error
        except TimeoutError as error:
            raise ConnectorError(_NOT_ANSWERED) from error
        except HubError:
            raise
        except Exception as error:  # edge: a vendor library may raise anything; classified
            raise ConnectorError(connector.classify(error)) from error

    async def _note_failure(self, place: tuple[int, UUID], info: ConnectorErrorInfo) -> None:
        workspace_id, account_id = place
        self.notes.went_wrong(place, "renew", info.code, info.message)
        facts = {"workspace_id": workspace_id, "channel_account_id": str(account_id), "reason": info.code}
        if info.klass is ErrorClass.AUTH:
            self.metrics.signed_out += 1
            _log.warning("token_not_renewed", **facts)
            async with self._database.transaction([workspace_id]) as conn:
                with suppress(NotFound):
                    await channels.mark_needs_sign_in(conn, workspace_id, account_id, info.message)
        elif account_id not in self._rests or clock.monotonic_s() >= self._rests[account_id].until_s:
            self.metrics.failed += 1
            before = self._rests.get(account_id)
            if before is None:
                _log.warning("token_renewal_put_off", **facts)
            length_s = min(LONGEST_REST_S, max(FIRST_REST_S, 2 * before.length_s if before else 0.0))
            length_s = max(length_s, info.retry_after_s or 0.0)
            self._rests[account_id] = _Rest(clock.monotonic_s() + length_s, length_s, info)
        await self._end(place)

    def _require_rested(self, account_id: UUID) -> None:
        rest = self._rests.get(account_id)
        if rest is not None and (left_s := rest.until_s - clock.monotonic_s()) > 0:
            raise ConnectorError(msgspec.structs.replace(rest.info, klass=ErrorClass.RETRYABLE, retry_after_s=left_s))

    async def _end(self, place: tuple[int, UUID]) -> None:
        async with self._database.transaction([place[0]]) as conn:
            await actions.end_renewal(conn, place)

    async def _keep_settings(self, place: tuple[int, UUID], account: Account, granted: Granted) -> None:
        change = AccountChange(workspace_id=place[0], id=place[1], settings={**account.settings, **granted.settings})
        async with self._database.transaction([place[0]]) as conn:
            await channels.change(conn, self._sealer, change)

    async def _adopt(self, route: Route, account: Account, held: Tokens) -> Account:
        """Let this process's copy follow."""
        self._routes.learn(route.id, held.credentials, held.expires_at)
        credentials = with_app(route.channel, held.credentials, self._settings)
        return msgspec.structs.replace(account, credentials=credentials)
