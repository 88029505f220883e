"""
What docker-compose.yml describes, as processes on loopback: its commands, its environment, its nginx configuration.

Only what a network of containers gives is put in place of it: addresses, ports, folders. Postgres runs as the hub's
own embedded one does, on a unix socket.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import redis

from hub.embedded.binaries import find_postgres, find_valkey
from hub.embedded.postgres import EmbeddedPostgres, PostgresOptions
from scripts.benchmarks.hub_processes import free_port
from scripts.benchmarks.services import run_alone
from tests import compose
from tests.compose import ROOT
from tests.integration.scripts.certificate import write_certificate

NAME = "hub.test"
SETUP_TOKEN = "token-of-the-setup-page"
READY_WITHIN_S = 60
PATIENCE_S = 2
CONNECTIONS_PER_ADDRESS = 40


class ComposeStack:
    """
    All services of the file.

    Attributes:
        https_port: Where nginx answers for ``hub.test``.
        http_port: Where it only redirects.
        certificate: What clients trust.
    """

    def __init__(self, folder: Path, **environ: str) -> None:
        self.folder = folder
        self.https_port, self.http_port, self.hub_port = free_port(), free_port(), free_port()
        self.certificate = write_certificate(folder / "tls", NAME)
        self._running: list[subprocess.Popen[bytes]] = []
        self._valkeys: dict[str, int] = {}
        # Kept private, with everything beside it; nginx's workers must get into the folder above.
        stores = folder / "stores"
        self.postgres = EmbeddedPostgres(
            find_postgres(),
            stores / "postgres",
            stores / "run",
            stores / "postgres.log",
            PostgresOptions(is_durable=False),
        )
        self.services: dict[str, Any] = compose.read(
            {
                "HUB_SERVER_NAME": NAME,
                "HUB_PUBLIC_PORT": f":{self.https_port}",
                "HUB_TLS_DIR": str(folder / "tls"),
                "HUB_SECRET_KEY": "k" * 48,
                "POSTGRES_PASSWORD": "ownerpassword",
                "HUB_DATABASE_PASSWORD": "loginpassword",
                "VALKEY_PASSWORD": "valkeypassword",
                "HUB_SETUP_TOKEN": SETUP_TOKEN,
                "HUB_CONNECTIONS_PER_ADDRESS": str(CONNECTIONS_PER_ADDRESS),
            }
        )["services"]
        self._extra = environ

    @property
    def public_url(self) -> str:
        """Where people would open it."""
        return f"https://{NAME}:{self.https_port}"

    def start(self) -> None:
        """Start everything in the order of ``depends_on``."""
        for name in ("valkey-streams", "valkey-ephemeral"):
            self._start_valkey(name)
        self.start_database()
        for name in ("serve", "work"):
            self._start(name, self._command(name), self._environ(name))
        self._wait_for(self._is_serve_healthy, "serve")
        self._start("nginx", self._nginx(self.folder / "nginx"), os.environ)
        self._wait_for(lambda: is_open(self.https_port), "nginx")

    def start_database(self) -> None:
        """Start Postgres as its image does at first, and migrate."""
        self._owner_url = run_alone(self.postgres.start()).owner_url
        self._make_login()
        done = self.run_hub("migrate")
        assert done.returncode == 0, done.stderr

    def run_hub(self, name: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Run a service's command to its end, or another command of the hub in its place."""
        command = [sys.executable, "-m", "hub.cli", *arguments] if arguments else self._command(name)
        return subprocess.run(command, cwd=ROOT, env=self._environ(name), capture_output=True, text=True)

    def run_postgres(self, command: str, **streams: Any) -> None:
        """Run a program of the Postgres image as the runbook gives it."""
        program, *arguments = command.split()
        path = find_postgres().bin_dir / program
        subprocess.run([str(path), f"--host={self._socket_dir()}", *arguments], check=True, timeout=60, **streams)

    def start_nginx(self, **environ: str) -> None:
        """Start another nginx with other values, e.g. for a hub that is away."""
        ports = {environ["NGINX_HTTPS_PORT"]}
        self._start("nginx-2", self._nginx(self.folder / "nginx-2", environ), os.environ)
        self._wait_for(lambda: all(is_open(int(port)) for port in ports), "nginx-2")

    def owner_sql(self, statement: str) -> str:
        """Ask Postgres as the owner."""
        command = [
            "psql",
            "--no-psqlrc",
            "-At",
            "-h",
            str(self._socket_dir()),
            "-U",
            "hub_owner",
            "-d",
            "hub",
            "-c",
            statement,
        ]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()

    def ephemeral_keys(self, pattern: str) -> list[str]:
        """List keys of the Valkey that counts and forgets."""
        url = self._environ("serve")["REDIS_EPHEMERAL_URL"]
        with redis.Redis.from_url(url, decode_responses=True) as client:
            return sorted(client.keys(pattern))

    def log(self, name: str) -> str:
        """Return a process's log so far."""
        return (self.folder / f"{name}.log").read_text()

    def stop(self) -> None:
        """End everything, the newest first."""
        for process in reversed(self._running):
            process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(30)
            if process.poll() is None:
                process.kill()
                process.wait()
        run_alone(self.postgres.stop())

    # ── parts ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _make_login(self) -> None:
        """Run the image's init script in place of the login our own cluster comes with."""
        self.owner_sql("DROP ROLE hub")
        service = self.services["postgres"]
        script = next(one.split(":")[0] for one in service["volumes"] if "docker-entrypoint-initdb.d" in one)
        environ = os.environ | service["environment"] | {"PGHOST": str(self._socket_dir())}
        done = subprocess.run(["sh", str(ROOT / script)], env=environ, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr

    def _start_valkey(self, name: str) -> None:
        port = self._valkeys[name] = free_port()
        folder = self.folder / name
        folder.mkdir()
        program, *arguments = self.services[name]["command"]
        assert program == "valkey-server"
        places = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
        self._start(name, [str(find_valkey().path), *arguments, *places], os.environ)
        self._wait_for(lambda: is_open(port), name)

    def _command(self, name: str) -> list[str]:
        program, *arguments = self.services[name]["command"]
        assert program == "hub"
        return [sys.executable, "-m", "hub.cli", *arguments]

    def _environ(self, name: str) -> dict[str, str]:
        """The service's environment, its containers' names turned into our addresses."""
        there = {
            "@postgres:5432/hub": f"@/hub?host={self._socket_dir()}",
            "172.30.231.10": "127.0.0.1",
            **{f"{valkey}:6379": f"127.0.0.1:{port}" for valkey, port in self._valkeys.items()},
        }
        given = dict(self.services[name]["environment"])
        for old, new in there.items():
            given = {key: value.replace(old, new) for key, value in given.items()}
        given["HUB_DATA_DIR"] = str(self.folder / "data")
        if "HUB_PORT" in given:
            given |= {"HUB_HOST": "127.0.0.1", "HUB_PORT": str(self.hub_port)}
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("HUB_", "DATABASE_", "REDIS_"))}
        return kept | given | self._extra

    def _is_serve_healthy(self) -> bool:
        kind, *command = self.services["serve"]["healthcheck"]["test"]
        assert (kind, command[0]) == ("CMD", "python")
        there = [part.replace(":8000/", f":{self.hub_port}/") for part in command[1:]]
        return subprocess.run([sys.executable, *there], capture_output=True).returncode == 0

    def _nginx(self, folder: Path, environ: dict[str, str] | None = None) -> list[str]:
        service = self.services["nginx"]
        for one in ("temp", "acme"):
            (folder / one).mkdir(parents=True)
        places = {
            "NGINX_USER": "www-data" if os.geteuid() == 0 else "nobody",
            "NGINX_TEMP_DIR": str(folder / "temp"),
            "NGINX_ACME_DIR": str(folder / "acme"),
            "NGINX_TLS_DIR": str(self.folder / "tls"),
            "NGINX_HTTP_PORT": f"127.0.0.1:{self.http_port}",
            "NGINX_HTTPS_PORT": f"127.0.0.1:{self.https_port}",
            "NGINX_PATIENCE": f"{PATIENCE_S}s",
            "HUB_UPSTREAM": f"127.0.0.1:{self.hub_port}",
        }
        given = service["environment"] | places
        if environ:
            given |= {name: f"127.0.0.1:{text}" if name.endswith("_PORT") else text for name, text in environ.items()}
        template = ROOT / "scripts/deploy/nginx.conf.template"
        assert any(
            one.startswith(f"./{template.relative_to(ROOT)}:{given['NGINX_ENVSUBST_TEMPLATE_DIR']}/")
            for one in service["volumes"]
        )
        text = compose.filled_template(template, given, given["NGINX_ENVSUBST_FILTER"])
        (folder / "nginx.conf").write_text(text)
        folder.chmod(0o755)
        program, *arguments = service["command"]
        assert program == "nginx"
        there = [one.replace("/tmp/nginx.conf", str(folder / "nginx.conf")) for one in arguments]
        return [str(find_nginx()), "-e", "stderr", *there]

    def _socket_dir(self) -> Path:
        return Path(self._owner_url.rpartition("host=")[2].partition("&")[0])

    def _start(self, name: str, command: list[str], environ: Any) -> None:
        with (self.folder / f"{name}.log").open("ab") as log:
            self._running.append(subprocess.Popen(command, cwd=ROOT, env=environ, stdout=log, stderr=log))

    def _wait_for(self, condition: Any, name: str) -> None:
        deadline = time.monotonic() + READY_WITHIN_S
        while not condition():
            dead = self._running and self._running[-1].poll() is not None
            assert not dead, f"{name} ended:\n{self.log(name)[-4000:]}"
            assert time.monotonic() < deadline, f"{name} is not ready:\n{self.log(name)[-4000:]}"
            time.sleep(0.05)


def find_nginx() -> str | None:
    """Return nginx's path; Debian keeps it where ordinary users do not look."""
    return shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")


def is_open(port: int) -> bool:
    """Say whether somebody listens on a port of this machine."""
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), 1):
        return True
    return False
