"""docker-compose.yml as Docker Compose reads it: parsed, its variables filled in. For tests; there is no Docker here."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
FILE = ROOT / "docker-compose.yml"
# ${NAME}, ${NAME:-default}, ${NAME:?what it is}; $$ is a dollar.
_VARIABLE = re.compile(r"\$\$|\$\{(?P<name>\w+)(?::(?P<kind>[-?])(?P<text>[^}]*))?\}")


class Missing(Exception):
    """A variable that must be set is not; the text is what Compose would say."""


def variables() -> dict[str, str]:
    """Each variable of the file with what follows its name: ``?…`` where it must be set, ``-…`` for its default."""
    found: dict[str, str] = {}
    for match in _VARIABLE.finditer(FILE.read_text()):
        if match["name"]:
            found[match["name"]] = f"{match['kind'] or ''}{match['text'] or ''}"
    return found


def read(environ: dict[str, str]) -> dict[str, Any]:
    """
    Parse the file.

    Args:
        environ: What ``.env`` says.

    Raises:
        Missing: A variable that must be set is not, or is empty.
    """

    def fill(match: re.Match[str]) -> str:
        if match[0] == "$$":
            return "$"
        value = environ.get(match["name"], "")
        if not value and match["kind"] == "?":
            raise Missing(f"{match['name']}: {match['text']}")
        return value or (match["text"] if match["kind"] == "-" else "")

    # As Compose does it: parse first, then fill in, so that a value cannot change the file's shape.
    return _filled(yaml.safe_load(FILE.read_text()), fill)


def _filled(node: Any, fill: Any) -> Any:
    if isinstance(node, str):
        return _VARIABLE.sub(fill, node)
    if isinstance(node, list):
        return [_filled(one, fill) for one in node]
    if isinstance(node, dict):
        return {name: _filled(one, fill) for name, one in node.items()}
    return node


def filled_template(template: Path, environ: dict[str, str], pattern: str) -> str:
    """Fill ${NAMES} in as the nginx image does: those of the environment that match its filter, nothing else."""
    names = [name for name in environ if re.match(pattern, name)]
    text = template.read_text()
    for name in names:
        text = text.replace(f"${{{name}}}", environ[name])
    return text
