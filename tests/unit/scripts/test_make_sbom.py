"""The SBOM: complete against the locks, valid, and the same each time."""

from __future__ import annotations

import json
import re
import warnings

import pytest

from scripts import make_sbom

LOCKS = {
    "python": (make_sbom.python_components, make_sbom.PYTHON_LOCK),
    "npm": (make_sbom.npm_components, make_sbom.NPM_LOCK),
}


def read(kind: str):
    components, lock = LOCKS[kind]
    return json.loads(make_sbom.document("it", components((make_sbom.ROOT / lock).read_text())))


def test_sbom_names_every_pinned_python_package():
    """Each ``name==version`` of the lock is one component with all of its hashes."""
    lock = (make_sbom.ROOT / make_sbom.PYTHON_LOCK).read_text()
    pins = {(name.lower(), version) for name, version in re.findall(r"^([\w.-]+)(?:\[.*?\])?==([^\s;]+)", lock, re.M)}
    found = read("python")["components"]
    assert {(one["name"], one["version"]) for one in found} == pins
    assert len(pins) > 30
    assert sum(len(one["hashes"]) for one in found) == lock.count("--hash=sha256:")


def test_sbom_names_every_locked_npm_package():
    """Each package of the lock's tree is a component, by its name and version."""
    packages = json.loads((make_sbom.ROOT / make_sbom.NPM_LOCK).read_text())["packages"]
    wanted = {(path.rpartition("node_modules/")[2], one["version"]) for path, one in packages.items() if path}
    found = read("npm")["components"]
    names = {(f"{one['group']}/{one['name']}" if "group" in one else one["name"], one["version"]) for one in found}
    assert names == wanted
    assert {"required", "excluded"} <= {one["scope"] for one in found}


@pytest.mark.parametrize("kind", LOCKS)
def test_sbom_is_valid_cyclonedx(kind):
    """The published schema takes it, and refuses it once something is wrong."""
    from cyclonedx.schema import SchemaVersion

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        from cyclonedx.validation.json import JsonStrictValidator

        validator = JsonStrictValidator(SchemaVersion.V1_6)
        made = read(kind)
        assert validator.validate_str(json.dumps(made)) is None
        made["components"][0]["type"] = "thing"
        assert validator.validate_str(json.dumps(made)) is not None


def test_a_line_that_is_not_understood_is_no_gap():
    """A pin in a form we do not know stops the document, it is not left out."""
    with pytest.raises(ValueError, match="not understood"):
        list(make_sbom.python_components("odd == 1.0 \\\n    --hash=sha256:00\n"))
