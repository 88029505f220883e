"""docs/connectors.md is followed word for word in a copy of the repository: red, then green, and one folder changed."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import msgspec
import pytest

from connectors import base, http
from scripts.connector_kit.vendor import StubVendor
from tests import connectors_page
from tests.connectors_page import CHANNEL, ROOT

# What a clone has; the frontend is not asked.
COPIED = ("api", "connectors", "hub", "scripts", "tests", "docs", "pyproject.toml", "requirements.in")

pytestmark = [pytest.mark.processes, pytest.mark.slow, pytest.mark.timeout(300)]


@pytest.fixture
def copy(tmp_path) -> Iterator[Path]:
    """A copy of the repository to write in, with our environment."""
    copy = tmp_path / "clone"
    copy.mkdir()
    for name in COPIED:
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, copy / name, ignore=shutil.ignore_patterns("__pycache__", CHANNEL))
        else:
            shutil.copy(source, copy / name)
    (copy / ".venv").symlink_to(ROOT / ".venv")
    yield copy
    shutil.rmtree(copy, ignore_errors=True)


def run(copy: Path, command: str) -> subprocess.CompletedProcess[str]:
    """Run a command of the page; tests in it must not find this run's settings."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    if command.startswith(".venv/bin/pytest"):
        command += " -q -p no:cacheprovider"
    return subprocess.run(
        command.split(),
        cwd=copy,
        env=environ | {"PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=250,
    )


def fingerprints(copy: Path) -> dict[str, str]:
    found = {}
    for path in sorted(copy.rglob("*")):
        name = str(path.relative_to(copy))
        # Tools keep their caches in folders that start with a dot; a clone ignores them.
        if path.is_file() and not name.startswith("."):
            found[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    return found


def test_page_leads_from_nothing_to_a_tested_channel(copy):
    """The scaffold's tests are red in clear words; with the page's files everything is green; nothing else changed."""
    start, red, *green = connectors_page.commands()
    assert [command.split()[0] for command in green] == [".venv/bin/pytest", ".venv/bin/pytest", ".venv/bin/python"]
    before = fingerprints(copy)

    written = run(copy, start)
    assert written.returncode == 0, written.stderr
    assert red.partition("#")[0].strip() in written.stdout

    failing = run(copy, red)
    assert failing.returncode == 1, failing.stdout
    assert re.search(r"\n\d+ failed in ", failing.stdout), failing.stdout[-500:]
    for said in (
        "verify.py: compute the vendor's signature over the raw body",
        "render.py, render: return the calls that send the whole text",
        "Record what the vendor sends as fixtures/unsupported.in.json",
        "manifest.toml still answers these quality rules with todo: signature-verified",
    ):
        assert said in failing.stdout
    contract = run(copy, green[1])
    assert contract.returncode == 1, contract.stdout

    connectors_page.write_files(copy / "connectors" / CHANNEL)

    for command in green:
        done = run(copy, command)
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        assert CHANNEL not in done.stdout
        if "pytest" in command:
            assert re.search(r"[1-9]\d* passed", done.stdout), done.stdout
            assert "skipped" not in done.stdout
    after = fingerprints(copy)
    changed = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    assert [name for name in changed if not name.startswith(f"connectors/{CHANNEL}/")] == []
    assert f"connectors/{CHANNEL}/verify.py" in changed


def test_page_shows_a_channel_that_checks_clean(copy):
    """What newcomers copy from passes the same checks as our own code."""
    folder = copy / "connectors" / CHANNEL
    assert run(copy, connectors_page.commands()[0]).returncode == 0
    connectors_page.write_files(folder)
    for command in (
        f".venv/bin/ruff format --check connectors/{CHANNEL}",
        f".venv/bin/ruff check connectors/{CHANNEL}",
        f".venv/bin/mypy --cache-dir {copy}/.mypy connectors/{CHANNEL}",
    ):
        done = run(copy, command)
        assert done.returncode == 0, done.stdout + done.stderr


class _Letter(msgspec.Struct):
    id: str


class _Letters(msgspec.Struct):
    letters: list[_Letter]


def given(vendor: StubVendor) -> dict[str, object]:
    """What the page's shorter examples take from the rest of their files."""
    return {
        **vars(base),
        **vars(http),
        "AsyncIterator": AsyncIterator,
        "VENDOR": "Signal Box",
        "_Letters": _Letters,
        "_at": lambda account, path: f"{vendor.base_url}{path}",
        "_headers": lambda account: {},
    }


ACCOUNT = base.Account(id="a", workspace_id=1, credentials={}, settings={}, webhook_url="")


async def test_polling_example_yields_batches_until_nothing_is_new():
    """The page's poll asks from its cursor on, and gives each batch with the next one."""
    with StubVendor(200, b'{"letters": [{"id": "l-1"}, {"id": "l-2"}]}') as vendor:
        names = given(vendor)
        exec(connectors_page.code_under("Channels that ask"), names)
        batches = []
        async for batch in names["poll"](ACCOUNT, "l-0"):
            batches.append(batch)
            vendor.body = b'{"letters": []}'
    assert [([item.key for item in batch.items], batch.cursor) for batch in batches] == [(["l-1", "l-2"], "l-2")]
    assert [asked.path for asked in vendor.asked] == [
        "/v1/letters?after=l-0&limit=50",
        "/v1/letters?after=l-2&limit=50",
    ]


async def test_fetching_example_gives_the_bytes():
    """The page's fetch gives what the vendor has under the reference."""
    with StubVendor(200, b"a photo") as vendor:
        names = given(vendor)
        exec("from hub.envelope import AttachmentRef\n" + connectors_page.code_under("Files"), names)
        ref = names["AttachmentRef"](ref="/v1/files/7", kind="image")
        pieces = [piece async for piece in names["fetch"](ACCOUNT, ref, None)]
    assert (b"".join(pieces), vendor.asked[0].path) == (b"a photo", "/v1/files/7")
