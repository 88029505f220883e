"""docker-compose.yml, .env.example and the Dockerfile agree with each other, with the hub, and with what is safe."""

from __future__ import annotations

import re

import pytest
import yaml

from api.route import Access
from api.routes import ROUTES
from hub.cli import _parser
from hub.config import read_settings
from hub.embedded import cluster, valkey
from tests import compose
from tests.compose import ROOT, Missing

ENVIRON = {
    "HUB_SERVER_NAME": "hub.example.com",
    "HUB_TLS_DIR": "/etc/letsencrypt/live/hub.example.com",
    "HUB_SECRET_KEY": "k" * 48,
    "POSTGRES_PASSWORD": "ownerpassword",
    "HUB_DATABASE_PASSWORD": "loginpassword",
    "VALKEY_PASSWORD": "valkeypassword",
}
OURS = ("migrate", "serve", "work")
PINNED = re.compile(r":\d+\.\d+(\.\d+)?(-[a-z]+(-[a-z]+)?)?$")


@pytest.fixture
def file():
    return compose.read(ENVIRON)


@pytest.fixture
def services(file):
    return file["services"]


def environment(service) -> dict[str, str]:
    return service.get("environment", {})


def test_every_secret_must_be_set():
    """Without one of the six nothing starts, and the words say what it is."""
    for name in ENVIRON:
        for environ in ({one: text for one, text in ENVIRON.items() if one != name}, ENVIRON | {name: ""}):
            with pytest.raises(Missing, match=rf"{name}: .{{10,}}"):
                compose.read(environ)


def test_example_names_every_variable_and_no_secret():
    """.env.example has each variable: those that must be set empty, the others with the default they have."""
    text = (ROOT / ".env.example").read_text()
    named = dict(re.findall(r"^#?([A-Z_]+)=(.*)$", text, re.MULTILINE))
    assert set(named) == set(compose.variables())
    must = {name for name, rest in compose.variables().items() if rest.startswith("?")}
    assert must == set(ENVIRON) == set(re.findall(r"^([A-Z_]+)=$", text, re.MULTILINE))
    for name, rest in compose.variables().items():
        if rest not in ("", "-") and name not in must:
            assert rest == f"-{named[name]}", name


def test_images_are_pinned(services):
    """An upgrade is a change of this file, never a surprise of a pull."""
    images = [service["image"] for service in services.values()]
    stages = re.findall(r"^FROM (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    foreign = [image for image in images if not image.startswith("clientcontact-hub:")] + stages
    assert len(foreign) == 7
    assert [image for image in foreign if not PINNED.search(image)] == []


def test_only_nginx_is_reachable_and_from_this_machine_only_by_default(services):
    """No database, no stream and no hub listens outside; letting the internet in is a decision."""
    published = {name: service["ports"] for name, service in services.items() if "ports" in service}
    assert published == {"nginx": ["127.0.0.1:80:8080", "127.0.0.1:443:8443"]}
    opened = compose.read(ENVIRON | {"HUB_BIND": "0.0.0.0", "HUB_HTTPS_PORT": "8443"})["services"]["nginx"]["ports"]
    assert opened == ["0.0.0.0:80:8080", "0.0.0.0:8443:8443"]


def test_networks_keep_nginx_from_the_stores(file, services):
    """Who breaks into nginx finds only the hub; the stores have no way out."""
    assert file["networks"]["back"] == {"internal": True}
    of = {name: set(service["networks"]) for name, service in services.items()}
    assert of["nginx"] == {"front"}
    assert [of[name] for name in ("postgres", "valkey-streams", "valkey-ephemeral", "migrate")] == [{"back"}] * 4
    assert {network for networks in of.values() for network in networks} == set(file["networks"])


def test_hub_trusts_nginx_alone(services):
    """The address that may name callers is nginx's own, and nginx's upstream is serve's."""
    address = services["nginx"]["networks"]["front"]["ipv4_address"]
    settings = read_settings(environment(services["serve"]))
    assert settings.trusted_proxies == (f"{address}/32",)
    serve = services["serve"]["networks"]["front"]["ipv4_address"]
    assert environment(services["nginx"])["HUB_UPSTREAM"] == f"{serve}:{settings.port}"


def test_commands_are_commands_of_the_hub(services):
    """What the containers run is what the hub's command line takes."""
    for name in OURS:
        program, *arguments = services[name]["command"]
        assert (program, _parser().parse_args(arguments).run.__name__) == ("hub", f"_{name}")


def test_settings_are_settings_of_the_hub(services):
    """Each process gets its stores, one key and one address; only migrate may change tables."""
    read = {name: read_settings(environment(services[name])) for name in OURS}
    for settings in read.values():
        assert settings.database_url == "postgresql://hub:loginpassword@postgres:5432/hub"
        assert settings.redis_url == "redis://:valkeypassword@valkey-streams:6379/0"
        assert settings.redis_ephemeral_url == "redis://:valkeypassword@valkey-ephemeral:6379/0"
        assert (settings.secret_key, settings.public_url) == ("k" * 48, "https://hub.example.com")
    assert read["migrate"].database_owner_url == "postgresql://hub_owner:ownerpassword@postgres:5432/hub"
    assert [name for name in services if "ownerpassword" in str(environment(services[name]))] == ["postgres", "migrate"]
    assert environment(services["postgres"])["POSTGRES_USER"] == cluster.OWNER_ROLE


def flags(command: list[str]) -> dict[str, str]:
    return dict(zip((one.removeprefix("--") for one in command[1::2]), command[2::2], strict=True))


@pytest.mark.parametrize(("name", "is_durable"), [("valkey-streams", True), ("valkey-ephemeral", False)])
def test_valkeys_promise_what_our_own_do(services, name, is_durable):
    """The one acknowledges only what is on disk and evicts nothing; the other writes no file."""
    memory = valkey.MAXMEMORY_BYTES if is_durable else valkey.EPHEMERAL_MAXMEMORY_BYTES
    wanted = valkey._promises(valkey.ValkeyOptions(is_durable=is_durable, maxmemory_bytes=memory))
    given = flags(services[name]["command"])
    assert given.pop("requirepass") == "valkeypassword"
    # Without an append-only file there is nothing to sync.
    assert {"appendfsync": "always", "client-output-buffer-limit": "pubsub 0 0 0"} | given == wanted | {
        "client-output-buffer-limit": "pubsub 0 0 0"
    }
    assert ("volumes" in services[name]) == is_durable


def test_postgres_runs_with_our_own_settings(services):
    """The log keeps no customer's data, and nothing that makes a commit safe is turned off."""
    command = services["postgres"]["command"]
    given = set(command[2::2])
    assert set(command[1::2]) == {"-c"}
    assert given <= set(cluster.SETTINGS)
    assert {one for one in cluster.SETTINGS if one.startswith("log_") and "timezone" not in one} <= given


def test_start_waits_for_what_it_needs(services):
    """Stores healthy, then migrate done, then the hub, then nginx; everything waited for can say that it is well."""
    needs = {
        name: {on: how["condition"] for on, how in service.get("depends_on", {}).items()}
        for name, service in services.items()
    }
    stores = {"valkey-streams": "service_healthy", "valkey-ephemeral": "service_healthy"}
    assert needs["migrate"] == {"postgres": "service_healthy"}
    assert needs["serve"] == needs["work"] == {"migrate": "service_completed_successfully"} | stores
    assert needs["nginx"] == {"serve": "service_healthy"}
    for waits in needs.values():
        for on, how in waits.items():
            assert ("healthcheck" in services[on]) == (how == "service_healthy")
    assert services["migrate"]["restart"] != "unless-stopped"


def test_volumes_are_declared_and_used(file, services):
    """What must survive is in a volume with a name; what is mounted from here exists."""
    mounts = [mount.split(":") for service in services.values() for mount in service.get("volumes", [])]
    named = {source for source, *_ in mounts if "/" not in source}
    assert named == set(file["volumes"])
    for source, _, mode in [mount for mount in mounts if mount[0].startswith("./")]:
        assert (ROOT / source).is_file()
        assert mode == "ro"


def test_our_containers_may_do_little(services):
    """No root, no capability, no file of the image to write: for the hub's own and, but for its start, for nginx."""
    for name in (*OURS, "nginx"):
        service = services[name]
        assert service["read_only"] is True
        assert service["cap_drop"] == ["ALL"]
        assert service["security_opt"] == ["no-new-privileges:true"]
    assert services["nginx"]["cap_add"] == ["CHOWN", "SETGID", "SETUID"]
    assert not any(service.get("privileged") for service in services.values())
    user = re.findall(r"^USER (\S+)", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert user == ["10001:10001"]


def test_image_is_made_of_what_is_here():
    """Each file the Dockerfile copies exists and is let through by .dockerignore; packages come with their hashes."""
    text = (ROOT / "Dockerfile").read_text()
    kept = {line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")}
    copied = [
        source for line in re.findall(r"^COPY (?!--from)(.+) \S+$", text, re.MULTILINE) for source in line.split()
    ]
    assert len(copied) >= 9
    for source in copied:
        assert (ROOT / source).exists(), source
        assert source.split("/")[0] in kept, source
    assert "*" in (ROOT / ".dockerignore").read_text().splitlines()
    assert "--require-hashes -r requirements.txt" in text
    assert "npm ci" in text


def test_template_has_a_value_for_every_name(services):
    """A name nobody sets would stay in nginx's configuration as it is."""
    text = (ROOT / "scripts/deploy/nginx.conf.template").read_text()
    given = environment(services["nginx"])
    wanted = set(re.findall(r"\$\{(\w+)\}", re.sub(r"^\s*#.*$", "", text, flags=re.MULTILINE)))
    assert wanted <= set(given)
    assert all(re.match(given["NGINX_ENVSUBST_FILTER"], name) for name in wanted)
    unused = {name for name in given if not name.startswith("NGINX_ENVSUBST")} - wanted
    assert unused == set()


def test_sockets_and_webhooks_have_their_own_rules():
    """A quiet socket lives for an hour, a vendor's body is not held back, and no call is ever sent twice."""
    text = (ROOT / "scripts/deploy/nginx.conf.template").read_text()
    blocks = dict(re.findall(r"location ([^{]+?) {\n(.*?)\n        }", text, re.DOTALL))
    assert {"proxy_read_timeout 1h;", "proxy_send_timeout 1h;", "proxy_buffering off;"} <= lines(blocks["= /ws"])
    assert {"proxy_request_buffering off;", "proxy_buffering off;"} <= lines(blocks["/webhooks/"])
    assert "proxy_next_upstream off;" in lines(text)
    # One inside a location would drop all those above it, the caller's address among them.
    assert [name for name, block in blocks.items() if "proxy_set_header" in block] == []


def lines(text: str) -> set[str]:
    return {line.strip() for line in text.splitlines()}


def test_parsing_is_not_fooled():
    """The reader used by these tests fills in as Compose does."""
    text = compose.FILE.read_text()
    assert yaml.safe_load(text)["services"]["serve"]["command"][3] == "${HUB_WORKERS:-2}"
    assert compose.read(ENVIRON)["services"]["serve"]["command"][3] == "2"
    assert compose.read(ENVIRON | {"HUB_WORKERS": "5"})["services"]["serve"]["command"][3] == "5"


def slowed_down() -> re.Pattern[str]:
    """The addresses that nginx's zone for guessing covers."""
    text = (ROOT / "scripts/deploy/nginx.conf.template").read_text()
    (found,) = re.findall(r"location ~ (\^\S+) \{\s*limit_req zone=sign_in ", text)
    return re.compile(found)


def test_every_route_where_one_may_guess_is_slowed_down():
    """Whatever is open to anybody and changes something, and every proof of a password or code; nothing else."""
    guessed = {
        route.path
        for route in ROUTES
        if route.method in ("POST", "PUT")
        and route.path.startswith("/api/v1/")
        and (route.access is Access.OPEN or route.path.startswith(("/api/v1/session/", "/api/v1/password")))
    }
    assert {route.path for route in ROUTES if slowed_down().match(route.path)} == guessed
    assert {"/api/v1/session", "/api/v1/session/second-factor", "/api/v1/password-resets"} < guessed


def test_handshakes_have_a_limit_of_their_own():
    """Sockets are limited by address where they begin, and the zone is known."""
    text = (ROOT / "scripts/deploy/nginx.conf.template").read_text()
    (block,) = re.findall(r"location = /ws \{(.*?)\}", text, re.DOTALL)
    assert "limit_req zone=handshakes " in block
    assert re.search(r"limit_req_zone \$binary_remote_addr zone=handshakes:", text)
