"""Names the package registry an installer could not reach, read from its own log and configuration.

Usage: unreachable.py pip|npm LOG. Prints the host and exits 0 when the network was the cause, else exits 1.
Runs on whatever Python starts scripts/run, before any package is installed.
"""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

NETWORK_FAULTS = (
    r"Failed to establish a new connection|Max retries exceeded|Temporary failure in name resolution|"
    r"Name or service not known|Network is unreachable|No route to host|Connection refused|ProxyError|"
    r"NewConnectionError|NameResolutionError|ConnectTimeout|ReadTimeoutError|"
    r"ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ENETUNREACH|EHOSTUNREACH|ETIMEDOUT"
)
NAMED_HOSTS = (r"host='([^']+)'", r"https?://([^/\s:'\"]+)")
PIP_DEFAULT = "from pip._internal.models.index import PyPI; print(PyPI.url)"
CONFIGURED = {
    "pip": ((sys.executable, "-m", "pip", "config", "get", "global.index-url"), (sys.executable, "-c", PIP_DEFAULT)),
    "npm": (("npm", "config", "get", "registry"),),
}


def unreachable_host(tool: str, log: str) -> str | None:
    """
    Find the host that could not be reached.

    Args:
        tool: ``pip`` or ``npm``.
        log: What it printed.

    Returns:
        The host, None when the log shows no network fault.
    """
    faults = [line for line in log.splitlines() if re.search(NETWORK_FAULTS, line)]
    if not faults:
        return None
    for pattern in NAMED_HOSTS:
        for line in reversed(faults):
            if match := re.search(pattern, line):
                return match[1]
    return _configured_host(tool)


def _configured_host(tool: str) -> str:
    """Ask the tool which registry it uses."""
    for command in CONFIGURED[tool]:
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            continue
        if done.returncode == 0 and (host := urlsplit(done.stdout.strip()).hostname):
            return host
    return f"The package registry of {tool}"


if __name__ == "__main__":
    found = unreachable_host(sys.argv[1], Path(sys.argv[2]).read_text(errors="replace"))
    if found is None:
        sys.exit(1)
    print(found)
