"""
Writes what a release is made of: ``python scripts/make_sbom.py FOLDER`` makes ``python.cdx.json`` and ``npm.cdx.json``.

CycloneDX 1.6, read from the locks alone: no network, no environment, the same bytes for the same locks. Advisories are
not looked up here; docs/security.md says how.
"""

from __future__ import annotations

import base64
import json
import re
import sys
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

ROOT: Final = Path(__file__).parents[1]
PYTHON_LOCK: Final = "requirements.txt"
NPM_LOCK: Final = "frontend/package-lock.json"
Component = dict[str, object]
_PIN: Final = re.compile(r"^([A-Za-z0-9._-]+)(?:\[[^\]]*\])?==([^\s;\\]+)\s*(?:;\s*([^\\]*?))?\s*\\?$")
_HASH: Final = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_SPDX: Final = re.compile(r"[A-Za-z0-9.+-]+(?: (?:AND|OR|WITH) [A-Za-z0-9.+-]+)*")
_ALGORITHMS: Final = {"sha1": "SHA-1", "sha256": "SHA-256", "sha384": "SHA-384", "sha512": "SHA-512"}


def main(arguments: Sequence[str]) -> int:
    """Write both documents into the folder named."""
    folder = Path(arguments[0] if arguments else "build/sbom")
    folder.mkdir(parents=True, exist_ok=True)
    made = {
        "python.cdx.json": document("clientcontact-hub", python_components((ROOT / PYTHON_LOCK).read_text())),
        "npm.cdx.json": document("clientcontact-hub-frontend", npm_components((ROOT / NPM_LOCK).read_text())),
    }
    for name, text in made.items():
        (folder / name).write_text(text)
        print(f"{name}: {len(json.loads(text)['components'])} components")
    return 0


def document(name: str, components: Iterator[Component]) -> str:
    """
    Write a document.

    Args:
        name: What it describes.
        components: All it is made of.

    Returns:
        JSON, sorted, without a date or a number of its own: a lock has one document.

    Source:
        CycloneDX 1.6 JSON reference (ECMA-424, 2024-06).
    """
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    listed = sorted(components, key=lambda one: str(one["bom-ref"]))
    subject = {"type": "application", "bom-ref": name, "name": name, "version": version}
    whole = {
        "bomFormat": "CycloneDX",
        "specVersion": "1.6",
        "version": 1,
        "metadata": {"component": subject},
        "components": listed,
        # Who needs whom is in the locks; here all belong to the subject.
        "dependencies": [{"ref": name, "dependsOn": [one["bom-ref"] for one in listed]}],
    }
    return json.dumps(whole, indent=1, ensure_ascii=False) + "\n"


def python_components(lock: str) -> Iterator[Component]:
    """Read a lock of ``uv pip compile --generate-hashes``; one that belongs to other platforms says so."""
    for block in re.split(r"\n(?=[A-Za-z0-9])", lock):
        first, _, rest = block.partition("\n")
        if (pin := _PIN.match(first.strip())) is None:
            if "==" in first:
                raise ValueError(f"not understood: {first}")
            continue
        name, version, marker = re.sub(r"[-_.]+", "-", pin[1]).lower(), pin[2], pin[3]
        made = _component(f"pkg:pypi/{name}@{quote(version)}", name, version)
        if marker:
            made["properties"] = [{"name": "clientcontact-hub:marker", "value": marker}]
        made["hashes"] = [{"alg": "SHA-256", "content": one} for one in sorted(_HASH.findall(rest))]
        yield made


def npm_components(lock: str) -> Iterator[Component]:
    """Read a ``package-lock.json`` of version 3; a package at two places of the tree is one component."""
    seen: dict[str, Component] = {}
    for path, one in json.loads(lock)["packages"].items():
        name = one.get("name") or path.rpartition("node_modules/")[2]
        if not path or one.get("link") or not path.rpartition("node_modules/")[1]:
            continue
        group, _, bare = name.rpartition("/")
        purl = f"pkg:npm/{quote(group, safe='') + '/' if group else ''}{bare}@{quote(one['version'])}"
        made = _component(purl, bare, one["version"])
        made |= {"group": group} if group else {}
        # What builds and tests the pages is not in them.
        made["scope"] = "excluded" if one.get("dev") else "optional" if one.get("optional") else "required"
        if _SPDX.fullmatch(str(one.get("license", ""))):
            made["licenses"] = [{"expression": one["license"]}]
        if "integrity" in one:
            made["hashes"] = [_integrity(text) for text in one["integrity"].split()]
        if seen.get(purl, made)["scope"] == "excluded" or purl not in seen:
            seen[purl] = made
    yield from seen.values()


def _component(purl: str, name: str, version: str) -> Component:
    return {"type": "library", "bom-ref": purl, "name": name, "version": version, "purl": purl}


def _integrity(text: str) -> dict[str, str]:
    """Subresource integrity is base64, CycloneDX wants hex."""
    algorithm, _, digest = text.partition("-")
    return {"alg": _ALGORITHMS[algorithm], "content": base64.b64decode(digest).hex()}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
