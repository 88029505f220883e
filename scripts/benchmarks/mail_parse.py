"""Mails parsed a second over our corpus, against `email.message_from_bytes` alone in the same run."""

from __future__ import annotations

import base64
import email
import time
from typing import TYPE_CHECKING

import msgspec

from connectors.mime.parse import parse_mail
from hub.errors import MalformedPayload, UnsupportedPayload
from hub.html import sanitise
from scripts.benchmarks.results import Figures, Result, summarise
from tests.corpus import mails
from tests.corpus.mail import CONTEXT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from hub.envelope import InboundItem

MEBIBYTE = 1024 * 1024
_FILE_BYTES = 5_000_000


class MailParseOptions(msgspec.Struct, kw_only=True):
    """
    What to measure.

    Attributes:
        runs: The median of so many.
        seconds: Of parsing, each run and each side.
    """

    runs: int = 5
    seconds: float = 3.0


def mail_parse(options: MailParseOptions) -> Iterator[Result]:
    """
    Measure two mixes: the corpus without its huge cases, and mails with a file of 5 MB.

    Yields:
        ``mails_per_s`` and ``mib_per_s`` of ours, the same of the floor, and ``ratio`` (ours by the floor, mails/s).
    """
    for case, kept in (("corpus", _corpus()), ("file_5_mb", [_with_file()])):
        runs = [_run(kept, options.seconds) for _ in range(options.runs)]
        shape: dict[str, float | str] = {
            "mails": len(kept),
            "mean_kib": round(sum(map(len, kept)) / len(kept) / 1024, 1),
            "seconds": options.seconds,
        }
        yield Result(bench="mail-parse", case=case, options=shape, median=summarise(runs), runs=runs)


def _run(mails: Sequence[bytes], seconds: float) -> Figures:
    ours_mails, ours_mib = _rate(_parse, mails, seconds)
    with_html, _ = _rate(_parse_and_sanitise, mails, seconds)
    floor_mails, floor_mib = _rate(email.message_from_bytes, mails, seconds)
    return {
        "mails_per_s": ours_mails,
        "mib_per_s": ours_mib,
        "mails_per_s_with_sanitise": with_html,
        "floor_mails_per_s": floor_mails,
        "floor_mib_per_s": floor_mib,
        "ratio": ours_mails / floor_mails,
    }


def _rate(read: Callable[[bytes], object], mails: Sequence[bytes], seconds: float) -> tuple[float, float]:
    """Whole rounds over the mails by this process's own CPU time, so that neighbours do not count."""
    started, count, size = time.process_time(), 0, 0
    while (elapsed := time.process_time() - started) < seconds:
        for raw in mails:
            read(raw)
            size += len(raw)
        count += len(mails)
    return count / elapsed, size / MEBIBYTE / elapsed


def _parse(raw: bytes) -> list[InboundItem]:
    try:
        return parse_mail(raw, CONTEXT)
    except (MalformedPayload, UnsupportedPayload):
        return []


def _parse_and_sanitise(raw: bytes) -> None:
    for item in _parse(raw):
        if item.html:
            sanitise(item.html)


def _corpus() -> list[bytes]:
    return [case.raw for case in mails() if len(case.raw) < 100_000]


def _with_file() -> bytes:
    body = base64.encodebytes(bytes(range(256)) * (_FILE_BYTES // 256))
    return (
        b"From: ann@client.example\r\nTo: support@acme.example\r\nSubject: File\r\nMessage-ID: <f@client.example>\r\n"
        b'MIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary="b1"\r\n\r\n--b1\r\n\r\nSee file\r\n--b1\r\n'
        b'Content-Type: application/zip; name="a.zip"\r\nContent-Transfer-Encoding: base64\r\n\r\n'
        + body
        + b"--b1--\r\n"
    )
