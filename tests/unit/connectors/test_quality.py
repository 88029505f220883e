"""The quality answers of a manifest: all rules, three kinds of answers, and the place of whatever is wrong."""

from __future__ import annotations

import pytest

from connectors.quality import RULES, Answer, Given, read_quality
from connectors.registry import FOLDER, ConnectorRegistry
from hub.errors import ConfigurationError

GOOD = dict.fromkeys(RULES, "done")
# What is not built yet in a channel that ships; shorter only.
KNOWN_TODO = {"livechat": {"edits", "deletes"}}


def write(folder, answers: dict[str, object]):
    lines = [f"{rule} = {answer!r}" for rule, answer in answers.items()]
    (folder / "manifest.toml").write_text("\n".join(['id = "pigeon"', "[quality]", *lines]))
    return folder


def test_read_quality_knows_three_answers(tmp_path):
    """Done, todo, and exempt with its reason, in the order of the rules."""
    answers = GOOD | {"edits": "todo", "media-in": "exempt: pigeons carry paper only"}
    read = read_quality(write(tmp_path, answers))
    assert list(read) == list(RULES)
    assert read["edits"] == Given(Answer.TODO)
    assert read["media-in"] == Given(Answer.EXEMPT, "pigeons carry paper only")
    assert read["threads"] == Given(Answer.DONE)


@pytest.mark.parametrize(
    ("rule", "answer", "words"),
    [
        ("edits", "yes", "must be"),
        ("edits", True, "must be"),
        ("edits", "", "must be"),
        ("edits", "Done", "must be"),
        ("edits", "exempt", "must be"),
        ("edits", "exempt:", "without a reason"),
        ("edits", "exempt: no", "without a reason"),
        ("edits", None, "is missing"),
        ("edites", "done", "is not a quality rule"),
    ],
)
def test_read_quality_names_the_place(tmp_path, rule, answer, words):
    """A rule left out, misspelt or answered in other words is named with file and field."""
    answers = {name: one for name, one in (GOOD | {rule: answer}).items() if one is not None}
    text = write(tmp_path, answers)
    path = text / "manifest.toml"
    path.write_text(path.read_text().replace("True", "true"))
    with pytest.raises(ConfigurationError, match=words) as caught:
        read_quality(tmp_path)
    assert caught.value.field == f"quality.{rule}"
    assert f"manifest.toml, quality.{rule}" in caught.value.message


def test_read_quality_wants_the_table(tmp_path):
    """A manifest without answers, and one that is no TOML, are refused."""
    (tmp_path / "manifest.toml").write_text('id = "pigeon"')
    with pytest.raises(ConfigurationError, match="quality"):
        read_quality(tmp_path)
    (tmp_path / "manifest.toml").write_text("id = pigeon")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        read_quality(tmp_path)


def test_shipped_channels_have_no_unknown_todo():
    """What ships is finished, or known not to be."""
    for manifest in ConnectorRegistry.load().manifests():
        answers = read_quality(FOLDER / manifest.id)
        todo = {rule for rule, given in answers.items() if given.answer is Answer.TODO}
        assert todo <= KNOWN_TODO.get(manifest.id, set()), manifest.id
