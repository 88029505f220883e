"""One Twilio emulator a run, emptied for each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.emulators import EmulatedTwilio


@pytest.fixture(scope="session")
def twilio_process() -> Iterator[EmulatedTwilio]:
    started = EmulatedTwilio()
    yield started
    started.stop()


@pytest.fixture
def twilio(twilio_process: EmulatedTwilio) -> EmulatedTwilio:
    twilio_process.control("clear")
    return twilio_process
