"""Every mail of the corpus becomes what is written beside it; size, memory and attachments are bounded and exact."""

from __future__ import annotations

import base64
import re
import time
import tracemalloc

import msgspec
import pytest

from connectors.mime.model import MAIL_LIMIT_BYTES
from connectors.mime.parse import parse_mail, read_part
from connectors.registry import ConnectorRegistry
from hub.envelope import Direction
from hub.errors import HubError, NotFound, UnsupportedPayload
from tests.corpus import mails
from tests.corpus.mail import CONTEXT, OUR_ID, mail
from tests.unit.connectors.mime.outcome import differences

CORPUS = mails()
MEBIBYTE = 1024 * 1024
NUL = re.compile(rb"(?<!\\)(?:\\\\)*\\u0000")


@pytest.mark.parametrize("case", CORPUS, ids=lambda one: one.name)
def test_parse_mail_reads_the_corpus(case):
    """Each field that the case names is as written."""
    try:
        items = parse_mail(case.raw, CONTEXT)
    except HubError as error:
        items = error

    assert differences(items, case.expect) == []


def test_corpus_is_large_and_says_what_it_expects():
    """At least 150 mails, none of them a mere "does not crash"."""
    assert len(CORPUS) >= 150
    assert [case.name for case in CORPUS if not case.expect] == []


@pytest.mark.parametrize("case", CORPUS, ids=lambda one: one.name)
def test_parse_mail_returns_what_can_be_stored(case):
    """Items survive JSON and Postgres: no NUL, no surrogates, keys and ids within their lengths."""
    try:
        items = parse_mail(case.raw, CONTEXT)
    except HubError:
        return

    for item in items:
        assert not NUL.search(msgspec.json.encode(item))
        assert 1 <= len(item.key) <= 300
        assert item.occurred_at.utcoffset() is not None
        assert item.thread is None or 1 <= len(item.thread.root) <= 320
        assert len(item.subject) <= 1000
        assert item.html is None or len(item.html.encode()) <= MEBIBYTE
        for person in (*item.to, *item.cc, *([item.sender] if item.sender else [])):
            assert 1 <= len(person.value) <= 320
            assert person.value == person.value.lower()
    assert len({item.key for item in items}) == len(items)


@pytest.mark.parametrize("case", CORPUS, ids=lambda one: one.name)
def test_parse_mail_is_repeatable_and_refs_can_be_read(case):
    """The same bytes give the same items, and each attachment named is found again."""
    try:
        items = parse_mail(case.raw, CONTEXT)
    except HubError:
        return

    assert items == parse_mail(case.raw, CONTEXT)
    for ref in [one.ref for item in items for one in item.attachments[:5]]:
        assert isinstance(read_part(case.raw, ref), bytes)


def big_mail(size: int, *, kind: str) -> bytes:
    head = (
        mail("", headers='MIME-Version: 1.0\nContent-Type: multipart/mixed; boundary="b1"\n')
        .replace("\n", "\r\n")
        .encode()
    )
    if kind == "text":
        return head.replace(
            b'multipart/mixed; boundary="b1"', b"text/plain; charset=utf-8"
        ) + "Grüße und mehr\r\n".encode() * (size // 18)
    if kind == "html":
        return head.replace(
            b'multipart/mixed; boundary="b1"', b"text/html; charset=utf-8"
        ) + b"<p>Hello <b>there</b></p>\r\n" * (size // 27)
    if kind == "headers":
        return b"X-A: b\r\n" * (size // 8) + head
    if kind == "one line":
        return head.replace(b'multipart/mixed; boundary="b1"', b"text/plain") + b"a" * size
    if kind == "boundaries":
        return head + b"--b1\r\n\r\n" * (size // 8)
    if kind == "carriage returns":
        return (
            (head + b"Hello there\r\n" * (size // 13))
            .replace(b"\r\n", b"\r")
            .replace(b"multipart/mixed", b"text/plain")
        )
    body = base64.encodebytes(bytes(range(256)) * (size * 3 // 4 // 256))
    name = b"winmail.dat" if kind == "tnef" else b"big.zip"
    mime = b"application/ms-tnef" if kind == "tnef" else b"application/zip"
    return (
        head + b'--b1\r\nContent-Type: text/plain\r\n\r\nSee file\r\n--b1\r\nContent-Type: ' + mime + b'; name="' + name
        + b'"\r\nContent-Transfer-Encoding: base64\r\n\r\n' + body + b"\r\n--b1--\r\n"
    )  # fmt: skip


KINDS = ["file", "text", "html", "headers", "one line", "boundaries", "carriage returns", "tnef"]


@pytest.mark.parametrize(
    "kind", [pytest.param(kind, marks=[pytest.mark.slow] if kind != "file" else []) for kind in KINDS]
)
def test_parse_mail_bounds_memory_and_time(kind):
    """25 MB are read in seconds, with at most four times the mail and 16 MiB of further memory."""
    raw = big_mail(25_000_000, kind=kind)

    started = time.process_time()
    items = parse_mail(raw, CONTEXT)
    taken_s = time.process_time() - started
    tracemalloc.start()
    parse_mail(raw, CONTEXT)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert items[0].subject in ("Question", "")
    assert taken_s < 10
    assert peak < 4 * len(raw) + 16 * MEBIBYTE


def test_read_part_bounds_memory():
    """A 25 MB attachment is decoded with at most four times the mail."""
    raw = big_mail(25_000_000, kind="file")
    (item,) = parse_mail(raw, CONTEXT)

    tracemalloc.start()
    content = read_part(raw, item.attachments[0].ref)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()

    assert len(content) == item.attachments[0].size_bytes
    assert content[:256] == bytes(range(256))
    assert peak < 4 * len(raw)


def test_parse_mail_refuses_more_than_the_limit():
    """No mail server takes 64 MiB; such a thing is not even looked at."""
    with pytest.raises(UnsupportedPayload):
        parse_mail(b"From: a@b.example\n\n" + b"a" * MAIL_LIMIT_BYTES, CONTEXT)


@pytest.mark.parametrize("ref", ["", "9", "1.1", "2/tnef:0", "1/tnef:x", "../1", "1/tnef:" + "9" * 5000])
def test_read_part_refuses_unknown_refs(ref):
    """A ref that is no leaf of the mail is not found."""
    with pytest.raises(NotFound):
        read_part(mail("--b1\n\nHi\n--b1--\n", headers='Content-Type: multipart/mixed; boundary="b1"\n').encode(), ref)


def test_parse_mail_distrusts_our_address_in_folders_of_strangers():
    """Where anybody can write, From: us proves nothing; our signed Message-ID does."""
    forged = mail(headers="From: support@acme.example\nTo: ann@client.example\n").encode()
    ours = mail(headers=f"From: support@acme.example\nTo: ann@client.example\nMessage-ID: <{OUR_ID}>\n").encode()
    inbox = msgspec.structs.replace(CONTEXT, trust_own_from=False)

    assert parse_mail(forged, inbox)[0].direction is Direction.INBOUND
    assert parse_mail(ours, inbox)[0].direction is Direction.OUTBOUND
    assert parse_mail(forged, CONTEXT)[0].direction is Direction.OUTBOUND


def test_parse_mail_tells_mails_without_id_apart():
    """Same mail, same key; another text or another date, another key."""
    one, same, text, date = (
        mail(body, headers=f"Message-ID:\nDate: {date}\n").encode()
        for body, date in (
            ("A", "Sun, 22 Nov 2026 10:00:00 +0000"),
            ("A", "Sun, 22 Nov 2026 10:00:00 +0000"),
            ("B", "Sun, 22 Nov 2026 10:00:00 +0000"),
            ("A", "Sun, 22 Nov 2026 10:00:01 +0000"),
        )
    )

    keys = [parse_mail(raw, CONTEXT)[0].key for raw in (one, same, text, date)]

    assert keys[0] == keys[1]
    assert len(set(keys)) == 3


def test_registry_does_not_take_the_package_for_a_channel():
    """``connectors/mime`` has no manifest: it is no channel."""
    assert "mime" not in [manifest.id for manifest in ConnectorRegistry.load().manifests()]
