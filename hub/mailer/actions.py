"""Queues mails the hub itself sends, in the transaction of what they tell of; a worker sends them after COMMIT."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from hub import clock
from hub.errors import Unavailable
from hub.mailer import store
from hub.mailer.model import Mail, QueuedMail, check

if TYPE_CHECKING:
    from uuid import UUID

    from hub.db import TenantConn
    from hub.mailer.vault import MailKey


async def queue(conn: TenantConn, mail: Mail) -> UUID:
    """
    Queue a mail and return its id.

    Args:
        conn: The transaction of what the mail tells of.
        mail: Its fields are sealed before they are written.

    Raises:
        InvalidInput: A field is missing, or holds what cannot be in a mail.
        Unavailable: No process has made the key known yet.
    """
    check(mail)
    key = await store.newest_key(conn)
    if key is None:
        raise Unavailable("Mails cannot be queued before the hub has started once.")
    mail_id, now = clock.new_id(), clock.now()
    queued = QueuedMail(
        id=mail_id,
        recipient=mail.to,
        template=mail.template.value,
        locale=mail.locale,
        sealed=key.seal(mail_id, mail.fields),
        key_version=key.version,
        created_at=now,
        expires_at=now + timedelta(seconds=mail.lifetime_s),
        attempt=0,
    )
    await store.queue_mail(conn, mail, queued)
    return mail_id


async def keep_key(conn: TenantConn, key: MailKey) -> None:
    """Make the public half known to whoever queues mails; each process does so as it starts."""
    await store.keep_key(conn, key, clock.now())
