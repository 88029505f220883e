"""Fixtures over real services: one Postgres and two Valkeys a run, a fresh database a test."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Iterator
from typing import TYPE_CHECKING

import asyncpg
import pytest
import redis

from hub.blobs import Blobs
from hub.config import read_settings
from hub.db import Database
from hub.migrations import runner
from scripts.benchmarks.services import Services, run_alone, start_services
from tests import factories, system_mails
from tests.emulators import EmulatedTwilio
from tests.object_store import S3Address, S3Process

if TYPE_CHECKING:
    from pathlib import Path

    from hub.db import Notice

TEMPLATE = "hub_template"


@pytest.fixture(scope="session")
def services() -> Iterator[Services]:
    """The three services, stopped at the end of the run."""
    started = start_services(fast=True)
    yield started
    started.stop()


@pytest.fixture(scope="session")
def template(services: Services) -> str:
    """A migrated database that tests clone."""
    run_alone(_make_template(services))
    return TEMPLATE


class DatabaseUrls:
    """Addresses of one test's database."""

    def __init__(self, services: Services, name: str) -> None:
        self.name = name
        self.owner_url = services.owner_url.replace("/hub?", f"/{name}?")
        self.database_url = services.database_url.replace("/hub?", f"/{name}?")


@pytest.fixture
async def database_urls(services: Services, template: str) -> AsyncIterator[DatabaseUrls]:
    """A fresh, migrated database."""
    name = f"t_{os.urandom(6).hex()}"
    admin = await asyncpg.connect(services.owner_url)
    try:
        # Copied as files: page by page through the log, which is the default, takes twice as long.
        await admin.execute(f'CREATE DATABASE "{name}" TEMPLATE "{template}" STRATEGY FILE_COPY')
        yield DatabaseUrls(services, name)
        await admin.execute(f'DROP DATABASE "{name}" WITH (FORCE)')
    finally:
        await admin.close()


class RecordedNotices(list["Notice"]):
    """What transactions handed on after COMMIT."""


@pytest.fixture
def notices() -> RecordedNotices:
    return RecordedNotices()


@pytest.fixture
async def database(database_urls: DatabaseUrls, notices: RecordedNotices) -> AsyncIterator[Database]:
    """A pool as the application has it, recording its notices."""
    opened = await Database.open(database_urls.database_url, notices.extend, max_size=5)
    yield opened
    await opened.close()


@pytest.fixture
async def workspace(database: Database) -> factories.WorkspaceFacts:
    """A workspace with an owner, an agent, an inbox, a live chat and an SMS account."""
    return await factories.make_workspace(database)


@pytest.fixture
def redis_durable(services: Services) -> str:
    """The durable Valkey, emptied."""
    with redis.Redis.from_url(services.redis_url) as client:
        client.flushall()
    return services.redis_url


@pytest.fixture
def redis_ephemeral(services: Services) -> str:
    """The ephemeral Valkey, emptied."""
    with redis.Redis.from_url(services.redis_ephemeral_url) as client:
        client.flushall()
    return services.redis_ephemeral_url


async def _make_template(services: Services) -> None:
    admin = await asyncpg.connect(services.owner_url)
    try:
        await admin.execute(f'CREATE DATABASE "{TEMPLATE}"')
    finally:
        await admin.close()
    template_url = services.owner_url.replace("/hub?", f"/{TEMPLATE}?")
    await runner.upgrade(template_url, services.login_role)
    # As every process does when it starts.
    await system_mails.keep_key(template_url)


@pytest.fixture(scope="session")
def twilio_process() -> Iterator[EmulatedTwilio]:
    """One Twilio emulator a run."""
    started = EmulatedTwilio()
    yield started
    started.stop()


@pytest.fixture
def twilio(twilio_process: EmulatedTwilio) -> EmulatedTwilio:
    """The emulator, emptied for this test."""
    twilio_process.control("clear")
    return twilio_process


@pytest.fixture(scope="session")
def s3() -> Iterator[S3Address]:
    """One S3-compatible store a run."""
    started = S3Process()
    yield started.address
    started.stop()


@pytest.fixture(params=["folder", "s3"])
def file_store_environ(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, str]:
    """The variables of each kind of file store: one test body runs over both."""
    environ = {"HOME": str(tmp_path), "HUB_DATA_DIR": str(tmp_path / "data")}
    if request.param == "s3":
        address: S3Address = request.getfixturevalue("s3")
        environ |= address.environ(f"t-{os.urandom(6).hex()}")
    return environ


@pytest.fixture
def blobs(file_store_environ: dict[str, str]) -> Blobs:
    """An empty file store, of each kind."""
    return Blobs.open(read_settings(file_store_environ))
