"""Fixtures of the browser tests: Chromium, a real hub and the people who use it; a mock hub for the widget alone."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.acceptance.running import EMAIL, PASSWORD, RunningHub
from tests.e2e.mock_hub import MockHub, serve
from tests.e2e.pages import Inbox, Person

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.emulators import EmulatedTwilio

FRONTEND = Path(__file__).parents[2] / "frontend"
# Nothing of the browser's own may call out: every request seen is ours.
CHROMIUM_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def _missing(what: str) -> None:
    """Fail where everything must be there, leave the test out elsewhere."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


@pytest.fixture(scope="session")
def widget_build() -> Path:
    """The built widget."""
    folder = FRONTEND / "dist" / "widget"
    if not (folder / "widget.js").exists():
        _missing("The widget is not built: npm run build:widget in frontend/")
    return folder


@pytest.fixture(scope="session")
def app_build(widget_build: Path) -> Path:
    """The built inbox and widget."""
    folder = widget_build.parent
    if not (folder / "app" / "index.html").exists():
        _missing("The inbox is not built: npm run build in frontend/")
    return folder


# Not for the whole session: while it is open no other test of this process can run an event loop.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Headless Chromium; no browser is downloaded."""
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        _missing("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=list(CHROMIUM_ARGUMENTS))
        yield started
        started.close()


@pytest.fixture(scope="module")
def fresh_hub(app_build: Path, twilio_process: EmulatedTwilio) -> Iterator[RunningHub]:
    """A hub as it is after its first start; one a module, so that set-up and what follows do not meet."""
    twilio_process.control("clear")
    started = RunningHub(HUB_VENDOR_URL_TWILIO_SMS=twilio_process.base_url)
    yield started
    started.stop()


@pytest.fixture(scope="module")
def hub(fresh_hub: RunningHub) -> RunningHub:
    """The same, set up by its owner."""
    fresh_hub.set_up()
    return fresh_hub


@pytest.fixture
def arrive(browser: Browser, fresh_hub: RunningHub) -> Iterator[Callable[..., Person]]:
    """Give somebody a browser of their own; at the end nobody's console may hold a complaint."""
    people: list[Person] = []

    def open_browser(**options: object) -> Person:
        people.append(Person(browser, fresh_hub, **options))
        return people[-1]

    yield open_browser
    for person in people:
        person.context.close()
    assert [complaint for person in people for complaint in person.complaints] == []


@pytest.fixture
def owner(arrive: Callable[..., Person], hub: RunningHub) -> Inbox:
    """The owner in the inbox."""
    person = arrive()
    # The first look, before anybody is signed in, and what it asks for is refused.
    person.expect_on_console(r"status of 401 .*/api/v1/session\)")
    inbox = Inbox(person)
    inbox.sign_in(EMAIL, PASSWORD)
    return inbox


@pytest.fixture
def mock_hub(widget_build: Path) -> Iterator[MockHub]:
    """A hub on 127.0.0.1 and a customer's site on localhost: two sites to the browser."""
    config = {
        "title": "Northwind Tea",
        "greeting": "Hello! Ask us anything about tea, delivery or your order.",
        "color": "#245fd4",
        "pre_chat": [],
        "identity_required": False,
        "online": True,
    }
    hub = MockHub(widget_build, config)
    with ExitStack() as stack:
        hub.url = stack.enter_context(serve(hub.app, "127.0.0.1"))
        hub.site = stack.enter_context(serve(hub.site_app, "localhost"))
        yield hub
