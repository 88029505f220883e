"""One function per query of the mails the hub itself sends."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.db import load_queries

if TYPE_CHECKING:
    from datetime import datetime
    from uuid import UUID

    from hub.db import TenantConn
    from hub.mailer.model import Mail

QUERIES = load_queries(Path(__file__).with_name("queries.sql"))


async def queue_mail(conn: TenantConn, mail_id: UUID, mail: Mail, at: datetime) -> None:
    """Write a mail that is due at once."""
    fields = msgspec.json.encode(mail.fields).decode()
    until = at + timedelta(seconds=mail.lifetime_s)
    await conn.execute(QUERIES["queue_mail"], mail_id, mail.to, mail.template.value, mail.locale, fields, at, until)
