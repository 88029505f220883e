"""Starts vendor emulators as processes of their own, for tests; no fixture by itself."""

from __future__ import annotations

import json
import subprocess
import sys
import urllib.request
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
ACCOUNT_SID = "AC" + "0" * 31 + "1"
AUTH_TOKEN = "emulated-token"
NUMBER = "+15559870002"
SERVICE_SID = "MG" + "0" * 31 + "1"


class EmulatedTwilio:
    """A running Twilio emulator with one account, one number and one messaging service."""

    def __init__(self) -> None:
        options = {
            "--account-sid": ACCOUNT_SID,
            "--auth-token": AUTH_TOKEN,
            "--phone-number": NUMBER,
            "--messaging-service-sid": SERVICE_SID,
        }
        command = [sys.executable, "-m", "scripts.emulators.twilio", "--port", "0"]
        command += [part for pair in options.items() for part in pair]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.strip().isdigit(), "the emulator did not start"
        self.port = int(line)
        self.base_url = f"http://127.0.0.1:{self.port}"

    def control(self, op: str, **order: Any) -> Any:
        """Steer it; see ``scripts/emulators/twilio.py``."""
        body = json.dumps({"op": op} | order).encode()
        return self._ask(urllib.request.Request(f"{self.base_url}/_control", data=body, method="POST"))

    def state(self) -> Any:
        """What it was asked, what it has, what it called."""
        return self._ask(urllib.request.Request(f"{self.base_url}/_control"))

    def sends(self) -> list[Any]:
        """Requests to create a message, refused ones too."""
        return [
            one
            for one in self.state()["requests"]
            if one["method"] == "POST" and one["path"].endswith("/Messages.json")
        ]

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, request: urllib.request.Request) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=20) as answer:
            return json.loads(answer.read())


class EmulatedVendor:
    """
    A running emulator built on ``scripts/emulators/vendor.py``.

    Args:
        channel: Its module in ``scripts/emulators``.
        options: Of its command line, ``_`` for ``-``.
    """

    def __init__(self, channel: str, **options: str) -> None:
        command = [sys.executable, "-m", f"scripts.emulators.{channel}", "--port", "0"]
        command += [part for name, value in options.items() for part in (f"--{name.replace('_', '-')}", value)]
        self._process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        assert line.strip().isdigit(), f"the emulator of {channel} did not start"
        self.base_url = f"http://127.0.0.1:{int(line)}"

    def control(self, op: str, **order: Any) -> Any:
        """Steer it; see ``Vendor.steer``."""
        body = json.dumps({"op": op} | order).encode()
        return self._ask(urllib.request.Request(f"{self.base_url}/_control", data=body, method="POST"))

    def state(self) -> Any:
        """What it was asked, what it has, what it called."""
        return self._ask(urllib.request.Request(f"{self.base_url}/_control"))

    def stop(self) -> None:
        """End the process."""
        self._process.kill()
        self._process.wait()
        assert self._process.stdout is not None
        self._process.stdout.close()

    def _ask(self, request: urllib.request.Request) -> Any:
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(request, timeout=60) as answer:
            return json.loads(answer.read())
