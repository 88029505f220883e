"""What ``hub audit`` does: checks the chains, signs their heads, shows the key. Called by the ``hub`` command."""

from __future__ import annotations

from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from hub.audit import actions, heads_file, store
from hub.audit.chain import KEY_PURPOSE, HeadKeys, is_signed
from hub.audit.model import INSTALLATION, Filters
from hub.audit.verify import MOST_FINDINGS, ChainWalk, Fault, Finding
from hub.channels.sealing import Sealer, read_keys
from hub.db import Database
from hub.embedded.secret import KEY_FILE
from hub.errors import ConfigurationError
from hub.operator import reached

if TYPE_CHECKING:
    import argparse
    from collections.abc import AsyncIterator, Callable

    from hub.audit.model import Head
    from hub.config import Settings

# Entries, and signed heads, read at a time.
PAGE: Final = 1_000


class ChainReport(msgspec.Struct, frozen=True):
    """
    What was found of one chain.

    Attributes:
        entries: How many were checked.
        heads: Signed heads they were compared with.
        unsealed: Entries too young to have a place; nothing can be said of them.
    """

    workspace_id: int
    entries: int
    heads: int
    unsealed: int
    findings: list[Finding]


class Wanted(msgspec.Struct, frozen=True):
    """Which chains to check; ``since`` is a copy of heads: begin at the newest of each chain, trust what was before."""

    workspace_id: int | None = None
    since: Path | None = None


def add_options(parser: argparse.ArgumentParser) -> None:
    """Add what can be said after ``hub audit``."""
    commands = parser.add_subparsers(title="actions", required=True, metavar="ACTION", dest="action")
    verify = commands.add_parser("verify", help="check that no entry was changed, taken out, put in or moved")
    verify.add_argument(
        "--workspace", type=int, default=None, metavar="ID", help="only this one; 0 is the installation"
    )
    verify.add_argument("--since", type=Path, default=None, metavar="FILE", help="begin at the heads of this copy")
    verify.add_argument("--json", action="store_true", help="print a JSON object a chain")
    commands.add_parser("sign", help="sign the newest entry of each chain now, and add it to the file of heads")
    commands.add_parser("key", help="print the public key (Ed25519) that heads are checked with")


async def run(settings: Settings, options: argparse.Namespace, say: Callable[[str], None]) -> bool:
    """
    Do one of the actions.

    Args:
        settings: Of this installation.
        options: As parsed.
        say: Prints a line.

    Returns:
        Whether all is well.
    """
    if options.action == "key":
        say(_keys(settings).newest.hex())
        return True
    if options.action == "sign":
        signed = await sign(settings)
        say(f"{len(signed)} heads signed, in {settings.data_dir / heads_file.FOLDER / heads_file.HEADS}")
        return True
    is_well = True
    async for report in verify(settings, Wanted(options.workspace, options.since)):
        is_well = is_well and not report.findings
        say(msgspec.json.encode(report).decode() if options.json else describe(report))
    return is_well


async def sign(settings: Settings) -> list[Head]:
    """Seal what waits, sign every chain that grew, and copy the heads to the file; returns them."""
    keys = _keys(settings)
    async with _opened(settings) as database:
        while await actions.seal_all(database, PAGE):
            pass
        heads = await actions.sign_heads(database, keys)
        await actions.copy_heads(database, settings.data_dir, heads, keys.newest)
    return heads


async def verify(settings: Settings, wanted: Wanted) -> AsyncIterator[ChainReport]:
    """
    Check chains one after the other, in memory that does not grow with them.

    Args:
        settings: Of this installation.
        wanted: Which.

    Yields:
        A report a chain.
    """
    trusted = _keys(settings).public_keys | heads_file.read_keys_file(settings.data_dir)
    ours = settings.data_dir / heads_file.FOLDER / heads_file.HEADS
    files = list(heads_file.read_heads(ours)) if wanted.since is None else []
    since = list(heads_file.read_heads(wanted.since)) if wanted.since is not None else []
    if wanted.since is not None and not since:
        raise ConfigurationError(f"There are no heads in {wanted.since}.")
    async with _opened(settings) as database:
        stored = {one.workspace_id for one in await store.chains(database)}
        chains = stored | {one.workspace_id for one in (*files, *since)}
        for workspace_id in sorted(chains if wanted.workspace_id is None else {wanted.workspace_id}):
            if workspace_id not in stored and await _has_ended(database, workspace_id):
                continue
            ours_of_it = [one for one in files if one.workspace_id == workspace_id]
            theirs = [one for one in since if one.workspace_id == workspace_id]
            start = max((one.position for one in theirs), default=1)
            known = _Known([*ours_of_it, *theirs], start, trusted, frozenset(one.position for one in ours_of_it))
            yield await _verify_chain(database, workspace_id, known)


def describe(report: ChainReport) -> str:
    """Say a report in lines."""
    name = "installation" if report.workspace_id == INSTALLATION else f"workspace {report.workspace_id}"
    state = f"{len(report.findings)} faults" if report.findings else "whole"
    waiting = f", {report.unsealed:,} not sealed yet" if report.unsealed else ""
    lines = [f"{name}: {state}; {report.entries:,} entries, {report.heads:,} signed heads{waiting}"]
    for one in report.findings:
        last = f"-{one.last_position:,}" if one.last_position != one.position else ""
        lines.append(f"  {one.fault.value:<12} {one.position:,}{last}  {one.entry_id}  {one.message}".rstrip())
    return "\n".join(lines)


class _Known(msgspec.Struct, frozen=True):
    """
    What is known of one chain from outside the database.

    Attributes:
        copied: Heads.
        start: The place to begin at.
        trusted: Whose signatures count.
        in_file: Positions of the heads in our own file; empty where it is not looked at.
    """

    copied: list[Head]
    start: int
    trusted: frozenset[bytes]
    in_file: frozenset[int]


async def _has_ended(database: Database, workspace_id: int) -> bool:
    """Whether a chain that is gone went with its workspace, as the installation's own chain says."""
    ended = Filters(action="workspace.erased", target_kind="workspace", target_id=str(workspace_id))
    async with database.snapshot([INSTALLATION]) as conn:
        return bool(await store.page(conn, INSTALLATION, ended, limit=1))


async def _verify_chain(database: Database, workspace_id: int, known: _Known) -> ChainReport:
    stored = await _stored_heads(database, workspace_id, known.start)
    heads: dict[int, Head] = {}
    findings: list[Finding] = []
    for one in (*known.copied, *stored):
        if not is_signed(one, known.trusted) or heads.get(one.position, one).hash != one.hash:
            findings.append(_forged(one))
        elif one.position >= known.start:
            heads[one.position] = one
    findings.extend(_missing(workspace_id, known.in_file, {one.position for one in stored}))
    # Before the entries: what is sealed meanwhile only makes the chain longer.
    async with database.snapshot([workspace_id]) as conn:
        end = await store.tail(conn, workspace_id)
    marks = {end.position: end, **heads} if end is not None else heads
    walk = ChainWalk(workspace_id, marks, known.start if known.start in heads else 1)
    first = known.start if known.start in heads else 1
    while True:
        async with database.snapshot([workspace_id]) as conn:
            entries = await store.links(conn, workspace_id, first, PAGE)
            unsealed = await store.count_unsealed(conn, workspace_id)
        for entry in entries:
            walk.feed(entry)
        if len(entries) < PAGE:
            break
        first = (entries[-1].position or 0) + 1
    findings.extend(walk.finish())
    return ChainReport(workspace_id, walk.entries, len(heads), unsealed.entries, findings)


async def _stored_heads(database: Database, workspace_id: int, first: int) -> list[Head]:
    found: list[Head] = []
    while True:
        async with database.snapshot([workspace_id]) as conn:
            page = await store.heads(conn, workspace_id, found[-1].position + 1 if found else first, PAGE)
        found.extend(page)
        if len(page) < PAGE:
            return found


def _missing(workspace_id: int, in_file: frozenset[int], stored: set[int]) -> list[Finding]:
    """Compare the file with the table; heads after the file's newest are another machine's, copied when this signs."""
    if not in_file:
        return []
    from_file = sorted(one for one in stored - in_file if one < max(in_file))
    from_table = sorted(in_file - stored)
    return [
        *(_of_head(workspace_id, Fault.MISSING_HEAD, one, "is not in the file of heads") for one in from_file),
        *(_of_head(workspace_id, Fault.MISSING_HEAD, one, "is not in the table of heads") for one in from_table),
    ][:MOST_FINDINGS]


def _forged(head: Head) -> Finding:
    text = "the signature of this head is not good, its key is not known here, or another one says otherwise"
    return _of_head(head.workspace_id, Fault.FORGED_HEAD, head.position, text)


def _of_head(workspace_id: int, fault: Fault, position: int, text: str) -> Finding:
    return Finding(
        workspace_id=workspace_id,
        fault=fault,
        position=position,
        last_position=position,
        entry_id="",
        message=text,
    )


def _keys(settings: Settings) -> HeadKeys:
    path = settings.data_dir / KEY_FILE
    secret = settings.secret_key or (path.read_text().strip() if path.exists() else "")
    return HeadKeys(Sealer(read_keys(secret)).derive_keys(KEY_PURPOSE))


@asynccontextmanager
async def _opened(settings: Settings) -> AsyncIterator[Database]:
    async with reached(settings) as stores:
        database = await Database.open_patiently(stores.database_url, lambda _: None, max_size=2)
        try:
            yield database
        finally:
            await database.close()
