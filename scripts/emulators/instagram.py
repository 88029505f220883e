"""Emulates Instagram over scripts/emulators/meta.py. Run: ``python -m scripts.emulators.instagram``."""

from __future__ import annotations

import argparse

from scripts.emulators.meta import Messaging
from scripts.emulators.vendor import serve

INSTAGRAM_ID = "17841400000000001"


def main() -> None:
    """Read the command line and serve until killed."""
    serve(lambda _: Messaging("instagram", INSTAGRAM_ID), argparse.ArgumentParser(description=__doc__))


if __name__ == "__main__":
    main()
