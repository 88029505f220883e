"""
What a worker tells people by itself: reactions to events, digests, pushes, and the mails of the hub's own.

Puts the rooms together; called by ``connectors/work.py``.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from hub.jobs import Job, expiry_job
from hub.mailer import actions as mailer
from hub.mailer import vault
from hub.mailer.sending import Postman
from hub.mailer.vault import Vault
from hub.notices import digest, reactions, store
from hub.notices.digest import DigestLinks, Digests
from hub.notices.pushing import Pushing
from hub.push import keys as push_keys
from hub.push.sending import PushSender, contact_of, ensure_key
from hub.reactor import Reaction, Reactor
from hub.realtime.presence_redis import RedisPresence

if TYPE_CHECKING:
    from redis.asyncio import Redis

    from hub.channels.sealing import Sealer
    from hub.config import Settings
    from hub.db import Database

DIGESTS_EVERY_S: Final = 20.0
PUSHES_EVERY_S: Final = 1.0
NOTICES_KEPT: Final = timedelta(days=90)


@dataclass(frozen=True, slots=True)
class Telling:
    """
    The loops of it.

    Attributes:
        reactor: Cancelled at the end: what it did is committed or never happened.
        postman: Stopped at the end, with the mail in hand finished.
        pushing: Run by a job; kept for its counts.
        jobs: For ``hub.jobs.run``.
    """

    reactor: Reactor
    postman: Postman
    pushing: Pushing
    jobs: tuple[Job, ...]


async def make_telling(settings: Settings, database: Database, sealer: Sealer, redis: Redis) -> Telling:
    """
    Build what this process tells, and make its keys known.

    Args:
        settings: Name the mail server, if there is one; without it mails are kept, and no digest is made.
        database: Holds the queues.
        sealer: Every key is derived from its own.
        redis: The ephemeral one: it knows who is online.
    """
    mail_vault = Vault(sealer.derive_keys(vault.PURPOSE))
    async with database.across() as conn:
        await mailer.keep_key(conn, mail_vault.newest)
        push_key = await ensure_key(conn, sealer.derive_keys(push_keys.PURPOSE))
    pushing = Pushing(database, PushSender(push_key, contact_of(settings)))
    jobs = [
        Job("pushes", PUSHES_EVERY_S, pushing.run_due),
        expiry_job("old_notices", database, store.old_notices, store.drop_notices, NOTICES_KEPT),
    ]
    if settings.mail is not None:
        links = DigestLinks(sealer.derive_keys(digest.PURPOSE), settings.base_url)
        jobs.append(Job("digests", DIGESTS_EVERY_S, Digests(database, links, RedisPresence(redis).online).run_due))
    return Telling(
        reactor=Reactor(database, [Reaction(reactions.ROOM, reactions.TYPES, reactions.react)]),
        postman=Postman(database, mail_vault, settings.mail),
        pushing=pushing,
        jobs=tuple(jobs),
    )
