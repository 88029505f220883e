"""
Our own security rules over the Python we ship: ``python scripts/check_security.py [FILE ...]``.

Each rule reads one file's syntax tree. Prints one line a fault and exits 1 where there is one. What bandit and ruff
already say is not said again; the rules here know how this code base is built (docs/decisions/0034).
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).parents[1]
FOLDERS: Final = ("api", "connectors", "hub")
# Whoever may open HTTP connections: each checks where it goes, or goes where the installation's operator said.
HTTP_CLIENTS: Final = {
    "connectors/http.py": "vendors' fixed addresses",
    "connectors/downloads.py": "the guarded fetch of files",
    "connectors/slack/wire.py": "Slack's own SDK, and uploads to Slack's file host",
    "connectors/twilio/transport.py": "Twilio's own SDK",
    "connectors/gmail/line.py": "Google's own SDK, to Gmail's origin alone",
    "hub/embedded/runfile.py": "our own port on this computer",
    "hub/signin/issuers/fetching.py": "issuers the operator named, each address checked",
    "hub/push/sending.py": "push services, each address checked",
}
_HTTP_MODULES: Final = frozenset({"requests", "httpx", "aiohttp", "urllib3", "urllib.request", "http.client"})
_SQL: Final = re.compile(r"\s*(?:SELECT|INSERT\s+INTO|UPDATE|DELETE\s+FROM|WITH|MERGE|TRUNCATE)\s", re.IGNORECASE)
_DRIVER_CALLS: Final = frozenset({"execute", "executemany", "fetch", "fetchrow", "fetchval", "cursor", "prepare"})
_LOG_CALLS: Final = frozenset({"debug", "info", "warning", "error", "exception", "critical"})
# Names of what is private. ``*_id``, ``*_bytes`` and counts about them are facts and may be logged.
_PRIVATE: Final = re.compile(
    r"(?:^|_)(?:body|text|html|subject|preview|password|secret|token|cookie|authorization|email|phone|recipient|"
    r"credentials|payload|content)$"
)
_SECRET: Final = re.compile(r"(?:^|_)(?:mac|hmac|signature|secret|password|token|csrf|verifier)$")
_REASON: Final = re.compile(r"#.*\b(?:loop|edge): \S")


@dataclass(frozen=True)
class Fault:
    """One place that breaks a rule."""

    path: str
    line: int
    rule: str
    text: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.text}"


@dataclass(frozen=True)
class Source:
    """One file, read."""

    path: str
    tree: ast.Module
    lines: Sequence[str]


Rule = Callable[[Source], Iterator[tuple[int, str]]]


def main(arguments: Sequence[str]) -> int:
    """Check the files named, or all we ship; return 1 where there is a fault."""
    paths = [Path(one).resolve() for one in arguments] or sorted(shipped())
    faults = [fault for path in paths for fault in check(path)]
    for fault in faults:
        print(fault)
    if not faults:
        print(f"security rules: {len(RULES)} rules, {len(paths)} files, no fault")
    return 1 if faults else 0


def shipped() -> Iterator[Path]:
    """Give every Python file that an installation runs."""
    for folder in FOLDERS:
        yield from (path for path in (ROOT / folder).rglob("*.py") if not path.name.startswith("test_"))


def check(path: Path) -> Iterator[Fault]:
    """Hold one file to every rule."""
    name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name
    yield from check_text(path.read_text(encoding="utf-8"), name)


def check_text(text: str, name: str) -> Iterator[Fault]:
    """Hold a file's text to every rule; ``name`` is its path from the root."""
    source = Source(name, ast.parse(text, name), text.splitlines())
    for rule, look in RULES.items():
        for line, words in look(source):
            yield Fault(name, line, rule, words)


def _sql_is_constant(source: Source) -> Iterator[tuple[int, str]]:
    """Values go in as parameters; text that is put together is a way in."""
    for call in _calls(source.tree):
        if _called(call) in _DRIVER_CALLS and isinstance(call.func, ast.Attribute) and call.args:
            made = call.args[0]
            if _is_put_together(made) and _SQL.match(_beginning(made)) and not _is_excused(source, made, "S608"):
                yield made.lineno, "SQL is put together; use $1 parameters in queries.sql."


def _http_is_guarded(source: Source) -> Iterator[tuple[int, str]]:
    """A second HTTP client is a second place where SSRF has to be thought of."""
    if source.path in HTTP_CLIENTS:
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Import):
            names = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module or "", *(f"{node.module}.{one.name}" for one in node.names)]
        else:
            continue
        if any(name in _HTTP_MODULES or name.partition(".")[0] in _HTTP_MODULES for name in names):
            yield node.lineno, "HTTP only through the guarded clients (HTTP_CLIENTS in scripts/check_security.py)."


def _logs_name_nothing_private(source: Source) -> Iterator[tuple[int, str]]:
    """A field or value that is called like something private probably is."""
    for call in _calls(source.tree):
        if _called(call) not in _LOG_CALLS or not _is_logger(call.func):
            continue
        named = [(word.arg, word.value) for word in call.keywords]
        for name, value in [*named, *((None, value) for value in call.args)]:
            found = [name or "", *(_names_in(value))]
            if private := next((one for one in found if _PRIVATE.search(one)), None):
                yield call.lineno, f"{private} looks private and is logged."


def _broad_except_says_why(source: Source) -> Iterator[tuple[int, str]]:
    """Swallowing everything is for loops and edges, and they say what they do then."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.ExceptHandler):
            continue
        names = [node.type] if not isinstance(node.type, ast.Tuple) else node.type.elts
        broad = any(one is None or (isinstance(one, ast.Name) and one.id in _BROAD) for one in names)
        if broad and not _REASON.search(source.lines[node.lineno - 1]) and not _raises_again(node):
            yield node.lineno, 'except Exception needs "# loop: why" (or edge:), or to raise again.'


def _secrets_compare_in_constant_time(source: Source) -> Iterator[tuple[int, str]]:
    """``==`` tells by its time how much was right; ``hmac.compare_digest`` does not."""
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Compare) or not all(isinstance(op, (ast.Eq, ast.NotEq)) for op in node.ops):
            continue
        sides = [node.left, *node.comparators]
        if any(isinstance(one, ast.Constant) for one in sides):
            continue  # "is it there at all", and kinds by name
        if any(_SECRET.search(_last_name(one.func if isinstance(one, ast.Call) else one)) for one in sides):
            yield node.lineno, "Secrets are compared by hmac.compare_digest."


def _no_shell(source: Source) -> Iterator[tuple[int, str]]:
    """A shell reads what it is given as a program."""
    for call in _calls(source.tree):
        shell = next((word.value for word in call.keywords if word.arg == "shell"), None)
        on = shell is not None and not (isinstance(shell, ast.Constant) and shell.value is False)
        if on or _dotted(call.func) in _SHELLS:
            yield call.lineno, "No shell: give the program and its arguments as a list."


def _tenant_is_set_in_one_place(source: Source) -> Iterator[tuple[int, str]]:
    """``app.ws_set`` decides whose rows are seen; only ``hub/db.py`` sets it, for the transaction only."""
    if source.path == "hub/db.py":
        return
    for node in ast.walk(source.tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SETS_TENANT.search(node.value):
            yield node.lineno, "Only hub/db.py says whose rows a transaction sees."


RULES: Final[dict[str, Rule]] = {
    "sql-is-constant": _sql_is_constant,
    "http-is-guarded": _http_is_guarded,
    "logs-name-nothing-private": _logs_name_nothing_private,
    "broad-except-says-why": _broad_except_says_why,
    "secrets-compare-in-constant-time": _secrets_compare_in_constant_time,
    "no-shell": _no_shell,
    "tenant-is-set-in-one-place": _tenant_is_set_in_one_place,
}
_BROAD: Final = frozenset({"Exception", "BaseException"})
_SHELLS: Final = frozenset({"os.system", "os.popen", "asyncio.create_subprocess_shell", "subprocess.getoutput"})
_SETS_TENANT: Final = re.compile(r"set_config\(\s*'app\.|\bSET\s+(?:LOCAL\s+|SESSION\s+)?app\.", re.IGNORECASE)


def _calls(tree: ast.AST) -> Iterator[ast.Call]:
    return (node for node in ast.walk(tree) if isinstance(node, ast.Call))


def _called(call: ast.Call) -> str:
    return _last_name(call.func)


def _last_name(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return node.attr
    return node.id if isinstance(node, ast.Name) else ""


def _dotted(node: ast.AST) -> str:
    if isinstance(node, ast.Attribute):
        return f"{_dotted(node.value)}.{node.attr}"
    return node.id if isinstance(node, ast.Name) else ""


def _is_logger(function: ast.AST) -> bool:
    return isinstance(function, ast.Attribute) and re.search(r"log(?:ger)?$", _last_name(function.value)) is not None


def _names_in(value: ast.expr) -> list[str]:
    """The name of what is logged; not of what it is asked about (``len(body)``, ``token.id``)."""
    if isinstance(value, ast.JoinedStr):
        return [_last_name(one.value) for one in value.values if isinstance(one, ast.FormattedValue)]
    return [_last_name(value)]


def _is_put_together(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(one, ast.FormattedValue) for one in node.values)
    if isinstance(node, ast.BinOp):
        return isinstance(node.op, (ast.Add, ast.Mod))
    return isinstance(node, ast.Call) and _called(node) in ("format", "join", "replace")


def _beginning(node: ast.expr) -> str:
    """The first constant text of something put together."""
    found = next((one for one in ast.walk(node) if isinstance(one, ast.Constant) and isinstance(one.value, str)), None)
    return str(found.value) if found is not None else ""


def _is_excused(source: Source, node: ast.expr, code: str) -> bool:
    last = node.end_lineno or node.lineno
    return any(f"noqa: {code}" in line for line in source.lines[node.lineno - 1 : last])


def _raises_again(node: ast.ExceptHandler) -> bool:
    return isinstance(node.body[-1], ast.Raise)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
