"""Reads docs/connectors.md as somebody who follows it: its files and its commands. For tests."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "docs" / "connectors.md"
CHANNEL = "signal_box"
_FILE = re.compile(r"^\*\*`connectors/signal_box/([^`]+)`\*\*\n\n```\w+\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"^```python\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def files() -> dict[str, str]:
    """The files the page shows, by their path in the channel's folder."""
    return dict(_FILE.findall(PAGE.read_text(encoding="utf-8")))


def commands() -> list[str]:
    """The commands the page gives, in order, one a line."""
    return [line for block in _COMMANDS.findall(PAGE.read_text(encoding="utf-8")) for line in block.splitlines()]


def code_under(heading: str) -> str:
    """The Python of one section, in order."""
    section = PAGE.read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    assert section, f"docs/connectors.md has no section {heading!r}"
    return "\n\n".join(_CODE.findall(section))


def write_files(folder: Path, *, package: str = "connectors") -> None:
    """
    Put the page's files into a folder that the scaffold wrote.

    Args:
        folder: The channel's.
        package: Where it is importable from, when that is not ``connectors``.
    """
    for name, text in files().items():
        (folder / name).write_text(text, encoding="utf-8")
    for path in folder.glob("*.py"):
        path.write_text(path.read_text().replace(f"connectors.{CHANNEL}", f"{package}.{CHANNEL}"))
    for path in (folder / "fixtures").glob("message.*"):
        assert f"fixtures/{path.name}" in files()
