"""Each of our security rules catches what it is for, and lets pass what is right."""

from __future__ import annotations

import subprocess
import sys

import pytest

from scripts import check_security
from scripts.check_secrets import scan, unknown

PLANTED = {
    "sql-is-constant": [
        "async def f(conn, name):\n    await conn.execute(f\"SELECT 1 FROM member WHERE name = '{name}'\")",
        'async def f(conn, name):\n    await conn.fetch("DELETE FROM member WHERE name = " + name)',
        'async def f(conn, name):\n    await conn.fetchval("select %s" % name)',
        'async def f(conn, name):\n    await conn.fetchrow("SELECT {}".format(name))',
    ],
    "http-is-guarded": [
        "import requests",
        "def f():\n    import httpx",
        "from urllib import request",
        "from http.client import HTTPConnection",
    ],
    "logs-name-nothing-private": [
        'def f(log, message):\n    log.info("got", text=message)',
        'def f(self, token):\n    self._log.warning("bad", value=token)',
        'def f(logger, body):\n    logger.error(f"cannot read {body}")',
        'def f(log, member):\n    log.info("in", who=member.email)',
    ],
    "broad-except-says-why": [
        "try:\n    f()\nexcept Exception:\n    pass",
        "try:\n    f()\nexcept (ValueError, Exception):  # never mind\n    pass",
        "try:\n    f()\nexcept:\n    pass",
    ],
    "secrets-compare-in-constant-time": [
        "def f(given, mac):\n    return given == mac",
        "def f(row, self):\n    return row.token != self.sign()",
        "def f(given, self):\n    return self.signature() == given",
    ],
    "no-shell": [
        "import subprocess\nsubprocess.run('ls', shell=True)",
        "import subprocess\nsubprocess.run('ls', shell=wanted)",
        "import os\nos.system('ls')",
    ],
    "tenant-is-set-in-one-place": [
        "async def f(conn):\n    await conn.execute(\"SELECT set_config('app.ws_set', '{1,2}', false)\")",
        "SQL = 'SET LOCAL app.ws_set = 1'",
    ],
}
RIGHT = """
import hmac
from hub.db import Database
async def f(conn, log, name, mac, body):
    await conn.execute("SELECT 1 FROM member WHERE name = $1", name)
    log.info("got", size_bytes=len(body), token_id=1, kind="message")
    try:
        hmac.compare_digest(mac, name)
    except Exception:  # loop: the next one is served
        log.exception("failed")
    except BaseException:
        raise
    return mac == "" or name == "token"
"""


@pytest.mark.parametrize(("rule", "text"), [(rule, text) for rule, texts in PLANTED.items() for text in texts])
def test_planted_fault_is_found(rule, text):
    """The fault is named with its rule and line."""
    found = {(fault.rule, fault.path) for fault in check_security.check_text(text, "hub/planted.py")}
    assert (rule, "hub/planted.py") in found


def test_every_rule_has_a_planted_fault():
    """A rule nobody tried is no rule."""
    assert PLANTED.keys() == check_security.RULES.keys()


def test_right_code_passes():
    """What the rules ask for instead is no fault itself."""
    assert list(check_security.check_text(RIGHT, "hub/right.py")) == []


def test_what_we_ship_has_no_fault(capsys):
    """All files an installation runs, and there are hundreds of them."""
    assert len(list(check_security.shipped())) > 300
    assert check_security.main([]) == 0, capsys.readouterr().out


def test_exemptions_are_still_used():
    """A file that opens no HTTP connection any more leaves the list."""
    for name in check_security.HTTP_CLIENTS:
        text = (check_security.ROOT / name).read_text()
        assert any(fault.rule == "http-is-guarded" for fault in check_security.check_text(text, "hub/other.py")), name


def test_new_secret_is_found_and_a_known_one_is_not(tmp_path):
    """A key in a file is reported once, until somebody has looked at it; it is not repeated in the baseline."""
    key = "AKIA" + "QYLPMN5HFIQR7XYA"
    (tmp_path / "settings.py").write_text(f'A = "{key}"\n')
    (tmp_path / "clean.py").write_text("a = 1\n")
    names = [str(tmp_path / name) for name in ("settings.py", "clean.py")]
    found = scan(tmp_path, names)
    (line,) = unknown(found, {})
    assert line.partition(" ")[0].endswith("settings.py:1:")
    assert "AWS" in line
    assert unknown(found, found) == []
    assert key not in str(found)


def test_bandit_finds_what_it_is_for(tmp_path):
    """With the settings of scripts/check a planted fault ends it."""
    planted = tmp_path / "planted.py"
    planted.write_text("import pickle\n\n\ndef read(data):\n    return pickle.loads(data)\n")
    command = [sys.executable, "-m", "bandit", "-q", "-ll", str(planted)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "B301" in done.stdout
