"""Looks at what passes through: workers, backlogs, dead letters, sends, accounts. Numbers only."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis.exceptions import ResponseError

from hub import clock
from hub.channels.sealing import Sealer, WrappedKey, read_keys
from hub.doctor.model import Finding, fault, ok, warning
from hub.embedded.secret import KEY_FILE
from hub.errors import ConfigurationError
from hub.streams import GROUP, PARTITIONS, stream_key

if TYPE_CHECKING:
    from asyncpg.connection import Connection
    from redis.asyncio import Redis

    from hub.doctor.model import Patient

STANDING_S = 60.0
_OWN_MAIL_SQL = "SELECT waiting, oldest FROM hub_count_system_mail()"
OVERDUE_S = 120.0
MANY_WAITING = 1000
MOST_KEYS = 200

_START_WORK = "Start `hub work` (under `hub up` it runs by itself: see logs/work.log)."
_WORKERS_SQL = """
SELECT (SELECT count(*) FROM intake_worker WHERE live_until > clock_timestamp()) AS workers,
       (SELECT count(*) FROM partition_lease WHERE lease_until > clock_timestamp()) AS partitions
"""
_BACKLOG_SQL = "SELECT channel, state, amount, oldest_due_at FROM hub_delivery_backlog()"
# Ids are time-ordered (uuid7): the first of each partition tells since when something waits.
_SPOOL_SQL = """
SELECT hub_spool_count() AS amount,
       (SELECT array_agg(first.id) FROM generate_series(0, $1::integer - 1) AS partition,
               hub_spooled_items(partition, 1) AS first) AS firsts
"""
_POLLING_SQL = "SELECT channel, amount FROM hub_polling_faults()"
_ACCOUNTS_SQL = """
SELECT channel, status, demo, count(*) AS amount FROM hub_channel_routes()
GROUP BY channel, status, demo ORDER BY channel
"""


async def workers(connection: Connection, _: Patient) -> list[Finding]:
    """Does anybody store what comes in, all of it?"""
    row = await connection.fetchrow(_WORKERS_SQL)
    alive, leased = (row["workers"], row["partitions"]) if row is not None else (0, 0)
    if not alive:
        todo = f"{_START_WORK} What comes in waits until then; replies are not sent."
        return [fault("No work process is alive", todo)]
    if leased < PARTITIONS:
        todo = "Look again in 15 s: after a crash leases run out first. If it stays, read the log of `hub work`."
        return [warning("Some partitions are read by nobody", todo, f"{leased} of {PARTITIONS} leased")]
    return [ok("Work processes are alive", f"{alive}, all partitions leased")]


async def dead_letters(connection: Connection, _: Patient) -> list[Finding]:
    """Was something received that could not be read?"""
    amount = int(await connection.fetchval("SELECT hub_dead_letter_count()"))
    if amount:
        todo = "Read them with `hub dead-letters list`; replay them once a version that can read them runs."
        return [warning("Some received items could not be read", todo, f"{amount} dead letters")]
    return [ok("No dead letters")]


async def spool(connection: Connection, _: Patient) -> list[Finding]:
    """Does something wait that came while Redis was away?"""
    row = await connection.fetchrow(_SPOOL_SQL, PARTITIONS)
    amount, firsts = (int(row["amount"]), row["firsts"] or []) if row is not None else (0, [])
    oldest_s = max((clock.now_ms() - (one.int >> 80) for one in firsts), default=0) / 1000
    if amount and oldest_s > STANDING_S:
        todo = f"{_START_WORK} If it runs: does the durable Redis take writes (full, read-only)? Nothing is lost."
        detail = f"{amount} spooled, the oldest for {oldest_s:.0f} s"
        return [fault("Items do not leave the spool", todo, detail)]
    if amount:
        todo = "It goes on by itself once the durable Redis answers and `hub work` runs; look again in a minute."
        return [warning("Items wait in Postgres for the durable Redis", todo, f"{amount} spooled")]
    return [ok("Nothing is spooled")]


async def deliveries(connection: Connection, _: Patient) -> list[Finding]:
    """Are replies sent in time, and does anybody know that they were?"""
    rows = await connection.fetch(_BACKLOG_SQL)
    findings: list[Finding] = []
    for row in rows:
        late_s = (clock.now() - row["oldest_due_at"]).total_seconds()
        detail = f"{row['amount']} over {row['channel']}, the oldest due for {late_s:.0f} s"
        if row["state"] in ("queued", "sending") and late_s > OVERDUE_S:
            todo = f"{_START_WORK} If it runs: is an account of this channel paused, signed out, or the vendor down?"
            findings.append(fault("Replies are not being sent", todo, detail))
        elif row["state"] == "unknown":
            todo = "The vendor did not say whether it has them. They show as not confirmed: a member may send again."
            findings.append(warning("Some replies are not confirmed", todo, f"{row['amount']} over {row['channel']}"))
    return findings or [ok("Replies are sent in time", f"{sum(row['amount'] for row in rows)} under way")]


async def accounts(connection: Connection, patient: Patient) -> list[Finding]:
    """Do the connected accounts work, and can vendors call us for those that need it?"""
    rows = [row for row in await connection.fetch(_ACCOUNTS_SQL) if not row["demo"]]
    findings: list[Finding] = []
    for row in rows:
        if row["status"] == "needs_sign_in":
            todo = "Settings → Channels: connect it again. What is queued stays queued until then."
            findings.append(warning("An account must be connected again", todo, f"{row['amount']} of {row['channel']}"))
    called = sorted({row["channel"] for row in rows if patient.takes_webhooks(row["channel"])})
    if called and not patient.settings.public_url.startswith("https://"):
        todo = "Set HUB_PUBLIC_URL to an https address that forwards to this hub; give vendors the new webhook address."
        findings.append(warning("Vendors cannot call this hub", todo, f"{', '.join(called)} deliver by webhook"))
    return findings or [ok("Connected accounts are in order", f"{sum(row['amount'] for row in rows)}")]


async def polling(connection: Connection, _: Patient) -> list[Finding]:
    """Can the accounts be read that we ask for news ourselves?"""
    rows = await connection.fetch(_POLLING_SQL)
    todo = "Settings → Channels says why, so does `polled_account_down` in the log of `hub work`. Nothing is lost."
    findings = [warning("Accounts cannot be read", todo, f"{row['amount']} of {row['channel']}") for row in rows]
    return findings or [ok("Polled accounts can be read")]


async def sealed_keys(connection: Connection, patient: Patient) -> list[Finding]:
    """Does our secret key open what was sealed here?"""
    path = patient.settings.data_dir / KEY_FILE
    text = patient.settings.secret_key or (path.read_text() if path.exists() else "")
    rows = await connection.fetch(
        f"SELECT workspace_id, id, key_version, wrapped FROM hub_workspace_keys() LIMIT {MOST_KEYS}"  # noqa: S608  a number  # nosec B608
    )
    held = await connection.fetch("SELECT DISTINCT version FROM hub_key_versions() WHERE what <> 'API keys'")
    if not rows and not held:
        return [ok("No credentials are stored yet")]
    todo = "Put the key back that was in use when the channels were connected (HUB_SECRET_KEY or secret.key)."
    try:
        sealer = Sealer(read_keys(text))
        for row in rows:
            sealer.unwrap(WrappedKey(row["workspace_id"], row["id"], row["key_version"], row["wrapped"]))
        if missing := sorted({row["version"] for row in held} - sealer.versions):
            named = ", ".join(map(str, missing))
            return [
                fault("A secret key that is still needed is not named", "See `hub keys status`.", f"version {named}")
            ]
    except ConfigurationError as error:
        return [fault("The secret key is not the one credentials were sealed with", todo, error.message)]
    return [ok("The secret key opens what is stored")]


async def own_mail(connection: Connection, patient: Patient) -> list[Finding]:
    """Do the hub's own mails go out: links to new passwords, invitations, digests?"""
    row = await connection.fetchrow(_OWN_MAIL_SQL)
    waiting = row["waiting"] if row is not None else 0
    detail = f"{waiting} wait"
    if patient.settings.mail is None and not waiting:
        return [ok("The hub's own mails would be kept unsent: HUB_MAIL_URL is not set")]
    if patient.settings.mail is None:
        todo = "Set HUB_MAIL_URL and HUB_MAIL_FROM. Until then `hub mail list` shows the links to pass on."
        return [warning("The hub's own mails are kept unsent", todo, detail)]
    late_s = (clock.now() - row["oldest"]).total_seconds() if row is not None and row["oldest"] else 0.0
    if late_s > OVERDUE_S:
        todo = f"{_START_WORK} If it runs: `hub mail list` says why the last try failed; see the runbook."
        return [fault("The hub's own mails do not go out", todo, f"{detail}, the oldest for {late_s:.0f} s")]
    return [ok("The hub's own mails go out", detail)]


async def streams(redis: Redis) -> list[Finding]:
    """Does something wait on the ingress streams that nobody reads or stores?"""
    waiting, oldest_s, unreadable = 0, 0.0, 0
    for partition in range(PARTITIONS):
        amount, age_s = await _waiting(redis, stream_key(partition))
        waiting += amount
        oldest_s = max(oldest_s, age_s)
        unreadable += int(await redis.xlen(f"{stream_key(partition)}:unreadable"))
    findings: list[Finding] = []
    detail = f"{waiting} items, the oldest for {oldest_s:.0f} s"
    if oldest_s > STANDING_S:
        todo = f"{_START_WORK} If it runs, its log says what it waits for (Postgres, a locked workspace, dead letters)."
        findings.append(fault("Received items are not being stored", todo, detail))
    elif waiting > MANY_WAITING:
        findings.append(warning("Many received items wait", "Start another `hub work` if this stays.", detail))
    if unreadable:
        todo = "Another program wrote to the durable Redis, or a newer version did: keep that Redis to one hub."
        findings.append(warning("Entries on the streams are not ours", todo, f"{unreadable} set aside"))
    return findings or [ok("Received items are stored as they come", f"{waiting} wait")]


async def _waiting(redis: Redis, key: str) -> tuple[int, float]:
    """Count what one stream holds that is not stored yet, and how long the oldest of it has been there."""
    try:
        groups = cast("list[dict[str, object]]", await redis.xinfo_groups(key))
    except ResponseError:
        return 0, 0.0
    mine = next((one for one in groups if one["name"] == GROUP), None)
    if mine is None:
        return int(await redis.xlen(key)), 0.0
    unread = cast("list[tuple[str, object]]", await redis.xrange(key, min=f"({mine['last-delivered-id']}", count=1))
    pending = int(str(mine["pending"]))
    oldest = [entry for entry, _ in unread]
    if pending:
        summary = cast("dict[str, str | None]", await redis.xpending(key, GROUP))
        oldest.append(str(summary["min"]))
    lag = mine.get("lag")
    # After a deletion Redis cannot tell the lag any more.
    amount = pending + (int(str(lag)) if lag is not None else len(unread))
    if not oldest or not amount:
        return 0, 0.0
    born_ms = min(int(entry.partition("-")[0]) for entry in oldest)
    return amount, max(0.0, clock.now_ms() / 1000 - born_ms / 1000)


LOOKS = (workers, dead_letters, spool, deliveries, accounts, polling, sealed_keys, own_mail)
