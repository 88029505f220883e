"""Every quality rule that a program checks can fail: a good channel, with one thing wrong in it."""

from __future__ import annotations

import re
import shutil
import sys

import pytest

from connectors.quality import RULES
from scripts.check_connectors import check, main
from scripts.connector_kit.rules import CHECKS, EXEMPTIONS
from scripts.connector_kit.scaffold import write_folder
from tests.connectors_page import CHANNEL, write_files

NO_WAIT = """

async def _quick(request: Request):
    try:
        return await _ask(request)
    except ConnectorError as error:
        info = error.info
        {change}
        raise ConnectorError(info) from error
"""


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """The folder as the scaffold writes it; sorting its imports takes a moment."""
    return write_folder(CHANNEL, "webhook", tmp_path_factory.mktemp("written"))


@pytest.fixture
def folder(tmp_path, monkeypatch, written):
    """The channel that docs/connectors.md builds."""
    package = tmp_path / f"channels_{abs(hash(tmp_path.name))}"
    monkeypatch.syspath_prepend(str(tmp_path))
    made = shutil.copytree(written, package / CHANNEL)
    write_files(made, package=package.name)
    yield made
    for module in [one for one in sys.modules if one.startswith(package.name)]:
        del sys.modules[module]


def faults(folder) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for fault in check(folder, folder.parent.name):
        assert str(fault).startswith(f"connectors/{CHANNEL}: {fault.rule}: ")
        found.setdefault(fault.rule, []).append(fault.text)
    return found


def plant(folder, name: str, old: str, new: str) -> None:
    path = folder / name
    assert old in path.read_text(), f"{name} does not hold {old!r}"
    path.write_text(path.read_text().replace(old, new))


def plant_answer(folder, rule: str, answer: str) -> None:
    head, table, answers = (folder / "manifest.toml").read_text().partition("[quality]\n")
    given, count = re.subn(rf"^{rule} = .*$", f'{rule} = "{answer}"', answers, flags=re.MULTILINE)
    assert count == 1
    (folder / "manifest.toml").write_text(head + table + given)


def remove(folder, *names: str) -> None:
    for name in names:
        for end in (".in.json", ".out.json"):
            (folder / "fixtures" / f"{name}{end}").unlink()


def wrap_ask(folder, change: str) -> None:
    """Put a wrapper around the request helper of the channel."""
    plant(folder, "client.py", "import Request, ask\n", "import Request\nfrom connectors.http import ask as _ask\n")
    path = folder / "client.py"
    path.write_text(path.read_text().replace("await ask(", "await _quick(") + NO_WAIT.format(change=change))


def test_good_channel_has_no_fault(folder):
    """The channel of the page keeps what it says."""
    assert faults(folder) == {}


def test_every_rule_is_planted_below():
    """A rule that no test here can make fail would be a rule nobody checks."""
    assert set(CHECKS) == set(RULES)
    assert {rule for rule, _, _ in PLANTED} == set(RULES)


PLANTED = [
    ("signature-verified", "with byte", lambda f: plant(f, "verify.py", 'if not hmac.compare_digest(ours.encode(), theirs.encode("utf-8", "replace")):', "if not theirs or not ours:")),
    ("signature-verified", "no signature", lambda f: plant(f, "verify.py", "import hmac", "import hmac\nimport sys") or plant(f, "verify.py", '    theirs = request', '    if "x-signalbox-signature" not in request.headers:\n        return None\n    theirs = request') or plant(f, "verify.py", "or not sent_at.isdecimal()", "") or plant(f, "verify.py", "int(sent_at[:12])", 'int(sent_at[:12] or "0")')),
    ("signature-verified", "no key", lambda f: plant(f, "verify.py", "if not secret or", "if not secret:\n        return None\n    if")),
    ("signature-verified", "there is no verify", lambda f: plant(f, "__init__.py", "    verify=verify.verify,\n", "")),
    ("every-event-type-has-fixture", "moved.in.json is missing", lambda f: plant(f, "manifest.toml", '"delivered"]\nsetup', '"delivered", "moved"]\nsetup')),
    ("every-event-type-has-fixture", "is not read as", lambda f: plant(f, "fixtures/message.out.json", "my order?", "my parcel?")),
    ("every-event-type-has-fixture", "lists no events", lambda f: plant(f, "manifest.toml", 'events = ["message", "edited", "deleted", "delivered"]', "")),
    ("unknown-event-is-unsupported", "no fixture shows", lambda f: remove(f, "unsupported")),
    ("unknown-event-is-unsupported", "must raise UnsupportedPayload", lambda f: plant(f, "parse.py", 'UnsupportedPayload("', 'MalformedPayload("')),
    ("rate-limit-honoured", "takes nothing", lambda f: plant(f, "render.py", "return [Charge(", "return [] and [Charge(")),
    ("rate-limit-honoured", "costs nothing", lambda f: plant(f, "render.py", "cost=float(parts)", "cost=0.0")),
    ("rate-limit-honoured", "has no [[limits", lambda f: plant(f, "manifest.toml", "[[limits.box]]\nrate = 60.0\nper_s = 60.0\nburst = 20\n", "") or plant(f, "render.py", "limits[\"box\"]", "()")),
    ("retry-after-honoured", "must wait 7 s", lambda f: wrap_ask(f, "info = ConnectorErrorInfo(info.klass, info.code, info.message)")),
    ("retry-after-honoured", "must be RATE_LIMITED", lambda f: wrap_ask(f, "info = ConnectorErrorInfo(ErrorClass.AUTH, info.code, info.message)")),
    ("credentials-checked-before-save", "there is no check", lambda f: plant(f, "__init__.py", "    check=client.check,\n", "")),
    ("credentials-checked-before-save", "takes keys", lambda f: plant(f, "client.py", "    answer = await ask(Request(vendor=VENDOR, method", "    return Checked()\n    answer = await ask(Request(vendor=VENDOR, method")),
    ("credentials-checked-before-save", "without asking", lambda f: plant(f, "client.py", "    answer = await ask(Request(vendor=VENDOR, method", "    raise ConnectorError(classify(ValueError()))\n    answer = await ask(Request(vendor=VENDOR, method")),
    ("reauth-path", "must be AUTH", lambda f: wrap_ask(f, "info = ConnectorErrorInfo(ErrorClass.RATE_LIMITED, info.code, info.message, info.retry_after_s)")),
    ("reauth-path", "for a success", lambda f: plant(f, "client.py", "tuple([await _send_part(account, call) for call in calls])", '("m-1",)')),
    ("receipts", "which no fixture shows", lambda f: plant(f, "manifest.toml", 'receipts = ["delivered"]', 'receipts = ["delivered", "read"]')),
    ("receipts", "is empty", lambda f: plant(f, "manifest.toml", 'receipts = ["delivered"]', "receipts = []")),
    ("media-in", "no fixture shows", lambda f: plant_answer(f, "media-in", "done")),
    ("media-in", "there is no fetch", lambda f: plant_answer(f, "media-in", "done")),
    ("media-out", "is false", lambda f: plant_answer(f, "media-out", "done")),
    ("media-out", "drops the file", lambda f: plant_answer(f, "media-out", "done") or plant(f, "manifest.toml", "text_limit = 2000", "text_limit = 2000\nattachments = true")),
    ("edits", "kind 'edit'", lambda f: remove(f, "edited") or plant(f, "manifest.toml", '"edited", ', "")),
    ("deletes", "kind 'delete'", lambda f: remove(f, "deleted") or plant(f, "manifest.toml", '"deleted", ', "")),
    ("threads", "more than its sender", lambda f: [plant(f, f"fixtures/{name}.out.json", "w-77/order 12", "w-77") for name in ("message", "edited", "deleted", "delivered")] and plant(f, "parse.py", 'f"{event.writer.id}/{event.topic}"', "event.writer.id")),
    ("text-limit-split", "loses, cuts or reorders", lambda f: plant(f, "render.py", "enumerate(split_text(message.text, PART_LIMIT_CHARS))", "enumerate(split_text(message.text, PART_LIMIT_CHARS)[:3])")),
    ("text-limit-split", "loses, cuts or reorders", lambda f: plant(f, "render.py", "enumerate(split_text(message.text, PART_LIMIT_CHARS))", "enumerate(message.text[at : at + 500] for at in range(0, len(message.text), 500))")),
    ("text-limit-split", "must be CONTENT", lambda f: plant(f, "render.py", 'ErrorClass.CONTENT, "too_long"', 'ErrorClass.PERMANENT, "too_long"')),
    ("backfill", "there is no poll", lambda f: plant_answer(f, "backfill", "done")),
    ("log-once-when-down-once-when-up", "client.py logs by itself", lambda f: plant(f, "client.py", "import msgspec\n", "import msgspec\nfrom hub import log\n")),
    ("log-once-when-down-once-when-up", "render.py logs by itself", lambda f: plant(f, "render.py", "import hashlib\n", "import hashlib\nimport logging\n")),
    ("known-limits-documented", "has no section", lambda f: plant(f, "README.md", "Known limits", "What else")),
    ("known-limits-documented", "says nothing", lambda f: (f / "README.md").write_text("# Signal Box\n\n**Known limits.** None.\n")),
    ("replay-safe", "change with the time", lambda f: plant(f, "parse.py", "RawItem(key=kind.id", 'RawItem(key=f"{kind.id}@{request.received_at}"')),
    ("replay-safe", "must differ", lambda f: plant(f, "parse.py", "RawItem(key=kind.id", 'RawItem(key=""')),
    ("replay-safe", "the items differ", lambda f: plant(f, "parse.py", "occurred_at=event.at", "occurred_at=datetime.now(event.at.tzinfo)")),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "words", "planting"), PLANTED, ids=[f"{rule}-{words}" for rule, words, _ in PLANTED])
def test_planted_fault_is_found(folder, rule, words, planting):
    """One thing wrong, and its rule says so."""
    planting(folder)
    assert any(words in text for text in faults(folder).get(rule, [])), faults(folder)


@pytest.mark.parametrize("rule", sorted(EXEMPTIONS))
def test_exemption_that_the_manifest_contradicts_is_found(folder, rule):
    """A channel cannot be exempt from what its own manifest says it has."""
    for capability in ("attachments", "edit", "delete"):
        plant(folder, "manifest.toml", "text_limit = 2000", f"text_limit = 2000\n{capability} = true")
    plant_answer(folder, rule, "exempt: we would rather not")
    if rule == "backfill":
        plant(folder, "manifest.toml", 'transport = "webhook"', 'transport = "poll"')
    assert any("says that it applies" in text for text in faults(folder)[rule])


def test_todo_is_listed_and_not_looked_at(folder, capsys):
    """What is not built is said, and is no fault."""
    remove(folder, "unsupported")
    plant_answer(folder, "unknown-event-is-unsupported", "todo")
    assert faults(folder) == {}
    assert f"todo  {CHANNEL}: unknown-event-is-unsupported" in capsys.readouterr().out


def test_code_that_fails_is_a_fault(folder):
    """A channel that cannot be imported, or raises, is named; the others are still checked."""
    plant(folder, "render.py", "common = ", "common = {}[1] or ")
    assert "KeyError: 1" in faults(folder)["text-limit-split"]
    (folder / "__init__.py").write_text("import nothing_of_that_name")
    for module in [one for one in sys.modules if one.startswith(folder.parent.name)]:
        del sys.modules[module]
    assert "nothing_of_that_name" in faults(folder)["import"][0]


def test_command_prints_a_line_a_fault_and_ends_with_1(folder, capsys):
    """The shell sees every fault and a code that stops a build; a good folder and ours end with 0."""
    assert main([str(folder.parent)]) == 0
    plant(folder, "README.md", "Known limits", "What else")
    for module in [one for one in sys.modules if one.startswith(folder.parent.name)]:
        del sys.modules[module]
    assert main([str(folder.parent)]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [f'connectors/{CHANNEL}: known-limits-documented: README.md has no section "Known limits".'] == printed
    assert main([]) == 0
    assert main([str(folder)]) == 1


def test_missing_rule_is_a_fault(folder):
    """A rule nobody answered is named with its place."""
    plant(folder, "manifest.toml", 'threads = "done"\n', "")
    (text,) = faults(folder)["quality.threads"]
    assert "manifest.toml, quality.threads" in text
