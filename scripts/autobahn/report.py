"""What the suite said, counted by section, and the table of it in docs/conformance.md."""

from __future__ import annotations

import json
from collections import Counter
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.hub_processes import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

PAGE = ROOT / "docs" / "conformance.md"
BEGIN, END = "<!-- results: written by scripts/conformance -->", "<!-- end of results -->"

# The suite's own sections.
SECTIONS = {
    1: "framing",
    2: "pings and pongs",
    3: "reserved bits",
    4: "opcodes",
    5: "fragmentation",
    6: "UTF-8",
    7: "closing",
    9: "limits and speed, up to 16 MiB",
    10: "automatic fragmentation",
    12: "permessage-deflate, different payloads",
    13: "permessage-deflate, different parameters",
}
# The offer of compression is declined, which leaves these sections nothing to test.
DECLINED = frozenset({12, 13})
SHOWN = ("OK", "NON-STRICT", "INFORMATIONAL", "UNIMPLEMENTED")


class Case(msgspec.Struct, frozen=True):
    """One case on one path, in the suite's words; ``code`` is that of our close frame."""

    path: str
    number: str
    behavior: str
    closing: str
    code: int | None

    @property
    def section(self) -> int:
        return int(self.number.partition(".")[0])

    @property
    def is_good(self) -> bool:
        """Whether it conforms: what the suite calls failed, unclean or a wrong code does not."""
        allowed = {"OK", "NON-STRICT", "INFORMATIONAL"} | ({"UNIMPLEMENTED"} if self.section in DECLINED else set())
        return self.behavior in allowed and self.closing in {"OK", "INFORMATIONAL"}


def read(path: str, index: Path) -> list[Case]:
    """Read the suite's index of one path's run."""
    said = json.loads(index.read_text())[path]
    return [
        Case(path, number, one["behavior"], one["behaviorClose"], one["remoteCloseCode"])
        for number, one in said.items()
    ]


def table(cases: Iterable[Case]) -> str:
    """Count cases by path, section and result, as a table in Markdown."""
    counts: Counter[tuple[str, int, str]] = Counter()
    for case in cases:
        counts[case.path, case.section, case.behavior if case.is_good else "bad"] += 1
    lines = [
        "| path | section | cases | OK | non-strict | informational | declined | failed |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for path, section in sorted({(path, section) for path, section, _ in counts}):
        by_result = [counts[path, section, result] for result in (*SHOWN, "bad")]
        cells = (path, f"{section} {SECTIONS[section]}", sum(by_result), *by_result)
        lines.append(f"| {' | '.join(map(str, cells))} |")
    return "\n".join(lines)


def notable(cases: Iterable[Case]) -> str:
    """Name the cases that are good but not plainly OK, compression left out."""
    lines = []
    for result in ("NON-STRICT", "INFORMATIONAL"):
        found: dict[str, list[str]] = {}
        for case in cases:
            if case.behavior == result:
                found.setdefault(case.path, []).append(case.number)
        said = "; ".join(f"{path}: {', '.join(sorted(numbers, key=_key))}" for path, numbers in found.items())
        lines.append(f"{result}: {said or 'none'}.")
    return "\n".join(lines)


def write(cases: list[Case]) -> None:
    """Put table and notable cases into the page, between its marks."""
    page = PAGE.read_text()
    before, _, rest = page.partition(BEGIN)
    _, _, after = rest.partition(END)
    PAGE.write_text(f"{before}{BEGIN}\n\n{table(cases)}\n\n{notable(cases)}\n\n{END}{after}")


def _key(number: str) -> tuple[int, ...]:
    return tuple(int(part) for part in number.split("."))
