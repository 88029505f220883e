"""The command ``hub keys``: what the installation's keys hold, and the change to another. Called by ``cli``."""

from __future__ import annotations

import base64
import secrets
from typing import TYPE_CHECKING

from hub import operator
from hub.channels.sealing import KEY_BYTES, Sealer
from hub.db import Database
from hub.embedded.secret import KEY_FILE
from hub.rotation import actions
from hub.secret_keys import read_keys

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable, Sequence

    from hub.config import Settings
    from hub.rotation.actions import Held


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what the command takes."""
    parser.add_argument(
        "action",
        choices=("status", "rotate", "new"),
        help="status: what each key holds; rotate: everything under the one that writes; new: make one up",
    )


async def run(settings: Settings, options: argparse.Namespace, say: Callable[[str], None]) -> int:
    """
    Do one of the actions; returns 0.

    Raises:
        ConfigurationError: There is no key, or something was sealed by one that is not named any more.
    """
    sealer = Sealer(read_keys(_secret_key(settings)))
    if options.action == "new":
        say(f"{max(sealer.versions) + 1}:{base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()}")
        return 0
    async with operator.reached(settings) as stores:
        database = await Database.open(stores.database_url, lambda _: None, max_size=2)
        try:
            if options.action == "rotate":
                for what, amount in (await actions.rotate(database, sealer)).items():
                    say(f"{amount:>8}  {what}")
                say(
                    f"{await actions.sign_heads(database, sealer, settings.data_dir):>8}  heads of the audit log signed"
                )
            for line in describe(await actions.read_held(database), sealer):
                say(line)
        finally:
            await database.close()
    return 0


def describe(held: Sequence[Held], sealer: Sealer) -> list[str]:
    """Say what each version holds, which are still needed, and what must be known before one is left out."""
    lines = [f"Version {sealer.version} writes; versions {', '.join(map(str, sorted(sealer.versions)))} open."]
    lines += [f"{one.amount:>8}  {one.what}, version {one.version}" for one in held]
    missing = sorted({one.version for one in held} - sealer.versions)
    lines += [f"Version {one} is not named and is needed: put it into HUB_SECRET_KEYS_OLD." for one in missing]
    for version in sorted(sealer.versions - {sealer.version}):
        kinds = sorted({one.what for one in held if one.version == version})
        if kinds:
            lines.append(f"Version {version} is still needed for: {', '.join(kinds)}.")
        else:
            lines.append(f"Version {version} holds nothing that is stored; docs/runbook.md says what ends with it.")
    return lines


def _secret_key(settings: Settings) -> str:
    path = settings.data_dir / KEY_FILE
    return settings.secret_key or (path.read_text().strip() if path.exists() else "")
