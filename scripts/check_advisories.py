"""
Looks the packages we ship up in a downloaded copy of advisories: ``python -m scripts.check_advisories DATA [SBOM …]``.

DATA is OSV records: a dump (``all.zip`` of https://osv-vulnerabilities.storage.googleapis.com/PyPI/ or ``/npm/``), a
folder, or one file, JSON or YAML. Without SBOM files the locks are read. No network. Ends with 1 where something is
known, and where nothing could be read.

Source: OSV schema, "Evaluation" (https://ossf.github.io/osv-schema/).
"""

from __future__ import annotations

import json
import re
import sys
import zipfile
from collections import defaultdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote

import yaml  # type: ignore[import-untyped]  # of the tools, not of the product
from packaging.version import InvalidVersion, Version

from scripts import make_sbom

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

Record = dict[str, Any]
Package = tuple[str, str]
_PURL: Final = re.compile(r"pkg:(pypi|npm)/(.+)@([^@]+)")
_ECOSYSTEMS: Final = {"pypi": "PyPI", "npm": "npm"}
# SemVer 2.0.0 section 9 to 11.
_SEMVER: Final = re.compile(r"[v=\s]*(\d+)(?:\.(\d+))?(?:\.(\d+))?(?:-([0-9A-Za-z.-]+))?(?:\+[0-9A-Za-z.-]+)?")
_NOTHING_YET: Final = "0"


def main(arguments: Sequence[str]) -> int:
    """Print what is known about our packages, and how old that knowledge is."""
    if not arguments:
        print(__doc__)
        return 2
    shipped = shipped_packages(arguments[1:])
    found, newest, count = [], "", 0
    for record in read_records(Path(arguments[0])):
        count, newest = count + 1, max(newest, str(record.get("modified", "")))
        found += [(*package, version, record) for package, version in known_of(record, shipped)]
    for ecosystem, name, version, record in sorted(found, key=lambda one: (one[:3], one[3]["id"])):
        aliases = ", ".join(record.get("aliases", ())) or "no other name"
        summary = str(record.get("summary") or record.get("details", "")).partition("\n")[0][:120]
        print(f"{ecosystem} {name} {version}: {record['id']} ({aliases}) {summary}")
    total = sum(len(versions) for versions in shipped.values())
    print(f"{total} packages, {count} advisories, the newest of {newest[:10] or 'no date'}: {len(found)} apply")
    return 1 if found or not count else 0


def shipped_packages(paths: Sequence[str]) -> dict[Package, set[str]]:
    """
    Read which versions of which packages are shipped.

    Args:
        paths: CycloneDX files; none means the locks.

    Returns:
        Versions by ecosystem and name as OSV writes them.
    """
    documents = [json.loads(Path(path).read_text()) for path in paths] or [
        {"components": list(make_sbom.python_components((make_sbom.ROOT / make_sbom.PYTHON_LOCK).read_text()))},
        {"components": list(make_sbom.npm_components((make_sbom.ROOT / make_sbom.NPM_LOCK).read_text()))},
    ]
    shipped: dict[Package, set[str]] = defaultdict(set)
    for document in documents:
        for one in document["components"]:
            if (purl := _PURL.fullmatch(str(one.get("purl", "")))) is None:
                raise ValueError(f"a component without a purl we know: {one.get('name')}")
            shipped[(_ECOSYSTEMS[purl[1]], unquote(purl[2]))].add(unquote(purl[3]))
    return shipped


def read_records(path: Path) -> Iterator[Record]:
    """Read every record of a dump, a folder or a file; what cannot be read stops it, a gap would look like safety."""
    if path.is_dir():
        for one in sorted(path.rglob("*")):
            if one.suffix in (".json", ".yaml", ".yml"):
                yield from read_records(one)
    elif path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            for name in archive.namelist():
                if name.endswith((".json", ".yaml", ".yml")):
                    yield _read(name, archive.read(name))
    else:
        yield _read(path.name, path.read_bytes())


def known_of(record: Record, shipped: dict[Package, set[str]]) -> list[tuple[Package, str]]:
    """
    Say which shipped versions a record is about.

    Args:
        record: OSV; one that was withdrawn is about none.
        shipped: As ``shipped_packages`` returns it.
    """
    if record.get("withdrawn"):
        return []
    hits: set[tuple[Package, str]] = set()
    for affected in record.get("affected", ()):
        named = affected.get("package", {})
        ecosystem, name = str(named.get("ecosystem", "")).partition(":")[0], str(named.get("name", ""))
        package = (ecosystem, re.sub(r"[-_.]+", "-", name).lower() if ecosystem == "PyPI" else name)
        hits |= {
            (package, version) for version in shipped.get(package, ()) if _is_affected(ecosystem, version, affected)
        }
    return sorted(hits)


def _is_affected(ecosystem: str, version: str, affected: Record) -> bool:
    if version in affected.get("versions", ()):
        return True
    ranges = [one for one in affected.get("ranges", ()) if one.get("type") in ("SEMVER", "ECOSYSTEM")]
    return any(_is_in(ecosystem, version, one.get("events", ())) for one in ranges)


def _is_in(ecosystem: str, version: str, events: Sequence[dict[str, str]]) -> bool:
    """Walk the events in the order of their versions: each switches the answer for what comes at or after it."""
    wanted, is_in = _key(ecosystem, version), False
    limits = [one["limit"] for one in events if one.get("limit", "*") != "*"]
    if limits and not any(wanted < _key(ecosystem, limit) for limit in limits):
        return False
    told = [(_key(ecosystem, at), kind) for one in events for kind, at in one.items() if kind != "limit"]
    # At one version an end comes before a new beginning.
    for at, kind in sorted(told, key=lambda one: (one[0], one[1] == "introduced")):
        if kind == "introduced" and wanted >= at:
            is_in = True
        elif (kind == "fixed" and wanted >= at) or (kind == "last_affected" and wanted > at):
            is_in = False
    return is_in


def _key(ecosystem: str, version: str) -> Any:  # noqa: ANN401  of one ecosystem all keys compare with each other
    if ecosystem == "PyPI":
        try:
            # Before everything, which no version of PEP 440 is.
            return Version("0.dev0" if version == _NOTHING_YET else version)
        except InvalidVersion as error:
            raise ValueError(f"not a version of PEP 440: {version}") from error
    if (read := _SEMVER.fullmatch(version)) is None:
        raise ValueError(f"not a version of SemVer: {version}")
    numbers = tuple(int(one or 0) for one in read.groups()[:3])
    parts = read[4].split(".") if read[4] else []
    # A number comes before a word, and anything before the release itself.
    before = tuple((0, int(one), "") if one.isdigit() else (1, 0, one) for one in parts)
    return (*numbers, (0, before) if before or version == _NOTHING_YET else (1, ()))


def _read(name: str, content: bytes) -> Record:
    record = json.loads(content) if name.endswith(".json") else yaml.safe_load(content)
    if not isinstance(record, dict) or "id" not in record:
        raise ValueError(f"not an OSV record: {name}")
    return record


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
