"""Settings: the environment, read once into a frozen struct. Whatever a customer changes is a row instead."""

from __future__ import annotations

import ipaddress
import os
import re
from email.utils import parseaddr
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qs, unquote, urlsplit

import msgspec

from hub.errors import ConfigurationError
from hub.issuer_settings import IssuerSettings, read_issuers
from hub.limit_settings import Limits, read_limits
from hub.oauth_settings import OAuthKeys, read_oauth_apps
from hub.secret_keys import join_keys

if TYPE_CHECKING:
    from collections.abc import Mapping

DEFAULT_HOST = "127.0.0.1"
DEFAULT_PORT = 8000
DEFAULT_MAX_FILE_BYTES = 100 * 1024 * 1024
DEFAULT_RAW_DAYS = 30
DEFAULT_HELLOS_PER_S = 1_000
DEFAULT_RING_MIB = 32
DEFAULT_DRAIN_S = 60.0
# Of Postgres' usual 100: 3 are the superuser's, a work process has 24, and a person wants to look in.
DEFAULT_DATABASE_CONNECTIONS = 60
# Source: RFC 8314 sections 3.3 and 7 (January 2018): 465 begins with TLS, 587 goes over to it; 25 is between servers.
_TLS_PORTS: Final = {"starttls": 587, "tls": 465, "none": 25}


class FileStore(msgspec.Struct, frozen=True):
    """
    Where the bytes of files are kept.

    Attributes:
        url: ``s3://bucket/prefix``; empty means a folder in ``data_dir``.
        endpoint: Address of an S3-compatible store that is not AWS.
        region: Empty means ``us-east-1``.
        access_key: With ``secret_key``; empty means AWS' own ways (environment, instance role).
    """

    url: str = ""
    endpoint: str = ""
    region: str = ""
    access_key: str = ""
    secret_key: str = ""


class SocketLimits(msgspec.Struct, frozen=True):
    """
    Bounds of one process's sockets.

    Attributes:
        hellos_per_s: Most sockets let in a second, 1-100,000; others are told when to come back.
        ring_mib: What all workspaces' newest events may hold in memory for those who come back, 0-64; 0 keeps none.
    """

    hellos_per_s: int = DEFAULT_HELLOS_PER_S
    ring_mib: int = DEFAULT_RING_MIB


class MailServer(msgspec.Struct, frozen=True):
    """
    The SMTP server that takes the hub's own mails.

    Attributes:
        tls: ``starttls`` and ``tls`` insist on it, ``none`` is for this machine and for servers without a password.
        username: With ``password``; empty signs in nowhere.
        sender: ``HUB_MAIL_FROM``: an address, or ``Name <address>``.
    """

    host: str
    port: int
    tls: str
    username: str
    password: str
    sender: str

    def __repr__(self) -> str:
        return f"MailServer(host={self.host!r}, port={self.port}, tls={self.tls!r})"


class Settings(msgspec.Struct, frozen=True):
    """
    What a process needs to start.

    Attributes:
        host: Address to listen on.
        port: TCP port, 1-65535.
        port_is_set: Whether the operator chose the port (a chosen port that is taken is an error).
        data_dir: Folder of embedded services, logs, key and run files, 0700.
        public_url: Address others reach us at, without a trailing slash; empty means http://localhost:{port}.
        secret_key: Key-encryption keys, read by ``hub.secret_keys``; empty means the file in ``data_dir``.
        asset_url: Origin that serves hashed assets (a CDN); empty means ourselves.
        database_url: Postgres for the application; empty means embedded.
        database_owner_url: Postgres for migrations; empty means ``database_url``.
        redis_url: Durable Redis (ingress streams only); empty means embedded.
        redis_ephemeral_url: Redis for pub/sub, presence, limits, caches; empty means embedded.
        raw_days: How long raw items are kept that a file was cut out of, 1-3650.
        allow_private_hosts: Whether members may name servers in private networks, e.g. their own mail server.
        trusted_proxies: Networks whose ``X-Forwarded-For`` names the caller, e.g. ``172.30.231.10/32``.
        otlp_traces_url: Where spans go by OTLP/HTTP, ``…/v1/traces``; empty turns tracing off.
        vendor_base_urls: Override of a vendor's API origin per channel, e.g. ``{"twilio_sms": "http://127.0.0.1:9001"}``.
        files: Where the bytes of files are kept.
        sockets: Bounds of one process's sockets.
        max_file_bytes: Largest file taken from anybody; channels may take less.
        drain_s: How long a serve process may take to end, 0-3600: sockets are sent away over most of it.
        database_connections: Most that all workers of one `hub serve` open to Postgres together.
        mail: Where the hub's own mails go out; None keeps them unsent.
        registration_open: Whether anybody may make an account; else members are invited.
        issuers: Whom people may sign in with instead of a password.
        limits: What a workspace may use that has no limits of its own (``hub.limits``).
        oauth_apps: Our apps at vendors whose channels are connected by signing in there, by channel.
        access_cache: Whether who calls is remembered in the ephemeral Redis; off, Postgres is asked at each call.
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
    files: FileStore = FileStore()
    max_file_bytes: int = DEFAULT_MAX_FILE_BYTES
    raw_days: int = DEFAULT_RAW_DAYS
    allow_private_hosts: bool = False
    trusted_proxies: tuple[str, ...] = ()
    otlp_traces_url: str = ""
    sockets: SocketLimits = SocketLimits()
    drain_s: float = DEFAULT_DRAIN_S
    database_connections: int = DEFAULT_DATABASE_CONNECTIONS
    mail: MailServer | None = None
    registration_open: bool = False
    issuers: tuple[IssuerSettings, ...] = ()
    limits: Limits = Limits()
    access_cache: bool = True
    oauth_apps: dict[str, OAuthKeys] = {}

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
        secret_key=join_keys(env.get("HUB_SECRET_KEY", ""), env.get("HUB_SECRET_KEYS_OLD", "")),
        asset_url=_read_url("HUB_ASSET_URL", env),
        database_url=database_url,
        database_owner_url=env.get("DATABASE_OWNER_URL", database_url),
        redis_url=env.get("REDIS_URL", ""),
        redis_ephemeral_url=env.get("REDIS_EPHEMERAL_URL", ""),
        vendor_base_urls=_read_vendor_base_urls(env),
        files=_read_file_store(env),
        max_file_bytes=_read_max_file_bytes(env.get("HUB_MAX_FILE_BYTES", "")),
        raw_days=_read_number("HUB_RAW_DAYS", env, DEFAULT_RAW_DAYS, "days", range(1, 3651)),
        allow_private_hosts=_read_switch("HUB_ALLOW_PRIVATE_HOSTS", env),
        trusted_proxies=_read_networks("HUB_TRUSTED_PROXIES", env),
        otlp_traces_url=_read_otlp_url(env),
        sockets=SocketLimits(
            hellos_per_s=_read_number("HUB_HELLOS_PER_S", env, DEFAULT_HELLOS_PER_S, "hellos", range(1, 100_001)),
            ring_mib=_read_number("HUB_RING_MIB", env, DEFAULT_RING_MIB, "MiB", range(65)),
        ),
        drain_s=_read_number("HUB_DRAIN_S", env, int(DEFAULT_DRAIN_S), "seconds", range(3601)),
        database_connections=_read_number(
            "HUB_DATABASE_CONNECTIONS", env, DEFAULT_DATABASE_CONNECTIONS, "connections", range(2, 10_001)
        ),
        mail=_read_mail(env),
        registration_open=_read_registration(env),
        issuers=read_issuers(env),
        limits=read_limits(env.get("HUB_LIMITS", "")),
        access_cache=env.get("HUB_ACCESS_CACHE", "on") != "off",
        oauth_apps=read_oauth_apps(env),
    )


def _read_port(text: str) -> int:
    if not text:
        return DEFAULT_PORT
    if not text.isascii() or not text.isdigit() or not 0 < int(text) < 65536:
        raise ConfigurationError(f"HUB_PORT must be a number from 1 to 65535, not {text!r}.", field="HUB_PORT")
    return int(text)


def _read_number(name: str, env: Mapping[str, str], default: int, unit: str, allowed: range) -> int:
    text = env.get(name, "")
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or int(text[:12]) not in allowed:
        least, most = allowed[0], allowed[-1]
        raise ConfigurationError(f"{name} must be a number of {unit} from {least} to {most}, not {text!r}.", field=name)
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


def _read_file_store(env: Mapping[str, str]) -> FileStore:
    url = env.get("HUB_FILES_URL", "").rstrip("/")
    if url and not url.startswith("s3://"):
        raise ConfigurationError(
            f"HUB_FILES_URL must look like s3://bucket/prefix, not {url!r}.", field="HUB_FILES_URL"
        )
    access_key, secret_key = env.get("HUB_FILES_ACCESS_KEY", ""), env.get("HUB_FILES_SECRET_KEY", "")
    if bool(access_key) != bool(secret_key):
        raise ConfigurationError(
            "HUB_FILES_ACCESS_KEY and HUB_FILES_SECRET_KEY belong together.", field="HUB_FILES_ACCESS_KEY"
        )
    return FileStore(
        url=url,
        endpoint=_read_url("HUB_FILES_ENDPOINT", env),
        region=env.get("HUB_FILES_REGION", ""),
        access_key=access_key,
        secret_key=secret_key,
    )


def _read_mail(env: Mapping[str, str]) -> MailServer | None:
    """Read where mails go out; the texts of errors never repeat the URL, which holds a password."""
    url, sender = env.get("HUB_MAIL_URL", ""), env.get("HUB_MAIL_FROM", "")
    if bool(url) != bool(sender):
        raise ConfigurationError("HUB_MAIL_URL and HUB_MAIL_FROM belong together.", field="HUB_MAIL_URL")
    if not url:
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        parts, port = urlsplit(""), None
    modes = parse_qs(parts.query).get("tls", [])
    tls = (modes or ["tls" if parts.scheme == "smtps" else "starttls"])[0]
    if parts.scheme not in ("smtp", "smtps") or not parts.hostname or len(modes) > 1 or tls not in _TLS_PORTS:
        raise ConfigurationError(
            "HUB_MAIL_URL must look like smtp://user:password@host:587?tls=starttls (or tls, or none).",
            field="HUB_MAIL_URL",
        )
    if tls == "none" and parts.password and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
        raise ConfigurationError("HUB_MAIL_URL would send its password in the open.", field="HUB_MAIL_URL")
    address = parseaddr(sender)[1]
    if not re.fullmatch(r"[^\s@<>]+@[^\s@<>]+", address) or not sender.isprintable():
        raise ConfigurationError("HUB_MAIL_FROM must be an address, or Name <address>.", field="HUB_MAIL_FROM")
    return MailServer(
        host=parts.hostname,
        port=port or _TLS_PORTS[tls],
        tls=tls,
        username=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        sender=sender,
    )


def _read_max_file_bytes(text: str) -> int:
    if not text:
        return DEFAULT_MAX_FILE_BYTES
    if not text.isascii() or not text.isdigit() or not 1024 <= int(text[:12]) <= 5_000_000_000:
        raise ConfigurationError(
            f"HUB_MAX_FILE_BYTES must be a number from 1024 to 5,000,000,000, not {text!r}.", field="HUB_MAX_FILE_BYTES"
        )
    return int(text)


def _read_switch(name: str, env: Mapping[str, str]) -> bool:
    text = env.get(name, "").lower()
    if text not in ("", "0", "no", "false", "1", "yes", "true"):
        raise ConfigurationError(f"{name} must be 1 or 0, not {text!r}.", field=name)
    return text in ("1", "yes", "true")


def _read_registration(env: Mapping[str, str]) -> bool:
    text = env.get("HUB_REGISTRATION", "") or "closed"
    if text not in ("open", "closed"):
        raise ConfigurationError("HUB_REGISTRATION must be open or closed.", field="HUB_REGISTRATION")
    return text == "open"


def _read_networks(name: str, env: Mapping[str, str]) -> tuple[str, ...]:
    """Addresses and networks, apart by commas or white space; one that is none would silently trust nobody."""
    found = []
    for text in env.get(name, "").replace(",", " ").split():
        try:
            found.append(str(ipaddress.ip_network(text)))
        except ValueError as error:
            raise ConfigurationError(
                f"{name} must hold addresses or networks like 10.0.0.5 or 10.0.0.0/24, not {text!r}: {error}.",
                field=name,
            ) from error
    return tuple(found)


def _data_dir(env: Mapping[str, str]) -> Path:
    if chosen := env.get("HUB_DATA_DIR"):
        return Path(chosen).expanduser().absolute()
    base = env.get("XDG_DATA_HOME") or str(Path(env.get("HOME", "~")).expanduser() / ".local" / "share")
    return Path(base) / "hub"


def _read_vendor_base_urls(env: Mapping[str, str]) -> dict[str, str]:
    """Variables HUB_VENDOR_URL_<CHANNEL> point a connector at an emulator or a regional endpoint."""
    prefix = "HUB_VENDOR_URL_"
    return {name[len(prefix) :].lower(): _read_url(name, env) for name in env if name.startswith(prefix)}
