"""
Holds each channel to what its ``[quality]`` table answers: ``python scripts/check_connectors.py [FOLDER]``.

Prints one line a fault and exits 1 where there is one; rules answered "todo" are listed and are no fault.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from connectors.manifest import FILENAME, read_manifest  # noqa: E402  the root is where we are, not where we are called
from connectors.quality import TABLE, Answer, read_quality  # noqa: E402
from connectors.registry import ConnectorRegistry  # noqa: E402
from hub.errors import ConfigurationError  # noqa: E402
from scripts.connector_kit.rules import Fault, faults_of  # noqa: E402
from scripts.connector_kit.subject import Subject  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence


def main(arguments: Sequence[str]) -> int:
    """
    Check every channel.

    Args:
        arguments: The folder of the channels, importable by its own name; ours when left out.

    Returns:
        0, or 1 where a channel does not keep what it says.
    """
    folder = Path(arguments[0]).resolve() if arguments else ROOT / "connectors"
    if folder.parent != ROOT:
        sys.path.insert(0, str(folder.parent))
    channels = sorted(path.parent for path in folder.glob(f"*/{FILENAME}"))
    if not channels:
        print(f"There are no channels in {folder}.")
        return 1
    faults = 0
    for channel in channels:
        for fault in check(channel, folder.name):
            faults += 1
            print(fault)
    return 1 if faults else 0


def check(channel: Path, package: str) -> Iterator[Fault]:
    """
    Check one channel; what it still has to do is printed.

    Args:
        channel: Its folder.
        package: Where the folder is importable from.

    Yields:
        What is wrong.
    """
    try:
        manifest = read_manifest(channel)
        answers = read_quality(channel)
        connector = ConnectorRegistry({channel.name: (channel, manifest)}, package).get(channel.name)
    except ConfigurationError as error:
        yield Fault(channel.name, error.field or TABLE, error.message)
        return
    except Exception as error:  # the channel's own code, which may do anything when it is imported
        yield Fault(channel.name, "import", f"{type(error).__name__}: {error}")
        return
    waiting = [rule for rule, given in answers.items() if given.answer is Answer.TODO]
    if waiting:
        print(f"todo  {channel.name}: {', '.join(waiting)}")
    yield from faults_of(Subject(channel, connector, answers))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
