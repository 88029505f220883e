"""Settings: the environment, read once into a frozen struct. Whatever a customer changes is a row instead."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from hub.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000


class Settings(msgspec.Struct, frozen=True):
    """
    What a process needs to start.

    Attributes:
        host: Address to listen on.
        port: TCP port, 1-65535.
        port_is_set: Whether the operator chose the port (a chosen port that is taken is an error).
        data_dir: Folder of embedded services, logs, key and run files, 0700.
        public_url: Address others reach us at, without a trailing slash; empty means http://localhost:{port}.
        secret_key: Key-encryption key material, 32 bytes or more; empty means the file in ``data_dir``.
        asset_url: Origin that serves hashed assets (a CDN); empty means ourselves.
        database_url: Postgres for the application; empty means embedded.
        database_owner_url: Postgres for migrations; empty means ``database_url``.
        redis_url: Durable Redis (ingress streams only); empty means embedded.
        redis_ephemeral_url: Redis for pub/sub, presence, limits, caches; empty means embedded.
        otlp_traces_url: Where spans go by OTLP/HTTP, ``…/v1/traces``; empty turns tracing off.
        vendor_base_urls: Override of a vendor's API origin per channel, e.g. ``{"twilio_sms": "http://127.0.0.1:9001"}``.
    """

    host: str
    port: int
    port_is_set: bool
    data_dir: Path
    public_url: str
    secret_key: str
    asset_url: str
    database_url: str
    database_owner_url: str
    redis_url: str
    redis_ephemeral_url: str
    vendor_base_urls: dict[str, str]
    otlp_traces_url: str = ""

    @property
    def base_url(self) -> str:
        """The address people open: the public URL, or localhost at our port."""
        return self.public_url or f"http://localhost:{self.port}"


def read_settings(environ: Mapping[str, str] | None = None) -> Settings:
    """
    Read the environment.

    Args:
        environ: Variables to read; the process's own when left out.

    Returns:
        The settings, defaults filled in.

    Raises:
        ConfigurationError: A variable cannot be used; the text names it.
    """
    env = os.environ if environ is None else environ
    database_url = env.get("DATABASE_URL", "")
    return Settings(
        host=env.get("HUB_HOST", DEFAULT_HOST),
        port=_read_port(env.get("HUB_PORT", "")),
        port_is_set=bool(env.get("HUB_PORT")),
        data_dir=_data_dir(env),
        public_url=_read_url("HUB_PUBLIC_URL", env),
        secret_key=env.get("HUB_SECRET_KEY", ""),
        asset_url=_read_url("HUB_ASSET_URL", env),
        database_url=database_url,
        database_owner_url=env.get("DATABASE_OWNER_URL", database_url),
        redis_url=env.get("REDIS_URL", ""),
        redis_ephemeral_url=env.get("REDIS_EPHEMERAL_URL", ""),
        vendor_base_urls=_read_vendor_base_urls(env),
        otlp_traces_url=_read_otlp_url(env),
    )


def _read_port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"HUB_PORT must be a number from 1 to 65535, not {text!r}.", field="HUB_PORT")
    return int(text)


def _read_url(name: str, env: Mapping[str, str]) -> str:
    url = env.get(name, "").rstrip("/")
    if url and not url.startswith(("http://", "https://")):
        raise ConfigurationError(f"{name} must start with http:// or https://, not {url!r}.", field=name)
    return url


def _read_otlp_url(env: Mapping[str, str]) -> str:
    """
    Find the collector, by our own variable or OpenTelemetry's.

    Source:
        OpenTelemetry specification 1.5x, "OpenTelemetry Protocol Exporter": the traces variable is used as it is, the
        general one gets ``v1/traces`` appended; ``OTEL_SDK_DISABLED=true`` turns everything off.
    """
    if env.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return ""
    if not env.get("HUB_OTLP_URL") and env.get("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"):
        return _read_url("OTEL_EXPORTER_OTLP_TRACES_ENDPOINT", env)
    name = "HUB_OTLP_URL" if env.get("HUB_OTLP_URL") else "OTEL_EXPORTER_OTLP_ENDPOINT"
    url = _read_url(name, env)
    return f"{url}/v1/traces" if url else ""


def _data_dir(env: Mapping[str, str]) -> Path:
    if chosen := env.get("HUB_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    base = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(base) / "hub"


def _read_vendor_base_urls(env: Mapping[str, str]) -> dict[str, str]:
    """Variables HUB_VENDOR_URL_<CHANNEL> point a connector at an emulator or a regional endpoint."""
    prefix = "HUB_VENDOR_URL_"
    return {name[len(prefix) :].lower(): _read_url(name, env) for name in env if name.startswith(prefix)}
