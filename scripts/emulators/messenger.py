"""Emulates Messenger over scripts/emulators/meta.py. Run: ``python -m scripts.emulators.messenger``."""

from __future__ import annotations

import argparse

from scripts.emulators.meta import Messaging
from scripts.emulators.vendor import serve

PAGE_ID = "106540352242922"


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Messaging("page", PAGE_ID), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
