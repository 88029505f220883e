"""
Resume tickets: signed, they bring a connection back without a sign-in and without a question to the store.

What a ticket says is trusted only where ``revocations.py`` knows of its session and the feed of its workspace knows the
version of its rights; ``opening.py`` asks both. Socket tickets, which open a connection in the first place, are
``tickets.py``'s.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from hub.errors import NotSignedIn
from hub.realtime.ports import Grant

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime


RESUME_TICKET_S = 300
# A connection's ticket is renewed (in ``head``) when it is older than this, so that it always has minutes left.
RENEW_AFTER_S = 120
# About 1,300 visible inboxes; a frame of a client holds 64 KiB.
TICKET_LIMIT_CHARS = 32_768
_MAC_BYTES = 32


class _Claims(msgspec.Struct, frozen=True, array_like=True):
    """A grant without what a connection brings along itself; in this order, without names."""

    epoch: int
    expires_at_s: int
    workspace_id: int
    subject_id: UUID
    session_id: UUID | None
    login_id: UUID | None
    visible_inboxes: frozenset[UUID] | None
    rights_version: int
    rights_seq: int
    may_reply: bool
    conversation_id: UUID | None
    visitor_token: str


_ENCODER = msgspec.msgpack.Encoder(uuid_format="bytes")
_CLAIMS = msgspec.msgpack.Decoder(_Claims)


class ResumeTickets:
    """Signs and checks resume tickets with a key of their own, derived from the installation's secret."""

    def __init__(self, secret_key: bytes, now: Callable[[], datetime]) -> None:
        # Copied for each ticket: setting a key up costs two microseconds.
        self._keyed = hmac.new(hmac.digest(secret_key, b"hub resume ticket v2", "sha256"), digestmod="sha256")
        self._now = now

    def issue(self, grant: Grant, epoch: int) -> str:
        """Make a ticket for ``grant``, good for five minutes in this epoch."""
        claims = _Claims(
            epoch,
            int(self._now().timestamp()) + RESUME_TICKET_S,
            grant.workspace_id,
            grant.subject_id,
            grant.session_id,
            grant.login_id,
            grant.visible_inboxes if grant.kind == "member" else None,
            grant.rights_version,
            grant.rights_seq,
            grant.may_reply,
            grant.conversation_id,
            grant.visitor_token,
        )
        payload = _ENCODER.encode(claims)
        mac = self._mac(payload)
        return base64.urlsafe_b64encode(mac + payload).rstrip(b"=").decode()

    def redeem(self, ticket: str, epoch: int) -> Grant:
        """
        Check a ticket.

        Args:
            ticket: As issued; any text.
            epoch: The installation's epoch now.

        Returns:
            The grant of then, without its address: the caller finds out whether it still holds.

        Raises:
            NotSignedIn: Not ours, of another epoch, or too old.
        """
        claims = self._open(ticket)
        if claims.epoch != epoch or claims.expires_at_s <= self._now().timestamp():
            raise NotSignedIn("This resume ticket has expired.")
        is_member = claims.session_id is not None
        return Grant(
            kind="member" if is_member else "visitor",
            workspace_id=claims.workspace_id,
            subject_id=claims.subject_id,
            session_id=claims.session_id,
            visible_inboxes=claims.visible_inboxes if is_member else frozenset(),
            rights_version=claims.rights_version,
            rights_seq=claims.rights_seq,
            conversation_id=claims.conversation_id,
            may_reply=claims.may_reply,
            login_id=claims.login_id,
            visitor_token=claims.visitor_token,
        )

    def _mac(self, payload: bytes) -> bytes:
        keyed = self._keyed.copy()
        keyed.update(payload)
        return keyed.digest()

    def _open(self, ticket: str) -> _Claims:
        if len(ticket) > TICKET_LIMIT_CHARS or not ticket.isascii():
            raise NotSignedIn("This resume ticket is not good.")
        try:
            raw = base64.b64decode(ticket + "=" * (-len(ticket) % 4), altchars=b"-_", validate=True)
        except (binascii.Error, ValueError) as error:
            raise NotSignedIn("This resume ticket is not good.") from error
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:]
        if not hmac.compare_digest(mac, self._mac(payload)):
            raise NotSignedIn("This resume ticket is not good.")
        try:
            return _CLAIMS.decode(payload)
        except msgspec.MsgspecError as error:
            # Signed by another version of ours with other claims.
            raise NotSignedIn("This resume ticket is of another version.") from error
