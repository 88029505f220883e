"""
Describes a demo for ``hub demo``: whose workspace, which channel accounts, which processes. Prints JSON, the struct
``Kit`` of ``hub/demo/kit.py``.

Run: ``python -m scripts.emulators.kit --seed 1 --reach-at http://127.0.0.1:8000``. Ports are free ones of this moment,
secrets are new ones.
"""

from __future__ import annotations

import argparse
import json
import secrets
import socket

from scripts.emulators.story_texts import CHAT, MAIL, SMS

WORKSPACE = "Juniper & Oak"
DOMAIN = "juniperandoak.example"
NUMBER = "+12125550142"


def describe(seed: int, speed: float, first: int, reach_at: str) -> dict[str, object]:
    """Return the kit; customers begin with number ``first``, calls to webhooks go to ``reach_at``."""
    twilio_port, imap_port, smtp_port, control_port = _free_ports(4)
    account_sid, token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
    address, password = f"hello@{DOMAIN}", secrets.token_urlsafe(18)
    twilio_url = f"http://127.0.0.1:{twilio_port}"
    sms = {"phone_number": NUMBER, "segments_per_second": "100", "demo_url": twilio_url}
    mail = {"address": address, "from_name": WORKSPACE, "imap_host": "127.0.0.1", "imap_port": str(imap_port)}
    mail |= {"imap_security": "none", "smtp_host": "127.0.0.1", "smtp_port": str(smtp_port), "smtp_security": "none"}
    chat = {"title": f"Chat with {WORKSPACE}", "greeting": "Hello! How can we help you furnish?", "color": "#3f6b4f"}
    chat |= {"pre_chat_name": "optional", "pre_chat_email": "off", "identity": "optional"}
    return {
        "workspace": WORKSPACE,
        "owner": {"name": "Robin Vale", "email": f"robin@{DOMAIN}"},
        "accounts": [
            _account(CHAT, "Website chat", {"identity_secret": secrets.token_urlsafe(32)}, chat),
            _account(SMS, "Shop number", {"account_sid": account_sid, "auth_token": token}, sms),
            _account(MAIL, address, {"password": password}, mail),
        ],
        "processes": [
            _process(
                "demo-twilio",
                "scripts.emulators.twilio",
                {"EMULATED_AUTH_TOKEN": token},
                **{"port": twilio_port, "account-sid": account_sid, "phone-number": NUMBER, "reach-at": reach_at},
            ),
            _process(
                "demo-mail",
                "scripts.emulators.mail",
                {"EMULATED_ACCOUNTS": f"{address}:{password}"},
                **{"imap-port": imap_port, "smtp-port": smtp_port, "control-port": control_port},
            ),
        ],
        "customers": _process("demo-customers", "scripts.emulators.customers", {}),
        "given": {
            "twilio_url": twilio_url,
            "number": NUMBER,
            "mail_url": f"http://127.0.0.1:{control_port}",
            "address": address,
            "seed": str(seed),
            "speed": str(speed),
            "first": str(first),
        },
    }


def _account(channel: str, name: str, credentials: dict[str, str], settings: dict[str, str]) -> dict[str, object]:
    return {"channel": channel, "name": name, "credentials": credentials, "settings": settings}


def _process(name: str, module: str, environ: dict[str, str], **options: object) -> dict[str, object]:
    arguments = [part for option, value in options.items() for part in (f"--{option}", str(value))]
    return {"name": name, "arguments": ["-m", module, *arguments], "environ": environ}


def _free_ports(amount: int) -> list[int]:
    probes = [socket.create_server(("127.0.0.1", 0)) for _ in range(amount)]
    ports = [int(one.getsockname()[1]) for one in probes]
    for one in probes:
        one.close()
    return ports


def main() -> None:
    """Print the kit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--speed", type=float, default=1.0)
    parser.add_argument("--first", type=int, default=0, help="number of the first customer")
    parser.add_argument("--reach-at", default="")
    options = parser.parse_args()
    print(json.dumps(describe(options.seed, options.speed, options.first, options.reach_at)))


if __name__ == "__main__":
    main()
