"""The quality rules of a channel's folder: its code and its README. Each yields what is wrong, in words."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from typing import Final

from scripts.connector_kit.subject import Subject

_LOGGERS: Final = frozenset({"logging", "structlog", "hub.log"})
_SHORTEST_LIMITS_CHARS: Final = 40


def log_once(one: Subject) -> Iterator[str]:
    """The loops that call a channel say once that it is away; a channel that logs by itself would say it every time."""
    for path in sorted(one.folder.glob("*.py")):
        if path.name.startswith("test_"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom):
                named = [node.module or "", *(f"{node.module}.{alias.name}" for alias in node.names)]
            if _LOGGERS & set(named):
                yield f"{path.name} logs by itself; raise a ConnectorError, the hub says once that a vendor is away."


def known_limits(one: Subject) -> Iterator[str]:
    path = one.folder / "README.md"
    found = re.search(r"known limits\W+(.*)", path.read_text(encoding="utf-8"), re.IGNORECASE | re.DOTALL)
    if found is None:
        yield 'README.md has no section "Known limits".'
    elif len(found[1].strip()) < _SHORTEST_LIMITS_CHARS:
        yield 'the section "Known limits" of README.md says nothing.'
