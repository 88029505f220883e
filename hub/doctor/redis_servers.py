"""Looks at both Redis: reachable, the durable one durable, neither full, and not one and the same."""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import AuthenticationError, BusyLoadingError, NoPermissionError, RedisError, ResponseError
from redis.exceptions import TimeoutError as RedisTimeoutError

from hub import clock
from hub.doctor.model import Finding, fault, ok, warning
from hub.doctor.postgres import judge_skew

if TYPE_CHECKING:
    from collections.abc import Mapping

ANSWER_WITHIN_S = 4.0
OLDEST_VERSION = (7, 0)
# Half full is an alarm: at 80 % what comes in goes to Postgres, full it is refused.
FILLING, FULL = 0.5, 0.8


def client(url: str) -> Redis:
    """Make a client that gives up soon."""
    return Redis.from_url(
        url,
        socket_timeout=ANSWER_WITHIN_S,
        socket_connect_timeout=ANSWER_WITHIN_S,
        retry=Retry(NoBackoff(), 0),
        decode_responses=True,
    )


async def facts_of(name: str, redis: Redis) -> tuple[dict[str, str], Finding]:
    """
    Ask a server about itself.

    Args:
        name: ``durable`` or ``ephemeral``.
        redis: Its client.

    Returns:
        INFO, with settings as ``config:NAME`` where it tells them; empty when it does not answer, and why.
    """
    variable = "REDIS_URL" if name == "durable" else "REDIS_EPHEMERAL_URL"
    try:
        info = cast("dict[str, object]", await redis.info())
    except (AuthenticationError, NoPermissionError):
        return {}, fault(f"The {name} Redis refuses the password", f"Put the right one into {variable}.")
    except BusyLoadingError:
        return {}, warning(f"The {name} Redis is reading its data back", "Wait, and look again.")
    except (RedisError, OSError, TimeoutError) as error:
        # redis-py 8.1 tells of a refused greeting as of a lost connection, and of why in the cause.
        if isinstance(error.__cause__, AuthenticationError):
            return {}, fault(f"The {name} Redis refuses the password", f"Put the right one into {variable}.")
        if isinstance(error, RedisTimeoutError) or isinstance(error.__cause__, (TimeoutError, RedisTimeoutError)):
            todo = "It hangs, or a firewall swallows packets: look at its log and at the network between."
            return {}, fault(f"The {name} Redis does not answer in time", todo, f"{ANSWER_WITHIN_S:.0f} s")
        todo = f"Start it, or correct {variable}."
        return {}, fault(f"The {name} Redis cannot be reached", todo, type(error).__name__)
    found = {key: str(value) for key, value in info.items()}
    try:
        settings = cast("dict[str, str]", await redis.config_get("appendfsync", "maxmemory-policy"))
    except (ResponseError, NoPermissionError):
        settings = {}
    return found | {f"config:{key}": str(value) for key, value in settings.items()}, ok(f"The {name} Redis answers")


def judge_version(name: str, facts: Mapping[str, str]) -> Finding:
    """Is it new enough?"""
    shown = facts.get("redis_version", "0")
    numbers = tuple(int(part) for part in shown.split(".")[:2] if part.isdigit())
    if numbers < OLDEST_VERSION:
        return fault(f"The {name} Redis is too old", "Use Redis 7.0 or newer, or Valkey.", f"version {shown}")
    return ok(f"The {name} Redis is new enough", f"version {shown}")


def judge_durability(facts: Mapping[str, str]) -> Finding:
    """Is what the durable one acknowledges on disk?"""
    todo = "Set `appendonly yes` and `appendfsync always` for REDIS_URL: webhooks are acknowledged on its word."
    if facts.get("aof_enabled") != "1":
        return fault("The durable Redis keeps nothing on disk", todo, "appendonly is off")
    policy = facts.get("config:appendfsync")
    if policy is None:
        return warning("Whether the durable Redis writes at once cannot be seen", todo, "CONFIG GET is forbidden")
    if policy != "always":
        return fault("The durable Redis may lose the last seconds", todo, f"appendfsync is {policy}")
    return ok("The durable Redis writes before it answers")


def judge_disk(facts: Mapping[str, str]) -> Finding:
    """Could it write its log the last time?"""
    if facts.get("aof_last_write_status", "ok") != "ok" or facts.get("aof_last_bgrewrite_status", "ok") != "ok":
        return fault("The durable Redis cannot write its log", "Look at its disk and its log: it is full or read-only.")
    return ok("The durable Redis writes its log")


def judge_eviction(name: str, facts: Mapping[str, str]) -> Finding:
    """What happens when it is full?"""
    policy = facts.get("maxmemory_policy") or facts.get("config:maxmemory-policy", "")
    if name == "durable" and policy != "noeviction":
        todo = "Set `maxmemory-policy noeviction` for REDIS_URL: when full it must refuse, never drop."
        return fault("The durable Redis drops data when it is full", todo, f"maxmemory-policy is {policy}")
    if name == "ephemeral" and policy == "noeviction" and facts.get("maxmemory", "0") != "0":
        todo = "Set `maxmemory-policy volatile-ttl` for REDIS_EPHEMERAL_URL, so that old marks make room for new ones."
        return warning("The ephemeral Redis refuses writes when it is full", todo)
    return ok(f"The {name} Redis does the right thing when it is full", policy)


def judge_memory(name: str, facts: Mapping[str, str]) -> Finding:
    """Is it filling up?"""
    used, most = int(facts.get("used_memory", "0")), int(facts.get("maxmemory", "0"))
    if not most:
        if name == "durable":
            todo = (
                "Set `maxmemory` below the machine's memory: without a limit the kernel ends it when memory runs out."
            )
            return warning("The durable Redis has no memory limit", todo)
        return ok(f"The {name} Redis has no memory limit")
    detail = f"{used / 1024**2:.0f} of {most / 1024**2:.0f} MiB"
    todo = "See that `hub work` and Postgres run: what waits there is read as they go on. Raise maxmemory meanwhile."
    if name == "durable" and used > FULL * most:
        return fault("The durable Redis is nearly full", todo, detail)
    if name == "durable" and used > FILLING * most:
        return warning("The durable Redis is filling up", todo, detail)
    return ok(f"The {name} Redis has memory left", detail)


def judge_two(durable: Mapping[str, str], ephemeral: Mapping[str, str]) -> Finding:
    """Are they two servers? Told by the id a server makes at its start, whatever the addresses say."""
    if durable.get("run_id") and durable.get("run_id") == ephemeral.get("run_id"):
        todo = (
            "Give REDIS_EPHEMERAL_URL a server of its own: a burst of live events can fill or stall the one that "
            "acknowledges webhooks."
        )
        return warning("REDIS_URL and REDIS_EPHEMERAL_URL are one server", todo)
    return ok("Durable and ephemeral Redis are two")


async def clock_skew(name: str, redis: Redis) -> Finding:
    """Do our clocks agree?"""
    before_s = clock.now().timestamp()
    seconds, microseconds = await redis.time()
    middle_s = (before_s + clock.now().timestamp()) / 2
    return judge_skew(f"the {name} Redis", seconds + microseconds / 1e6 - middle_s)


def judge(name: str, facts: Mapping[str, str]) -> list[Finding]:
    """Everything INFO and the settings tell of one server."""
    findings = [judge_version(name, facts), judge_eviction(name, facts), judge_memory(name, facts)]
    if name == "durable":
        findings += [judge_durability(facts), judge_disk(facts)]
    return findings
