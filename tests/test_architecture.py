"""Rules of the code base that a program can check."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

from hub.db import load_queries

ROOT = Path(__file__).parents[1]
PRODUCT = ("hub", "connectors", "api")
LIMIT_LINES, LIMIT_TEST_LINES = 400, 600
FORBIDDEN_NAMES = {"utils", "helpers", "common", "manager", "service", "misc"}


def python_files(*folders: str) -> list[Path]:
    return sorted(
        path for folder in folders for path in (ROOT / folder).rglob("*.py") if "__pycache__" not in path.parts
    )


def query_files() -> list[Path]:
    return sorted(
        path for folder in PRODUCT for path in (ROOT / folder).rglob("*.sql") if path.parent.name != "versions"
    )


def relative(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", python_files(*PRODUCT, "scripts"), ids=relative)
def test_file_is_small(path):
    """A file of more than 400 lines owns too much."""
    assert len(path.read_text().splitlines()) <= LIMIT_LINES


@pytest.mark.parametrize("path", python_files("tests"), ids=relative)
def test_test_file_is_small(path):
    """A test file of more than 600 lines is two files."""
    assert len(path.read_text().splitlines()) <= LIMIT_TEST_LINES


def test_no_module_is_named_after_nothing():
    """Names like utils and manager collect what has no place."""
    assert [relative(path) for path in python_files(*PRODUCT) if path.stem in FORBIDDEN_NAMES] == []


@pytest.mark.parametrize("path", python_files(*PRODUCT), ids=relative)
def test_module_says_what_it_is(path):
    """Every module of the product that holds code starts with a docstring."""
    tree = ast.parse(path.read_text())
    assert not tree.body or ast.get_docstring(tree)


@pytest.mark.parametrize("path", query_files(), ids=relative)
def test_every_query_is_used(path):
    """A statement nobody asks for is dead, a missing one stops the import of its store."""
    sources = "".join(one.read_text() for one in path.parent.glob("*.py"))
    unused = [name for name in load_queries(path) if f'QUERIES["{name}"]' not in sources]
    assert unused == []


@pytest.mark.parametrize("path", query_files(), ids=relative)
def test_every_query_is_explained_and_explicit(path):
    """Each statement has its sentence and names its columns."""
    for block in re.split(r"^-- name: ", path.read_text(), flags=re.MULTILINE)[1:]:
        name, comment = block.splitlines()[:2]
        assert comment.startswith("-- "), f"{name} has no sentence"
        assert not re.search(r"SELECT\s+\*", block), f"{name} selects *"


def test_only_loops_catch_everything():
    """`except Exception` stands only in process loops and at outermost edges; each says which it is."""
    found = [
        f"{relative(path)}:{number}"
        for path in python_files(*PRODUCT)
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if "except Exception" in line and not re.search(r"# (loop|edge):", line)
    ]
    assert found == []


def test_no_sequence_object_and_no_notify():
    """The sequence is a row and hints go through the broker: no serial, no NOTIFY."""
    for path in (ROOT / "hub/migrations/versions").glob("*.sql"):
        text = re.sub(r"--.*", "", path.read_text()).lower()
        assert "notify" not in text
        assert "nextval" not in text
        assert "serial" not in text
