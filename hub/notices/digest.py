"""
Mails a member what they have not read, while they are away, as often as they chose. A job of ``connectors/telling.py``.

The mail is queued in the transaction that marks its notices as mailed and moves the member's next time: each digest is
queued once, whatever happens to the process.
"""

from __future__ import annotations

import hmac
from hashlib import sha256
from typing import TYPE_CHECKING, Final
from uuid import UUID

from hub import clock
from hub.errors import InvalidInput, NotFound, Unavailable
from hub.log import get_logger
from hub.mailer import actions as mailer
from hub.mailer.model import Mail, Template
from hub.notices import store
from hub.notices.hours import LOOK_AGAIN, next_digest_at, quiet_end
from hub.notices.phrases import say
from hub.secret_keys import writing_version

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager
    from datetime import datetime
    from typing import Protocol

    from hub.db import TenantConn
    from hub.notices.model import NoticeRow
    from hub.notices.store import DueDigest

    class Transactions(Protocol):
        """What is needed of ``hub.db.Database``."""

        def transaction(self, workspace_ids: Sequence[int]) -> AbstractAsyncContextManager[TenantConn]: ...
        def across(self) -> AbstractAsyncContextManager[TenantConn]: ...


# What ``Sealer.derive_keys`` is asked for.
PURPOSE: Final = "digest unsubscribe"
MOST_LINES: Final = 20
DUE_LIMIT: Final = 200
LIFETIME_S: Final = 6 * 3600

_log = get_logger("hub.notices")


class DigestLinks:
    """Makes and reads the links that end a member's digests: signed, so that they need no sign-in and no row."""

    def __init__(self, keys: Mapping[int, bytes], base_url: str) -> None:
        """Take what ``Sealer.derive_keys(PURPOSE)`` made, and the address people open."""
        self._keys = dict(keys)
        self._writing = writing_version(keys)
        self.base_url = base_url

    def unsubscribe_url(self, workspace_id: int, member_id: UUID) -> str:
        """Return the address that a click or a mail program's POST ends the digests with."""
        version = self._writing
        token = f"{version}.{workspace_id}.{member_id.hex}.{self._sign(version, workspace_id, member_id)}"
        return f"{self.base_url}/api/v1/digests/unsubscribe?token={token}"

    def read(self, token: str) -> tuple[int, UUID]:
        """
        Return whose digests a link ends.

        Raises:
            NotFound: It is none of ours.
        """
        try:
            version, workspace, member, signature = token.split(".")
            number, workspace_id, member_id = int(version), int(workspace), UUID(hex=member)
        except ValueError:
            raise NotFound("link") from None
        if number not in self._keys or not 0 < workspace_id < 2**63:
            raise NotFound("link")
        if not hmac.compare_digest(self._sign(number, workspace_id, member_id).encode(), signature.encode()):
            raise NotFound("link")
        return workspace_id, member_id

    def _sign(self, version: int, workspace_id: int, member_id: UUID) -> str:
        text = f"digest/{workspace_id}/{member_id.hex}".encode()
        return hmac.new(self._keys[version], text, sha256).hexdigest()


class Digests:
    """
    Sends what is due.

    Attributes:
        queued: Digests queued, for tests and /metrics.
    """

    def __init__(
        self,
        database: Transactions,
        links: DigestLinks,
        online: Callable[[int], Awaitable[tuple[UUID, ...] | None]],
        *,
        now: Callable[[], datetime] = clock.now,
    ) -> None:
        """Ask ``online`` who of a workspace is here; None (nobody knows) counts as away."""
        self._database = database
        self._links = links
        self._online = online
        self._now = now
        self.queued = 0

    async def run_due(self) -> int:
        """Look at every digest that is due; returns how many."""
        async with self._database.across() as conn:
            due = await store.due_digests(conn, self._now(), DUE_LIMIT)
        for workspace_id, member_id in due:
            try:
                await self._look_at(workspace_id, member_id)
            except Unavailable:
                raise
            except Exception as error:  # loop: one member's digest must not keep the others from theirs
                _log.error("digest_failed", workspace_id=workspace_id, error=type(error).__name__)
        return len(due)

    async def _look_at(self, workspace_id: int, member_id: UUID) -> None:
        is_online = member_id in (await self._online(workspace_id) or ())
        now = self._now()
        async with self._database.transaction([workspace_id]) as conn:
            due = await store.claim_digest(conn, workspace_id, member_id, now)
            if due is None:
                return
            waits = await store.unmailed(conn, workspace_id, member_id, due.visible_inboxes, MOST_LINES + 1)
            later = quiet_end(due.settings, now) or (now + LOOK_AGAIN if is_online else None)
            if not due.active or not waits:
                await store.set_digest_due(conn, workspace_id, member_id, None)
                return
            if later is not None:
                await store.set_digest_due(conn, workspace_id, member_id, later)
                return
            await self._queue(conn, workspace_id, member_id, due, waits)
            await store.mark_mailed(conn, workspace_id, [one.id for one in waits], now)
            await store.set_digest_due(conn, workspace_id, member_id, next_digest_at(due.settings, now))

    async def _queue(
        self, conn: TenantConn, workspace_id: int, member_id: UUID, due: DueDigest, waits: Sequence[NoticeRow]
    ) -> None:
        language = due.settings.language
        lines = [say(one, language, names=True) for one in waits[:MOST_LINES]]
        if len(waits) > MOST_LINES:
            lines.append("…")
        base_url = self._links.base_url
        fields = {
            "name": _line(due.name),
            "workspace": _line(due.workspace),
            "url": f"{base_url}/",
            "lines": "\n".join(lines),
            "unsubscribe_url": self._links.unsubscribe_url(workspace_id, member_id),
            "settings_url": f"{base_url}/settings/notifications",
        }
        mail = Mail(to=due.email, template=Template.DIGEST, fields=fields, locale=language, lifetime_s=LIFETIME_S)
        try:
            await mailer.queue(conn, mail)
        except InvalidInput as refused:
            # An address nobody can write to: looked at again with the next digest, in case it was mended.
            _log.warning("digest_not_queued", field=refused.field)
            return
        self.queued += 1


def _line(text: str) -> str:
    return " ".join("".join(one if one.isprintable() else " " for one in text).split())
