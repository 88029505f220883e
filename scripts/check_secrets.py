"""
Looks for secrets in what is committed: ``python scripts/check_secrets.py [--write]``.

detect-secrets looks; ``.secrets.baseline`` holds, as hashes, what people looked at and found harmless (made-up
passwords of tests, examples of vendors). Prints whatever is new and exits 1; ``--write`` takes what is there into it.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from detect_secrets.core import baseline
from detect_secrets.core.secrets_collection import SecretsCollection
from detect_secrets.settings import transient_settings

if TYPE_CHECKING:
    from collections.abc import Sequence

ROOT: Final = Path(__file__).parents[1]
BASELINE: Final = ".secrets.baseline"
# Hashes of packages, pictures, and fixtures with vendors' made-up ids.
LEFT_OUT: Final = (
    r"(?:^|/)(?:requirements[^/]*\.txt|package-lock\.json|[^/]*\.(?:png|svg|webp|ico|sql)|\.secrets\.baseline)$",
    r"^tests/(?:corpus|golden)/",
    r"/fixtures/",
)
PROCESSES: Final = 2
# Whatever a hub is run with, and the two that find what has no shape. All 27 take twice as long.
DETECTORS: Final = (
    *("AWSKeyDetector", "AzureStorageKeyDetector", "BasicAuthDetector", "GitHubTokenDetector", "JwtTokenDetector"),
    *("PrivateKeyDetector", "SlackDetector", "StripeDetector", "TwilioKeyDetector", "KeywordDetector"),
    *("Base64HighEntropyString", "HexHighEntropyString"),
)


def main(arguments: Sequence[str]) -> int:
    """Compare what is committed with the baseline; return 1 where something is new."""
    names = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True).stdout
    found = scan(ROOT, [name for name in names.decode().split("\0") if name and (ROOT / name).is_file()])
    if "--write" in arguments:
        (ROOT / BASELINE).write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        return 0
    known = json.loads((ROOT / BASELINE).read_text())
    new = unknown(found, known)
    for line in new:
        print(line)
    if not new:
        print(f"secrets: {len(names.split(bytes(1))) - 1} files, nothing that is not in {BASELINE}")
    return 1 if new else 0


def scan(root: Path, names: Sequence[str]) -> dict[str, list[dict[str, str]]]:
    """
    Look into files.

    Args:
        root: Where the names begin.
        names: Paths below it; those of ``LEFT_OUT`` are skipped.

    Returns:
        For each file what looks like a secret: its kind and SHA-1, never itself. Lines are left out: they move.
    """
    filters = [{"path": "detect_secrets.filters.regex.should_exclude_file", "pattern": list(LEFT_OUT)}]
    config = {"plugins_used": _plugins(), "filters_used": [*filters, *_FILTERS]}
    with transient_settings(config):
        secrets = SecretsCollection(root=str(root))
        secrets.scan_files(*names, num_processors=PROCESSES)
        found = baseline.format_for_output(secrets)["results"]
    return {
        name: sorted(
            ({"type": one["type"], "sha1": one["hashed_secret"], "line": str(one["line_number"])} for one in some),
            key=lambda one: (one["type"], one["sha1"]),
        )
        for name, some in sorted(found.items())
    }


def unknown(found: dict[str, list[dict[str, str]]], known: dict[str, list[dict[str, str]]]) -> list[str]:
    """Return a line for each secret that the baseline does not hold for the same file."""
    seen = {(name, one["type"], one["sha1"]) for name, some in known.items() for one in some}
    return [
        f"{name}:{one['line']}: {one['type']}: take it out, or look at it and run scripts/check_secrets.py --write"
        for name, some in found.items()
        for one in some
        if (name, one["type"], one["sha1"]) not in seen
    ]


def _plugins() -> list[dict[str, object]]:
    limits = {"Base64HighEntropyString": 4.5, "HexHighEntropyString": 3.0}
    return [{"name": name} | ({"limit": limits[name]} if name in limits else {}) for name in DETECTORS]


_FILTERS: Final = [
    {"path": f"detect_secrets.filters.{name}"}
    for name in (
        "allowlist.is_line_allowlisted",
        "heuristic.is_indirect_reference",
        "heuristic.is_likely_id_string",
        "heuristic.is_not_alphanumeric_string",
        "heuristic.is_potential_uuid",
        "heuristic.is_prefixed_with_dollar_sign",
        "heuristic.is_sequential_string",
        "heuristic.is_templated_secret",
    )
]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
