"""Runs every look, each with its own time, and never fails itself. Called by the ``hub`` command."""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING, Final

import msgspec

from hub.doctor import machine, postgres, redis_servers, sockets, traffic
from hub.doctor.model import Finding, fault, ok, warning
from hub.embedded.folders import SOCKET_DIR_LIMIT_BYTES, short_dir
from hub.embedded.runfile import RunFile, is_running, read_run_file
from hub.embedded.services import STREAMS
from hub.errors import HubError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from pathlib import Path

    from hub.config import Settings
    from hub.doctor.model import Patient

LOOK_WITHIN_S: Final = 4.0
STORES_WITHIN_S: Final = 9.0


class Addresses(msgspec.Struct, frozen=True):
    """Where the stores answer: the operator's, or the embedded ones of a hub that runs; empty where none does."""

    database_url: str
    redis_url: str
    redis_ephemeral_url: str


async def examine(patient: Patient) -> list[Finding]:
    """
    Look at everything, in less than ten seconds.

    Args:
        patient: The installation.

    Returns:
        Findings in the order a person would mend them: machine, Postgres, Redis, traffic.
    """
    local = await asyncio.to_thread(lambda: [_look(look, patient) for look in machine.LOOKS])
    addresses = find_addresses(patient.settings)
    stores = await asyncio.gather(
        _in_time("Postgres", _postgres(addresses.database_url, patient)),
        _in_time("Redis", _redis(addresses)),
    )
    return [*local, *(finding for findings in stores for finding in findings)]


def find_addresses(settings: Settings) -> Addresses:
    """Return where to look: what the environment names, else what the running hub of this folder uses."""
    run: RunFile | None = read_run_file(settings.data_dir / "hub.json")
    is_up = run is not None and is_running(run)
    streams = _streams_socket(settings.data_dir)
    return Addresses(
        settings.database_url or (run.database_url if run is not None and is_up else ""),
        settings.redis_url or (f"unix://{streams}" if is_up and streams.exists() else ""),
        settings.redis_ephemeral_url or (run.redis_ephemeral_url if run is not None and is_up else ""),
    )


def _streams_socket(data_dir: Path) -> Path:
    near = data_dir / "run"
    folder = near if len(str(near).encode()) <= SOCKET_DIR_LIMIT_BYTES else short_dir(data_dir)
    return folder / f"{STREAMS}.sock"


async def _postgres(url: str, patient: Patient) -> list[Finding]:
    if not url:
        return [ok("Postgres is looked at while the hub runs")]
    connection, answer = await postgres.connect(url)
    if connection is None:
        return [answer]
    findings = [answer]
    try:
        findings += await _guarded([partial(_one, look, connection) for look in postgres.LOOKS])
        # The rest asks our own functions, of this schema.
        if findings[-1].level.value == "ok":
            findings += await _guarded([partial(look, connection, patient) for look in traffic.LOOKS])
    finally:
        connection.terminate()
    return findings


async def _redis(addresses: Addresses) -> list[Finding]:
    urls = {"durable": addresses.redis_url, "ephemeral": addresses.redis_ephemeral_url}
    if not any(urls.values()):
        return [ok("Redis is looked at while the hub runs")]
    asked = {name: url for name, url in urls.items() if url}
    answers = await asyncio.gather(*(_one_redis(name, url) for name, url in asked.items()))
    findings = [finding for _, found in answers for finding in found]
    if len(answers) == len(urls) and all(facts for facts, _ in answers):
        findings.append(redis_servers.judge_two(*(facts for facts, _ in answers)))
    return findings


async def _one_redis(name: str, url: str) -> tuple[dict[str, str], list[Finding]]:
    try:
        redis = redis_servers.client(url)
    except ValueError as error:
        return {}, [fault(f"The address of the {name} Redis cannot be used", "Write redis://…", str(error))]
    try:
        facts, answer = await redis_servers.facts_of(name, redis)
        if not facts:
            return {}, [answer]
        findings = [answer, *redis_servers.judge(name, facts)]
        findings += await _guarded([partial(_one, redis_servers.clock_skew, name, redis)])
        if name == "durable":
            findings += await _guarded([partial(traffic.streams, redis)])
        else:
            findings += await _guarded([partial(_one, sockets.sockets, url)])
        return facts, findings
    finally:
        await redis.aclose()


async def _one(look: Callable[..., Awaitable[Finding]], *arguments: object) -> list[Finding]:
    return [await look(*arguments)]


async def _guarded(looks: Iterable[Callable[[], Awaitable[list[Finding]]]]) -> list[Finding]:
    """Run looks one after the other (they share a connection); one that fails is a finding itself."""
    findings: list[Finding] = []
    for look in looks:
        try:
            async with asyncio.timeout(LOOK_WITHIN_S):
                findings += await look()
        except Exception as error:  # edge: a look must not keep the others from being taken
            findings.append(_unseen(error))
    return findings


async def _in_time(what: str, looks: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        async with asyncio.timeout(STORES_WITHIN_S):
            return await looks
    except TimeoutError:
        return [fault(f"{what} answers too slowly to be looked at", "Is it overloaded? See its log and its machine.")]


def _look(look: Callable[[Patient], Finding], patient: Patient) -> Finding:
    try:
        return look(patient)
    except (OSError, HubError) as error:
        return _unseen(error)


def _unseen(error: Exception) -> Finding:
    detail = error.message if isinstance(error, HubError) else type(error).__name__
    return warning("Something could not be looked at", "Look again; if it stays, read the logs.", detail)
