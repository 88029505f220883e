"""How findings are shown: words for a terminal, JSON for programs, and the exit code for both."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from hub.doctor.model import Level

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hub.doctor.model import Finding

_COLOURS = {Level.OK: "32", Level.WARNING: "33", Level.FAULT: "31"}
_MARKS = {Level.OK: "ok", Level.WARNING: "WARNING", Level.FAULT: "FAULT"}
_INDENT = " " * 9


class Report(msgspec.Struct, frozen=True):
    """What ``hub doctor --json`` prints."""

    faults: int
    warnings: int
    findings: list[Finding]


def exit_code(findings: Sequence[Finding]) -> int:
    """Return 0 when nothing needs doing, 1 for warnings, 2 for faults."""
    levels = {finding.level for finding in findings}
    return 2 if Level.FAULT in levels else 1 if Level.WARNING in levels else 0


def as_json(findings: Sequence[Finding]) -> str:
    """Write one JSON object."""
    report = Report(_count(findings, Level.FAULT), _count(findings, Level.WARNING), list(findings))
    return msgspec.json.encode(report).decode()


def as_text(findings: Sequence[Finding], *, in_colour: bool) -> str:
    """Write what is good first, what needs doing last and with its remedy: the end is what a terminal shows."""
    ordered = sorted(findings, key=lambda finding: list(Level).index(finding.level))
    lines = [line for finding in ordered for line in _lines(finding, in_colour=in_colour)]
    faults, warnings = _count(findings, Level.FAULT), _count(findings, Level.WARNING)
    verdict = f"{_amount(faults, 'fault')}, {_amount(warnings, 'warning')}." if faults + warnings else "Nothing to do."
    return "\n".join([*lines, "", f"{verdict} {_count(findings, Level.OK)} looks found all well."])


def _lines(finding: Finding, *, in_colour: bool) -> list[str]:
    mark = f"{_MARKS[finding.level]:8}"
    if in_colour:
        mark = f"\x1b[{_COLOURS[finding.level]}m{mark}\x1b[0m"
    head = f"{mark} {finding.title}" + (f" ({finding.detail})" if finding.detail else "")
    return [head, f"{_INDENT}→ {finding.what_to_do}"] if finding.what_to_do else [head]


def _count(findings: Sequence[Finding], level: Level) -> int:
    return sum(finding.level is level for finding in findings)


def _amount(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
