"""A new channel's folder: found by the registry, honest about what is missing, and never over something else."""

from __future__ import annotations

import ast
import sys

import pytest

from connectors.quality import RULES, Answer, read_quality
from connectors.registry import ConnectorRegistry
from hub.errors import ConfigurationError
from scripts.check_connectors import check
from scripts.connector_kit import scaffold
from scripts.connector_kit.scaffold import write_folder

NAME = "signal_box"


@pytest.fixture
def package(tmp_path, monkeypatch):
    """An empty, importable package of channels."""
    folder = tmp_path / f"channels_{abs(hash(tmp_path.name))}"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(tmp_path))
    yield folder
    for module in [one for one in sys.modules if one.startswith(folder.name)]:
        del sys.modules[module]


def write(package, transport: str = "webhook"):
    folder = write_folder(NAME, transport, package)
    for path in folder.glob("*.py"):
        path.write_text(path.read_text().replace(f"connectors.{NAME}", f"{package.name}.{NAME}"))
    return folder


@pytest.mark.parametrize("transport", ["webhook", "poll"])
def test_new_folder_is_a_channel_for_the_registry(package, transport):
    """The folder alone makes the channel, with the functions its transport needs."""
    write(package, transport)
    connector = ConnectorRegistry.load(package, package.name).get(NAME)
    assert (connector.manifest.id, connector.manifest.transport) == (NAME, transport)
    assert (connector.verify is not None, connector.split is not None) == (transport == "webhook",) * 2
    assert (connector.poll is not None) == (transport == "poll")


@pytest.mark.parametrize("transport", ["webhook", "poll"])
def test_new_folder_claims_nothing(package, capsys, transport):
    """Each quality rule is todo: listed, and no fault yet."""
    folder = write(package, transport)
    assert {rule: given.answer for rule, given in read_quality(folder).items()} == dict.fromkeys(RULES, Answer.TODO)
    assert list(check(folder, package.name)) == []
    assert f"todo  {NAME}: {', '.join(RULES)}" in capsys.readouterr().out


@pytest.mark.parametrize("transport", ["webhook", "poll"])
def test_new_folder_has_everything_a_channel_has(package, transport):
    """Files, an icon, an example, tests; no mark of the template is left."""
    folder = write(package, transport)
    found = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    wanted = {"manifest.toml", "__init__.py", "parse.py", "render.py", "client.py", "icon.svg", "README.md"}
    wanted |= {f"test_{NAME}.py", "fixtures/account.json", "fixtures/message.in.json", "fixtures/message.out.json"}
    assert found == (wanted | {"verify.py"} if transport == "webhook" else wanted)
    for path in folder.rglob("*"):
        if path.is_file():
            assert "@" not in path.read_text().replace("@pytest", ""), path.name
            if path.suffix == ".py":
                assert ast.get_docstring(ast.parse(path.read_text())), path.name


@pytest.mark.parametrize("name", ["Signal", "1st", "signal-box", "signal box", "", "x", "a" * 41, "../x", "a__b", "_a"])
def test_bad_name_is_refused_and_nothing_is_written(package, name):
    """A name must be one that Python, the database and an address can carry."""
    with pytest.raises(ConfigurationError, match="cannot be a channel's name"):
        write_folder(name, "webhook", package)
    assert list(package.iterdir()) == []


def test_taken_name_is_refused_and_kept(package):
    """Neither a channel nor a module of the connectors' own is written over."""
    (package / "registry.py").write_text("ours")
    (package / "pigeon").mkdir()
    for name, what in (("registry", "connectors/registry.py"), ("pigeon", "connectors/pigeon")):
        with pytest.raises(ConfigurationError, match=what):
            write_folder(name, "webhook", package)
    assert (package / "registry.py").read_text() == "ours"
    assert list((package / "pigeon").iterdir()) == []


def test_command_says_what_is_wrong_and_ends_with_2(capsys):
    """The shell sees that nothing was made, and why."""
    assert scaffold.main(["twilio_sms"]) == 2
    assert "connectors/twilio_sms is there already" in capsys.readouterr().err
