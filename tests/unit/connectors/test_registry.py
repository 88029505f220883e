"""Channels are found by their folders, and a wrong manifest says where it is wrong."""

from __future__ import annotations

import sys

import pytest

from connectors.registry import ConnectorRegistry
from hub.errors import ConfigurationError, NotFound

MANIFEST = """
id = "pigeon"
name = "Pigeon post"
summary = "Messages by bird"
transport = "webhook"
docs_url = "https://example.com/docs"
read_on = "2026-11-22"
unknown_policy = "at_most_once"

[capabilities]
text_limit = 140

[[credentials]]
name = "ring"
label = "Ring number"
kind = "secret"
pattern = "[0-9]+"

[[limits.loft]]
rate = 1
per_s = 1
burst = 10
"""

CODE = """
from pathlib import Path
from connectors.base import Connector
from connectors.manifest import read_manifest

def nothing(*arguments):
    return ()

CONNECTOR = Connector(
    manifest=read_manifest(Path(__file__).parent), parse=nothing, render=nothing, send=nothing, classify=nothing
)
"""


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An importable package of channels with one folder, ``pigeon``."""
    name = f"channels_{tmp_path.name.replace('-', '_')}"
    folder = tmp_path / name
    (folder / "pigeon").mkdir(parents=True)
    (folder / "pigeon" / "manifest.toml").write_text(MANIFEST)
    (folder / "pigeon" / "icon.svg").write_text("<svg xmlns='http://www.w3.org/2000/svg'/>")
    (folder / "pigeon" / "__init__.py").write_text(CODE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for module in [one for one in sys.modules if one.startswith(name)]:
        del sys.modules[module]


CLOSED = '[[closed]]\nsetting = "season"\nvalue = "moult"\nwhy = "Pigeons rest."\n'


def load(folder) -> ConnectorRegistry:
    return ConnectorRegistry.load(folder, folder.name)


def rewrite(folder, old: str, new: str) -> None:
    path = folder / "pigeon" / "manifest.toml"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_load_finds_a_folder_without_any_list(package):
    """A folder with a manifest is a channel; one without is not."""
    (package / "notes").mkdir()

    registry = load(package)

    assert [one.id for one in registry.manifests()] == ["pigeon"]
    assert registry.get("pigeon").manifest == registry.manifests()[0]
    assert registry.icon("pigeon").startswith(b"<svg")


def test_load_imports_nothing(package):
    """Only the manifests are read at the start; a channel's code runs when it is asked for."""
    (package / "pigeon" / "__init__.py").write_text("raise RuntimeError('imported')")

    registry = load(package)

    with pytest.raises(RuntimeError, match="imported"):
        registry.get("pigeon")


def test_get_refuses_an_unknown_channel(package):
    """There is no channel without its folder."""
    with pytest.raises(NotFound):
        load(package).get("../pigeon")


@pytest.mark.parametrize(
    ("old", "new", "field"),
    [
        ("text_limit = 140", 'text_limit = "140"', "capabilities.text_limit"),
        ("text_limit = 140", "text_limit = -1", "capabilities.text_limit"),
        ("text_limit = 140", "text_limit = 140\ntypping_in = true", "capabilities.typping_in"),
        ('name = "Pigeon post"', "", "name"),
        ('id = "pigeon"', 'id = "dove"', "id"),
        ('read_on = "2026-11-22"', "read_on = 2026-11-22", "read_on"),
        ('read_on = "2026-11-22"', 'read_on = "yesterday"', "read_on"),
        ('transport = "webhook"', 'transport = "smoke"', "transport"),
        ('transport = "webhook"', 'transport = "webhook"\nsetup_step = []', "setup_step"),
        ('label = "Ring number"', "", "credentials[0].label"),
        ('label = "Ring number"', 'label = "Ring number"\nhelpp = ""', "credentials[0].helpp"),
        ('pattern = "[0-9]+"', 'pattern = "[0-9"', "credentials[0].pattern"),
        ('kind = "secret"', 'kind = "select"', "credentials[0].options"),
        ("burst = 10", "burst = 0", "limits.loft[0]"),
        ("burst = 10", f"burst = 10\n{CLOSED}", "closed[0].setting"),
        ("burst = 10", f"burst = 10\n{CLOSED}colour = 1", "closed[0].colour"),
    ],
)
def test_load_names_folder_and_field(package, old, new, field):
    """Whoever writes a channel is told which folder and which field is wrong."""
    rewrite(package, old, new)

    with pytest.raises(ConfigurationError, match=r"connectors/pigeon/manifest\.toml") as caught:
        load(package)

    assert caught.value.field == field
    assert field in caught.value.message


def test_load_names_a_broken_file(package):
    """TOML that cannot be read is named with its line."""
    rewrite(package, 'id = "pigeon"', "id = pigeon")

    with pytest.raises(ConfigurationError, match=r"connectors/pigeon/manifest\.toml: cannot be read.*line"):
        load(package)


def test_load_wants_an_icon(package):
    """Every channel brings its icon."""
    (package / "pigeon" / "icon.svg").unlink()

    with pytest.raises(ConfigurationError, match=r"icon\.svg"):
        load(package)


def test_get_wants_a_connector(package):
    """A package without CONNECTOR is named."""
    (package / "pigeon" / "__init__.py").write_text("CONNECTOR = 'a bird'")

    with pytest.raises(ConfigurationError, match="pigeon"):
        load(package).get("pigeon")


def test_load_reads_the_channels_of_this_installation():
    """The manifests that ship are valid."""
    registry = ConnectorRegistry.load()

    for manifest in registry.manifests():
        assert registry.get(manifest.id).manifest == manifest
