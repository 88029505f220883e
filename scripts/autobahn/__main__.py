"""Runs Autobahn|Testsuite's fuzzing client against both socket paths and judges what it says."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import shutil
import sys
import tempfile
from pathlib import Path

import uvloop

from scripts.autobahn import report
from scripts.autobahn.echo_hub import PATHS, echoing

HOW = """\
Autobahn|Testsuite is not installed here. It needs CPython 2.7, for which PyPI has autobahntestsuite 25.10.1:

    python2.7 -m pip install virtualenv==20.15.1
    python2.7 -m virtualenv FOLDER && FOLDER/bin/pip install autobahntestsuite==25.10.1
    WSTEST=FOLDER/bin/wstest scripts/conformance

Nothing of it belongs into this project's environment."""


def main() -> int:
    """Return 0 when every case is OK, NON-STRICT or INFORMATIONAL; 1 when not; 2 where the suite is missing."""
    parser = argparse.ArgumentParser(prog="scripts/conformance", description=__doc__)
    parser.add_argument("--cases", default="*", help="patterns of case numbers, e.g. '1.*,7.1.5'; all when left out")
    parser.add_argument("--path", action="append", choices=PATHS, help="one of the two socket paths; both by default")
    parser.add_argument("--keep", type=Path, help="folder for the suite's own reports")
    options = parser.parse_args()
    wstest = os.environ.get("WSTEST") or shutil.which("wstest")
    if wstest is None:
        print(HOW, file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory(prefix="hub-conformance-") as folder:
        out = options.keep or Path(folder)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            for path in options.path or PATHS:
                (out / path).mkdir(parents=True, exist_ok=True)
                runner.run(_fuzz(wstest, path, options.cases.split(","), out / path))
        cases = [case for path in options.path or PATHS for case in report.read(path, out / path / "index.json")]
    print(report.table(cases))
    bad = [case for case in cases if not case.is_good]
    for case in bad:
        print(f"{case.path} {case.number}: {case.behavior}, closing {case.closing}, code {case.code}")
    if options.cases == "*" and not options.path:
        report.write(cases)
    return 1 if bad or not cases else 0


async def _fuzz(wstest: str, path: str, cases: list[str], out: Path) -> None:
    async with echoing(path) as port:
        spec = {
            "outdir": str(out),
            "servers": [{"agent": path, "url": f"ws://127.0.0.1:{port}/ws"}],
            "cases": cases,
            "exclude-cases": [],
            "exclude-agent-cases": {},
        }
        (out / "spec.json").write_text(json.dumps(spec))
        with (out / "wstest.log").open("wb") as log:
            command = (wstest, "--mode", "fuzzingclient", "--spec", str(out / "spec.json"))
            process = await asyncio.create_subprocess_exec(*command, cwd=out, stdout=log, stderr=log)
            try:
                code = await process.wait()
            finally:
                if process.returncode is None:
                    process.kill()
        if code != 0:
            print((out / "wstest.log").read_text()[-2000:], file=sys.stderr)
            raise SystemExit(2)


if __name__ == "__main__":
    sys.exit(main())
