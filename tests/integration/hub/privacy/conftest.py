"""Streams, a folder of files and an ephemeral Redis for the jobs of privacy."""

from __future__ import annotations

import pytest

from hub.blobs import Blobs
from hub.streams import IngressStreams


@pytest.fixture
async def streams(redis_durable):
    opened = IngressStreams(redis_durable)
    await opened.create_groups()
    yield opened
    await opened.close()


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "files"


@pytest.fixture
def blobs(folder):
    return Blobs.in_folder(folder)
