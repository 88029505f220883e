"""
Writes ``docs/channels.md`` from the channels' manifests and READMEs: ``python scripts/gen_channels.py [--check]``.

The capability matrix, what each channel handles and what it does not, and its set-up guide, step by step.
"""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from connectors.registry import ConnectorRegistry  # noqa: E402  the root is where we are, not where we are called

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from connectors.base import Capabilities, Connector, Field

PAGE: Final = ROOT / "docs" / "channels.md"
_UNITS: Final = {"chars": "characters", "utf16": "UTF-16 units", "bytes": "bytes"}
_TRANSPORTS: Final = {
    "webhook": "the vendor calls us",
    "poll": "we ask",
    "socket": "we hold a connection",
    "own": "our own sockets",
}
_COLUMNS: Final[Mapping[str, Callable[[Capabilities], str]]] = {
    "text out": lambda one: f"{one.text_limit:,} {_UNITS[one.text_limit_unit]}",
    "receipts": lambda one: ", ".join(one.receipts) or "–",
    "files out": lambda one: _files(one) if one.attachments else "–",
    "we edit": lambda one: _yes(one.edit),
    "we delete": lambda one: _yes(one.delete),
    "we react": lambda one: _yes(one.react),
    "typing in / out": lambda one: f"{_yes(one.typing_in)} / {_yes(one.typing_out)}",
    "we write first": lambda one: _yes(one.start_conversation),
    "we call": lambda one: _yes(one.call),
}
_HEAD: Final = """# Channels

What each channel can do, what it reads, and how to connect it. Made by `scripts/gen_channels.py` from the folders in
`connectors/`; do not edit. To write a channel of your own, read [connectors.md](connectors.md). No vendor's live
service was called for this: all is tested against the emulators in `scripts/emulators/`, which check our requests.
"""


def main(arguments: Sequence[str]) -> int:
    """Write the page, or with ``--check`` say whether it is as it would be written."""
    text = page(ConnectorRegistry.load())
    if "--check" not in arguments:
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == text:
        return 0
    print("docs/channels.md is not what the manifests say: run scripts/gen_channels.py.")
    return 1


def page(registry: ConnectorRegistry) -> str:
    """Return the whole page."""
    connectors = [registry.get(one.id) for one in registry.manifests()]
    connectors.sort(key=lambda one: (one.manifest.rank, one.manifest.name))
    return (
        "\n".join((_HEAD, *_matrix(connectors), "", *(line for one in connectors for line in _channel(one)))).rstrip()
        + "\n"
    )


def _matrix(connectors: Sequence[Connector]) -> list[str]:
    rows = [f"| channel | comes in | {' | '.join(_COLUMNS)} |", f"|{'---|' * (len(_COLUMNS) + 2)}"]
    for one in connectors:
        manifest = one.manifest
        cells = [column(manifest.capabilities) for column in _COLUMNS.values()]
        name = f"[{manifest.name}](#{_anchor(manifest.name)})"
        rows.append(f"| {name} | {_TRANSPORTS[manifest.transport]} | {' | '.join(cells)} |")
    return rows


def _channel(connector: Connector) -> list[str]:
    manifest = connector.manifest
    readme = (ROOT / "connectors" / manifest.id / "README.md").read_text(encoding="utf-8")
    lines = [f"## {manifest.name}", "", manifest.summary, ""]
    lines += [f"{number}. {step}" for number, step in enumerate(manifest.setup_steps, 1)]
    lines += ["", *_fields(manifest.credentials, manifest.settings)]
    handled = ", ".join(f"`{one}`" for one in manifest.events) or "everything over our own sockets"
    lines += ["", f"**Reads** ({len(manifest.events)}): {handled}."]
    lines += ["", *(f"{text}\n" for text in _sections(readme, ("Known limits", "Not handled")))]
    lines += [f"Folder `connectors/{manifest.id}`; facts read {manifest.read_on} at <{manifest.docs_url}>.", ""]
    return lines


def _fields(credentials: Sequence[Field], settings: Sequence[Field]) -> list[str]:
    rows = [(one, "kept encrypted") for one in credentials] + [(one, "") for one in settings]
    if not rows:
        return []
    lines = ["| field | | |", "|---|---|---|"]
    for one, kept in rows:
        notes = [kept, "made by the hub" if one.generated else "", "" if one.required or one.generated else "optional"]
        notes_text = ", ".join(note for note in notes if note)
        lines.append(f"| {one.label} | {one.help.replace('|', chr(92) + '|')} | {notes_text} |")
    return lines


def _sections(readme: str, names: Sequence[str]) -> list[str]:
    """Return the paragraphs or sections of a README that begin with one of these names, as written there."""
    found = []
    for name in names:
        paragraph = re.search(rf"^\*\*{name}\b.*?(?=\n\n|\Z)", readme, re.DOTALL | re.MULTILINE)
        section = re.search(rf"^#+ {name}\b[^\n]*\n(.*?)(?=^#|\Z)", readme, re.DOTALL | re.MULTILINE)
        if paragraph is not None:
            found.append(_above(paragraph[0]))
        elif section is not None:
            found.append(_above(f"**{name}.**\n\n{section[1].strip()}"))
    return found


def _above(text: str) -> str:
    """Let a README's links work one folder over."""
    return text.replace("](../../docs/", "](").replace("](../../", "](../")


def _files(one: Capabilities) -> str:
    limit = f"{one.attachment_limit_bytes / 1_000_000:g} MB" if one.attachment_limit_bytes else "yes"
    return f"{limit}, {one.attachment_limit_count} at once" if one.attachment_limit_count else limit


def _yes(is_so: bool) -> str:  # noqa: FBT001  a cell of a table
    return "yes" if is_so else "–"


def _anchor(name: str) -> str:
    """As GitHub makes them."""
    return re.sub(r"[^\w\- ]", "", name.lower()).replace(" ", "-")


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
