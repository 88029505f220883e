"""Mutated mails: whatever the bytes, only the two parse errors leave the parser, and it comes back soon."""

from __future__ import annotations

import os
import random
import re
import time
from html.parser import HTMLParser

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from connectors.mime.parse import parse_mail, read_part
from hub.errors import MalformedPayload, UnsupportedPayload
from hub.html import sanitise
from tests.corpus import hostile_html, mails
from tests.corpus.mail import CONTEXT

# HUB_FUZZ_S=3600 HUB_FUZZ_SEED=7 runs an hour from another start.
SECONDS = float(os.environ.get("HUB_FUZZ_S", "8"))
SEED = int(os.environ.get("HUB_FUZZ_SEED", "1"))
ONE_MAIL_S = 5.0
# A NUL in JSON; two backslashes before it are a backslash of the text.
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")
SEEDS = [case.raw for case in mails() if len(case.raw) < 20_000]
HTML = [case.html for case in hostile_html() if len(case.html) < 20_000]
TOKENS = [
    b"\r\n", b"\n\n", b"\x00", b"--b1", b"--b1--\r\n", b"Content-Type: multipart/mixed; boundary=\"b1\"\r\n", b"=?utf-8?b?", b"?=",
    b"Content-Transfer-Encoding: base64\r\n", b"charset=utf-16", b"charset=iso-2022-jp", b"charset=hz", b"\xff\xfe", b"<", b">", b"(", b'"',
    b"\\", b";", b"*0*=", b"''%", b"message/rfc822", b"message/delivery-status", b"application/ms-tnef", b"text/calendar", b"text/html",
    b"Date: ", b"From: ", b"Message-ID: <", b"References: ", b"&#", b"<!--", b"<svg>", b"\xed\xa0\x80", b"9" * 5000, b"=" * 200, b"\x1b$B",
    b"format=flowed", b"-----Original Message-----\n", b"wrote:\n> ", b"x-uuencode", b"M" * 61, b"%" * 50, b"\x1b$)C", b"~{",
]  # fmt: skip


class Tags(HTMLParser):
    """Names of the tags and attributes in HTML, by a parser that is not ours."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(html)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.names.add(tag)
        self.attributes.update(name for name, _ in attrs)


def mutate(raw: bytes, chance: random.Random) -> bytes:
    data = bytearray(raw)
    for _ in range(chance.randint(1, 12)):
        at = chance.randrange(len(data) + 1)
        match chance.randrange(7):
            case 0:
                data[at : at + chance.randint(1, 40)] = b""
            case 1:
                data[at:at] = chance.choice(TOKENS)
            case 2:
                data[at : at + 1] = bytes([chance.randrange(256)])
            case 3:
                other = chance.choice(SEEDS)
                start = chance.randrange(len(other) + 1)
                data[at:at] = other[start : start + chance.randint(1, 400)]
            case 4:
                data = data[: max(1, at)]
            case 5:
                piece = bytes(data[at : at + chance.randint(1, 60)])
                data[at:at] = piece * chance.randint(1, 50)
            case _:
                data[at:at] = chance.randbytes(chance.randint(1, 30))
    return bytes(data[:200_000])


def read(raw: bytes) -> int:
    """Parse, encode as the stream would, read the attachments; returns how many items there were."""
    started = time.process_time()
    try:
        items = parse_mail(raw, CONTEXT)
    except (MalformedPayload, UnsupportedPayload):
        return 0
    for item in items:
        assert not NUL.search(msgspec.json.encode(item))
        assert len(item.key) <= 300
        for one in item.attachments[:10]:
            read_part(raw, one.ref)
        if item.html:
            sanitise(item.html)
    assert time.process_time() - started < ONE_MAIL_S
    return len(items)


@pytest.mark.timeout(SECONDS + 60)
def test_parse_mail_survives_mutations():
    """Seeded mutations of the corpus, for as long as the run has: most are still mails, none breaks out."""
    chance = random.Random(SEED)
    until = time.monotonic() + SECONDS
    tried = read_ones = 0

    while time.monotonic() < until:
        raw = mutate(chance.choice(SEEDS), chance)
        try:
            read_ones += read(raw) > 0
        except BaseException:
            print(f"failing mail: {raw!r}")
            raise
        tried += 1

    assert tried > 100
    assert read_ones > tried / 2


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])
@given(st.binary(max_size=2000))
def test_parse_mail_survives_any_bytes(data):
    """Bytes from nowhere, alone and under headers of every kind."""
    read(data)
    for mime in (
        b"text/html",
        b"application/ms-tnef",
        b"text/calendar",
        b"multipart/mixed; boundary=a",
        b"text/plain; charset=hz",
    ):
        read(b"From: a@b.example\r\nContent-Type: " + mime + b"\r\n\r\n" + data)
    read(
        b"From: MAILER-DAEMON@x.example\r\nContent-Type: multipart/report; boundary=a\r\n\r\n--a\r\nContent-Type: message/delivery-status\r\n\r\n"
        + data
    )


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(st.sampled_from(HTML) | st.text(max_size=40), max_size=8), st.randoms(use_true_random=False))
def test_sanitise_survives_mixtures(pieces, chance):
    """Pieces of hostile HTML put together in any order, cut anywhere: clean, and the same when cleaned again."""
    html = "".join(
        piece[chance.randrange(len(piece) + 1) :] if piece and chance.random() < 0.4 else piece for piece in pieces
    )

    cleaned = sanitise(html.encode("utf-8", "replace").decode()).html

    tags = Tags(cleaned)
    assert not tags.names & {
        "script",
        "svg",
        "math",
        "style",
        "iframe",
        "form",
        "input",
        "object",
        "base",
        "meta",
        "link",
    }
    assert not [
        name for name in tags.attributes if name.startswith("on") or name in ("srcset", "background", "formaction")
    ]
    assert Tags(sanitise(cleaned.replace("data-remote-src", "src")).html).names <= tags.names | {"details", "summary"}
