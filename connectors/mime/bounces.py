"""
Bounces written for people: the servers that do not send RFC 3464 reports, or sent them before it. Pure.

Only mails that name a mail of ours become receipts; all others stay mails, so nothing is lost to a wrong guess.
"""

from __future__ import annotations

import re

from connectors.mime.addresses import normalise_address, read_addresses
from connectors.mime.bodies import read_text
from connectors.mime.headers import Headers, read_headers
from connectors.mime.html_text import html_to_text
from connectors.mime.reports import RECIPIENT_LIMIT, Action, Outcome, Report, read_code, returned_headers, target_ids
from connectors.mime.structure import Part

_TEXT_LIMIT_BYTES = 256 * 1024
_DAEMONS = re.compile(
    r"^(?:mailer-?daemon|postmaster|mail-?daemon|mailerdaemon|"
    r"microsoftexchange[0-9a-f]+)(?:\+.*)?@|^mailer-daemon$"
)
# What each server's own text says. Sources: postfix bounce(5), exim "bounce_message", qmail-send(8), sendmail
# "errors", Exchange and Microsoft 365 NDR, Gmail, Yahoo, Amazon SES notices (read 2026-11-22).
_FAILED = re.compile(
    r"could not be delivered|couldn.t be delivered|delivery to the following recipients? failed|"
    r"delivery (?:has )?failed|permanent (?:fatal )?error|undeliverable|this is the qmail-send program|"
    r"unable to deliver (?:your|the|this) message|"
    r"did not reach (?:some or all of )?the (?:following|intended) recipient|"
    r"cannot be reached|address not found|message (?:was |wasn.t )?(?:not )?delivered|wasn.t delivered|"
    r"error occurred while trying to deliver|message rejected|returned to sender|"
    r"user unknown|no such user|"
    r"konnte nicht zugestellt werden|n.a pas pu être (?:remis|livré)|"
    r"no se pudo entregar|非送達|недоставлен",
    re.IGNORECASE,
)
_DELAYED = re.compile(
    r"this is a warning message only|has been delayed|delayed|"
    r"has not (?:yet )?been delivered|will (?:be retried|keep trying)|"
    r"delivery (?:is |status notification \()?(?:incomplete|delay)|"
    r"transient non-fatal errors|still trying|"
    r"you do not need to resend|no action is required on your part",
    re.IGNORECASE,
)
_GAVE_UP = re.compile(r"giving up|given up|permanent|retry timeout exceeded|retry time.?limit|failed:", re.IGNORECASE)
_SUBJECT = re.compile(
    r"undeliver|returned mail|failure notice|delivery (?:status|failure|notification|"
    r"problem|delay|incomplete)|mail delivery|"
    r"delivery has failed|message (?:delayed|undeliverable)|warning: (?:message|"
    r"could not send)|mail system error|"
    r"non remis|nicht zustellbar|unzustellbar|no entregado|非送達|rejected",
    re.IGNORECASE,
)
_RETURNED = re.compile(
    # Two dashes, not "two or more": the dots take the others, and a line of dashes would be read once for each of them.
    r"^(?:--.*(?:copy of (?:the|your) message|original message|returned message|"
    r"message header|below this line|"
    r"unsent message).*|.*original message (?:headers?|follows).*|.*-- ?original message ?--.*|"
    r".*below this line is a copy.*)$",
    re.IGNORECASE | re.MULTILINE,
)
_RECIPIENT = re.compile(r"<?\b([A-Za-z0-9._%+'=/-]{1,64}@[A-Za-z0-9.-]{1,190}\.[A-Za-z0-9-]{2,24})\b>?")


def read_bounce(raw: bytes, root: Part, own: tuple[str, ...]) -> Report | None:
    """
    Read a bounce in words.

    Args:
        raw: A mail.
        root: Its structure.
        own: Our addresses, never taken for the failed recipient.

    Returns:
        A report with at least one Message-ID, or None.
    """
    if not looks_like_bounce(root.headers):
        return None
    text = _shown_text(raw, root)
    said, returned = _split_returned(text)
    original = returned_headers(raw, root) or returned
    ids = target_ids(original)
    action = _action(root.headers.text("subject"), said)
    if not ids or action is None:
        return None
    code = read_code(said)
    recipients = _recipients(root.headers, original, said, own) or [""]
    return Report(
        target_ids=ids,
        outcomes=tuple(Outcome(one, action, code) for one in recipients[:RECIPIENT_LIMIT]),
        sender=next((one.value for one in read_addresses(original.raw("from"))), ""),
    )


def looks_like_bounce(headers: Headers) -> bool:
    """Say whether a mail server, not a person, wrote a mail, by its sender, return path or subject."""
    if "x-failed-recipients" in headers:
        return True
    sender = next((one.value for one in read_addresses(headers.raw("from"))), headers.raw("from").lower())
    has_null_path = headers.raw("return-path").strip() == "<>"
    return bool(_DAEMONS.match(sender)) or (has_null_path and bool(_SUBJECT.search(headers.text("subject"))))


def _shown_text(raw: bytes, root: Part) -> str:
    for part in root.walk():
        if not part.children and part.mime == "text/plain" and part.disposition[0] != "attachment":
            return read_text(raw, part, _TEXT_LIMIT_BYTES)
    for part in root.walk():
        if not part.children and part.mime == "text/html":
            return html_to_text(read_text(raw, part, _TEXT_LIMIT_BYTES))
    return ""


def _split_returned(text: str) -> tuple[str, Headers]:
    """Cut where the returned mail begins; without such a line, where its header fields do."""
    found = _RETURNED.search(text) or re.search(
        r"^(?:Return-Path|Received|DKIM-Signature|Message-ID)\s?:", text, re.IGNORECASE | re.MULTILINE
    )
    if found is None:
        return text, Headers([])
    start = found.start() if ":" in found[0][:16] and not found[0].startswith("-") else found.end()
    block = text[start:].lstrip("\n").encode("utf-8", "replace")
    # Servers indent or quote what they give back.
    block = re.sub(rb"^(?:> ?|  {1,8}(?=[A-Z]))", b"", block[:_TEXT_LIMIT_BYTES], flags=re.MULTILINE)
    headers, after = read_headers(block, 0, len(block))
    if "message-id" not in headers and after < len(block):
        # Exim and Sendmail put a blank line, or a word on the size, before the headers.
        rest = block[after:].lstrip(b"\r\n")
        headers, _ = read_headers(rest, 0, len(rest))
    return text[: found.start()], headers


def _action(subject: str, said: str) -> Action | None:
    is_delay = _DELAYED.search(said) or re.search(r"delay|warning", subject, re.IGNORECASE)
    if is_delay and not _GAVE_UP.search(said):
        return "delayed"
    return "failed" if _FAILED.search(said) or _SUBJECT.search(subject) else None


def _recipients(headers: Headers, original: Headers, said: str, own: tuple[str, ...]) -> list[str]:
    named = [one.value for one in read_addresses(headers.raw("x-failed-recipients"))]
    if not named:
        sent_to = {one.value for name in ("to", "cc") for one in read_addresses(original.raw(name))}
        mentioned = [normalise_address(found[1]) for found in _RECIPIENT.finditer(said[:20_000])]
        named = [one for one in mentioned if one in sent_to] or [one for one in mentioned if not _DAEMONS.match(one)][
            :1
        ]
    return [one for one in dict.fromkeys(named) if one and one not in own]
