"""One test bed: durable services, seeded workspaces, and the hub's processes over them."""

from __future__ import annotations

import contextlib
import json
import secrets
import urllib.request
from typing import TYPE_CHECKING

import msgspec

from scripts.benchmarks.forged import Forge, Target
from scripts.benchmarks.hub_processes import HubProcesses, hub_processes
from scripts.benchmarks.seed import EMAIL, PASSWORD, seed
from scripts.benchmarks.services import Services, run_alone, start_services

if TYPE_CHECKING:
    from collections.abc import Iterator


class Bed(msgspec.Struct, frozen=True):
    """What a case runs on."""

    services: Services
    hub: HubProcesses
    targets: list[Target]

    def forge(self, senders: int) -> Forge:
        """Begin a run with ids of its own."""
        return Forge(port=self.hub.port, run=secrets.token_hex(4), targets=self.targets, senders=senders)

    def pids(self) -> dict[str, int]:
        """Whose processor time is told."""
        return self.services.pids | self.hub.pids

    def socket_ticket(self) -> str:
        """Sign in as the first workspace's owner and get a socket ticket."""
        base = f"http://127.0.0.1:{self.hub.port}/api/v1"
        token = _post(f"{base}/session", {"email": EMAIL, "password": PASSWORD, "bearer": True}, "")["token"]
        body = {"workspace_id": self.targets[0].workspace_id}
        return _post(f"{base}/socket-tickets", body, token)["ticket"]


@contextlib.contextmanager
def made_bed(workspaces: int) -> Iterator[Bed]:
    """Make a bed with fsync on, no hub process running yet; call it outside a running event loop."""
    services = start_services(fast=False)
    try:
        with hub_processes(services) as hub:
            targets = run_alone(seed(services, hub.environ["HUB_SECRET_KEY"], workspaces))
            yield Bed(services, hub, targets)
    finally:
        services.stop()


def _post(url: str, body: dict[str, object], token: str) -> dict[str, str]:
    headers = {"content-type": "application/json"} | ({"authorization": f"Bearer {token}"} if token else {})
    request = urllib.request.Request(url, json.dumps(body).encode(), headers)  # noqa: S310  # our own http address
    with urllib.request.urlopen(request, timeout=20) as answer:  # noqa: S310
        return dict(json.load(answer))
