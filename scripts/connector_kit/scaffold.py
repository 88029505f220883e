"""Writes a new channel's folder: ``scripts/new_connector NAME [--transport webhook|poll]``. See docs/connectors.md."""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from connectors.quality import RULES
from hub import clock
from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[2]
TEMPLATE: Final = Path(__file__).parent / "template"
_INBOUND_TESTS: Final = "inbound_tests.txt"
# As in connectors/manifest.py, and without what would not be an id of Python.
_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")
_LONGEST_NAME_CHARS: Final = 40


def main(arguments: Sequence[str] | None = None) -> int:
    """Write the folder and say what to do next; 2 where the name cannot be used."""
    parser = argparse.ArgumentParser(prog="scripts/new_connector", description="Start a new channel.")
    parser.add_argument("name", help="its id and folder: small letters, digits and _, e.g. signal_box")
    parser.add_argument("--transport", choices=("webhook", "poll"), default="webhook", help="how items come in")
    options = parser.parse_args(arguments)
    try:
        folder = write_folder(options.name, options.transport, ROOT / "connectors")
    except ConfigurationError as error:
        print(error.message, file=sys.stderr)
        return 2
    print(_next_steps(folder.name))
    return 0


def write_folder(name: str, transport: str, connectors: Path) -> Path:
    """
    Write a channel's folder, every quality rule ``todo`` and every test red.

    Args:
        name: The channel's id.
        transport: ``webhook`` or ``poll``.
        connectors: Where channels are.

    Returns:
        The folder.

    Raises:
        ConfigurationError: The name cannot be a channel's, or is taken; nothing was written.
    """
    _check_name(name, connectors)
    folder = connectors / name
    (folder / "fixtures").mkdir(parents=True)
    inbound = (TEMPLATE / transport / _INBOUND_TESTS).read_text(encoding="utf-8")
    words = {
        "@INBOUND@": inbound,
        "@IMPORTS@": "import contextlib\n" if transport == "poll" else "",
        "@ERRORS@": ", SignatureRejected" if transport == "webhook" else "",
        "@CHANNEL@": name,
        "@TITLE@": name.replace("_", " ").capitalize(),
        "@TODAY@": f"{clock.now():%Y-%m-%d}",
    }
    for part in ("both", transport):
        for source in sorted((TEMPLATE / part).rglob("*")):
            if source.is_file() and source.name != _INBOUND_TESTS:
                place = _fill(str(source.relative_to(TEMPLATE / part)), words).removesuffix(".txt")
                (folder / place).write_text(_fill(source.read_text(encoding="utf-8"), words), encoding="utf-8")
    with (folder / "manifest.toml").open("a", encoding="utf-8") as manifest:
        manifest.write("[quality]\n" + "".join(f'{rule} = "todo"\n' for rule in RULES))
    _tidy(folder)
    return folder


def _check_name(name: str, connectors: Path) -> None:
    if not _NAME.fullmatch(name) or not 2 <= len(name) <= _LONGEST_NAME_CHARS:
        raise ConfigurationError(
            f"{name!r} cannot be a channel's name: 2 to {_LONGEST_NAME_CHARS} small letters, digits and _, "
            "beginning with a letter, e.g. signal_box."
        )
    taken = connectors / name
    if taken.exists() or taken.with_suffix(".py").exists():
        what = f"connectors/{name}" if taken.exists() else f"connectors/{name}.py"
        raise ConfigurationError(f"{what} is there already. Choose another name, or remove it first.")


def _tidy(folder: Path) -> None:
    """Sort imports and break lines, which depend on the name."""
    for command in (("check", "--quiet", "--fix", "--select", "I"), ("format", "--quiet")):
        subprocess.run([sys.executable, "-m", "ruff", *command, str(folder)], cwd=ROOT, check=True)


def _fill(text: str, words: dict[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text


def _next_steps(name: str) -> str:
    return f"""connectors/{name} is written. Its tests are red; each says what to build:

  .venv/bin/pytest connectors/{name}              what this channel must do
  .venv/bin/pytest tests/contract -k {name}       what every channel must keep
  .venv/bin/python scripts/check_connectors.py    whether its quality answers are true

Go in this order: manifest.toml, fixtures/, verify.py, parse.py, render.py, client.py, README.md.
docs/connectors.md builds one from here to green, with every file shown."""


if __name__ == "__main__":
    sys.exit(main())
