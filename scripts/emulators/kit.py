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

from scripts.emulators.story_texts import CALLS, CHAT, MAIL, SMS, WHATSAPP
from scripts.emulators.whatsapp_cloud import NUMBER_ID, WABA_ID

WORKSPACE = "Juniper & Oak"
DOMAIN = "juniperandoak.example"
OWNER = "Robin Vale"
NUMBER = "+12125550142"
VOICE_NUMBER = "+12125550143"
OWNER_PHONE = "+12125550144"


def describe(seed: int, speed: float, first: int, reach_at: str) -> dict[str, object]:
    """Return the kit; customers begin with number ``first``, calls to webhooks go to ``reach_at``."""
    twilio_port, imap_port, smtp_port, control_port, whatsapp_port, voice_port = _free_ports(6)
    account_sid, token = "AC" + secrets.token_hex(16), secrets.token_hex(16)
    address, password = f"hello@{DOMAIN}", secrets.token_urlsafe(18)
    twilio_url = f"http://127.0.0.1:{twilio_port}"
    sms = {"phone_number": NUMBER, "segments_per_second": "100", "demo_url": twilio_url}
    mail = {"address": address, "from_name": WORKSPACE, "imap_host": "127.0.0.1", "imap_port": str(imap_port)}
    mail |= {"imap_security": "none", "smtp_host": "127.0.0.1", "smtp_port": str(smtp_port), "smtp_security": "none"}
    whatsapp, whatsapp_url = _whatsapp_keys(), f"http://127.0.0.1:{whatsapp_port}"
    business = {"phone_number_id": NUMBER_ID, "waba_id": WABA_ID, "demo_url": whatsapp_url}
    voice_url, voice_token = f"http://127.0.0.1:{voice_port}", secrets.token_hex(16)
    calls = {"phone_number": VOICE_NUMBER, "ring_numbers": f"{OWNER_PHONE} {OWNER} <robin@{DOMAIN}>"}
    calls |= {"record_calls": "yes", "transcribe": "yes", "voicemail": "yes", "demo_url": voice_url}
    chat = {"title": f"Chat with {WORKSPACE}", "greeting": "Hello! How can we help you furnish?", "color": "#3f6b4f"}
    chat |= {"pre_chat_name": "optional", "pre_chat_email": "off", "identity": "optional"}
    return {
        "workspace": WORKSPACE,
        "owner": {"name": OWNER, "email": f"robin@{DOMAIN}"},
        "accounts": [
            _account(CHAT, "Website chat", {"identity_secret": secrets.token_urlsafe(32)}, chat),
            _account(SMS, "Shop number", {"account_sid": account_sid, "auth_token": token}, sms),
            _account(MAIL, address, {"password": password}, mail),
            _account(WHATSAPP, "Shop on WhatsApp", whatsapp, business) | {"external_ref": NUMBER_ID},
            _account(CALLS, "Showroom line", {"account_sid": account_sid, "auth_token": voice_token}, calls),
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
            _process(
                "demo-whatsapp",
                "scripts.emulators.whatsapp_cloud",
                {"EMULATED_TOKEN": whatsapp["access_token"], "EMULATED_SECRET": whatsapp["client_secret"]},
                **{"port": whatsapp_port, "reach-at": reach_at},
            ),
            _process(
                "demo-telephone",
                "scripts.emulators.twilio_voice",
                {"EMULATED_AUTH_TOKEN": voice_token},
                "--sounds-last",
                **{"port": voice_port, "account-sid": account_sid, "phone-number": VOICE_NUMBER, "reach-at": reach_at},
            ),
        ],
        "customers": _process("demo-customers", "scripts.emulators.customers", {}),
        "given": {
            "twilio_url": twilio_url,
            "number": NUMBER,
            "mail_url": f"http://127.0.0.1:{control_port}",
            "address": address,
            "whatsapp_url": whatsapp_url,
            "voice_url": voice_url,
            "seed": str(seed),
            "speed": str(speed),
            "first": str(first),
        },
    }


def _whatsapp_keys() -> dict[str, str]:
    return {name: secrets.token_urlsafe(32) for name in ("access_token", "client_secret", "verify_token")}


def _account(channel: str, name: str, credentials: dict[str, str], settings: dict[str, str]) -> dict[str, object]:
    return {"channel": channel, "name": name, "credentials": credentials, "settings": settings}


def _process(name: str, module: str, environ: dict[str, str], *flags: str, **options: object) -> dict[str, object]:
    arguments = [*flags, *(part for option, value in options.items() for part in (f"--{option}", str(value)))]
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
