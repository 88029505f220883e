"""
Makes ``hub/accounts/breached_passwords.bin``: the passwords that turn up most often in leaks, as sorted short hashes.

    python scripts/make_breached_passwords.py FOLDER_OF_ZXCVBN FILE_OF_ZXCVBN_TS

Sources, both MIT: ``zxcvbn`` 4.5.0 of PyPI (``zxcvbn/frequency_lists.py``) and ``@zxcvbn-ts/language-common`` 4.1.3 of
npm (``src/passwords.json``). Run by hand when the list is renewed; docs/accounts.md says where it comes from.
"""

from __future__ import annotations

import json
import runpy
import sys
from pathlib import Path

from hub.accounts.passwords import BREACHED_FILE, breached_digest

_CONTENTS = 2


def main(arguments: list[str]) -> int:
    if len(arguments) != _CONTENTS:
        print(__doc__)
        return 2
    lists = runpy.run_path(str(Path(arguments[0]) / "frequency_lists.py"))["FREQUENCY_LISTS"]
    words = {*lists["passwords"], *json.loads(Path(arguments[1]).read_text("utf-8"))}
    digests = sorted({breached_digest(word) for word in words if len(word) > 3})
    BREACHED_FILE.write_bytes(b"".join(digests))
    print(f"{len(words)} passwords, {len(digests)} kept, {BREACHED_FILE.stat().st_size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
