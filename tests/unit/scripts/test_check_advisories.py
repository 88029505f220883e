"""The matcher of advisories: ranges as OSV defines them, and no advisory that is silently passed over."""

from __future__ import annotations

import json
import zipfile

import pytest

from scripts import check_advisories, make_sbom


def record(ecosystem: str, name: str, *events: dict, versions: tuple[str, ...] = (), **more: object) -> dict:
    kind = "SEMVER" if ecosystem == "npm" else "ECOSYSTEM"
    package = {"ecosystem": ecosystem, "name": name}
    affected = {"package": package, "ranges": [{"type": kind, "events": list(events)}], "versions": list(versions)}
    return {"id": "MADE-UP-1", "modified": "2026-11-20T00:00:00Z", "affected": [affected], **more}


@pytest.mark.parametrize(
    ("ecosystem", "version", "events", "hit"),
    [
        ("PyPI", "1.9", [{"introduced": "0"}, {"fixed": "1.10"}], True),
        ("PyPI", "1.10", [{"introduced": "0"}, {"fixed": "1.10"}], False),
        ("PyPI", "1.10rc1", [{"introduced": "0"}, {"fixed": "1.10"}], True),
        ("PyPI", "0.9", [{"introduced": "1.0"}, {"fixed": "1.10"}], False),
        ("PyPI", "3.1", [{"introduced": "0"}, {"fixed": "1.10"}, {"introduced": "3.0"}], True),
        ("PyPI", "2.0", [{"introduced": "3.0"}, {"fixed": "1.10"}, {"introduced": "0"}], False),
        ("PyPI", "2.0", [{"introduced": "1.0"}, {"last_affected": "2.0"}], True),
        ("PyPI", "2.0.1", [{"introduced": "1.0"}, {"last_affected": "2.0"}], False),
        ("PyPI", "0.0.dev1", [{"introduced": "0"}], True),
        ("npm", "1.9.0", [{"introduced": "0"}, {"fixed": "1.10.0"}], True),
        ("npm", "1.10.0-rc.1", [{"introduced": "0"}, {"fixed": "1.10.0"}], True),
        ("npm", "1.10.0-rc.2", [{"introduced": "1.10.0-rc.10"}], False),
        ("npm", "1.10.0+build.7", [{"introduced": "0"}, {"fixed": "1.10.0"}], False),
        ("npm", "2.0.0", [{"introduced": "0"}, {"limit": "2.0.0"}], False),
    ],
)
def test_range_holds_what_osv_says(ecosystem, version, events, hit):
    """Beginnings, ends, ends that are still in, pre-releases, and events in any order."""
    shipped = {(ecosystem, "thing"): {version}}
    assert bool(check_advisories.known_of(record(ecosystem, "thing", *events), shipped)) is hit


def test_names_are_compared_as_the_registry_does():
    """PyPI takes dots, dashes and case for one; a listed version counts without a range; npm scopes are kept."""
    shipped = {("PyPI", "a-b"): {"1.0"}, ("npm", "@x/y"): {"1.0.0"}}
    assert check_advisories.known_of(record("PyPI", "A.B", versions=("1.0",)), shipped)
    assert check_advisories.known_of(record("npm", "@x/y", {"introduced": "0"}), shipped)
    assert not check_advisories.known_of(record("PyPI", "@x/y", {"introduced": "0"}), shipped)


def test_withdrawn_advisory_is_about_nothing():
    """What its authors took back is no finding."""
    taken_back = record("npm", "thing", {"introduced": "0"}, withdrawn="2026-01-01T00:00:00Z")
    assert not check_advisories.known_of(taken_back, {("npm", "thing"): {"1.0.0"}})


def test_planted_advisory_about_what_we_ship_is_found(tmp_path, capsys):
    """A dump with one record about a package of each lock: both are told, with the age of the data, and it fails."""
    dump = tmp_path / "all.zip"
    with zipfile.ZipFile(dump, "w") as archive:
        archive.writestr("1.json", json.dumps(record("PyPI", "Starlette", {"introduced": "0"}, aliases=["CVE-1"])))
        archive.writestr("2.json", json.dumps(record("npm", "react", {"introduced": "0"}) | {"id": "MADE-UP-2"}))
    assert check_advisories.main([str(dump)]) == 1
    said = capsys.readouterr().out
    assert "starlette" in said
    assert "MADE-UP-1 (CVE-1)" in said
    assert "MADE-UP-2" in said
    assert "newest of 2026-11-20: 2 apply" in said


def test_sbom_is_read_as_it_is_written(tmp_path, capsys):
    """The document of a release is enough: every component is looked up."""
    folder = tmp_path / "sbom"
    make_sbom.main([str(folder)])
    data = tmp_path / "one.json"
    data.write_text(json.dumps(record("npm", "no-such-thing", {"introduced": "0"})))
    boms = [str(path) for path in sorted(folder.iterdir())]
    assert check_advisories.shipped_packages(boms) == check_advisories.shipped_packages([])
    capsys.readouterr()
    assert check_advisories.main([str(data), *boms]) == 0
    assert "0 apply" in capsys.readouterr().out


def test_nothing_read_is_not_nothing_known(tmp_path):
    """An empty folder, or a file that is no record, is a failure and never a clean bill."""
    assert check_advisories.main([str(tmp_path)]) == 1
    (tmp_path / "x.json").write_text("{}")
    with pytest.raises(ValueError, match="not an OSV record"):
        check_advisories.main([str(tmp_path)])
