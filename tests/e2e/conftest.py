"""Fixtures of the widget's browser tests: a mock hub, a customer's site on another host, and Chromium."""

from __future__ import annotations

import os
import shutil
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from playwright.sync_api import Browser, sync_playwright

from tests.e2e.mock_hub import MockHub, serve

if TYPE_CHECKING:
    from collections.abc import Iterator

FRONTEND = Path(__file__).parents[2] / "frontend"


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
def browser() -> Iterator[Browser]:
    """Headless Chromium; no browser is downloaded."""
    path = os.environ.get("CHROMIUM_PATH") or shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        _missing("Chromium is not installed")
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        yield started
        started.close()


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
