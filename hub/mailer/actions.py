"""Queues mails the hub itself sends, in the transaction of what they tell of; a worker sends them after COMMIT."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hub import clock
from hub.mailer import store

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn
    from hub.mailer.model import Mail


async def queue(conn: TenantConn, mail: Mail) -> UUID:
    """Queue a mail and return its id."""
    mail_id = clock.new_id()
    await store.queue_mail(conn, mail_id, mail, clock.now())
    return mail_id
