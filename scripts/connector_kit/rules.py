"""
Which quality rules a program checks, and with what; the rest is for people who review.

A rule answered "done" is checked by ``CHECKS``; one answered "exempt" by ``EXEMPTIONS``, where the manifest itself says
that the rule does apply.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Final

import msgspec

from connectors.base import Manifest
from connectors.quality import Answer
from scripts.connector_kit import folder, inbound, outbound
from scripts.connector_kit.subject import Subject

Check = Callable[[Subject], Iterator[str]]


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with one channel, and by which rule."""

    channel: str
    rule: str
    text: str

    def __str__(self) -> str:
        return f"connectors/{self.channel}: {self.rule}: {self.text}"


def faults_of(one: Subject) -> Iterator[Fault]:
    """Hold a channel to its own answers; a rule answered "todo" is not looked at."""
    channel = one.connector.manifest.id
    for rule, given in one.answers.items():
        if given.answer is Answer.EXEMPT:
            applies = EXEMPTIONS.get(rule)
            if applies is not None and applies(one.connector.manifest):
                yield Fault(channel, rule, f"is exempt ({given.why}), but the manifest says that it applies.")
        elif given.answer is Answer.DONE:
            for text in _asked(CHECKS[rule], one):
                yield Fault(channel, rule, text)


def _asked(check: Check, one: Subject) -> Iterator[str]:
    try:
        yield from check(one)
    except Exception as error:  # whatever the channel's code raises is the finding
        yield f"{type(error).__name__}: {error}"


CHECKS: Final[Mapping[str, Check]] = {
    "signature-verified": inbound.signature_verified,
    "every-event-type-has-fixture": inbound.every_event_has_fixture,
    "unknown-event-is-unsupported": inbound.unknown_is_unsupported,
    "rate-limit-honoured": outbound.rate_limit_honoured,
    "retry-after-honoured": outbound.retry_after_honoured,
    "credentials-checked-before-save": outbound.credentials_checked,
    "reauth-path": outbound.reauth_path,
    "receipts": inbound.receipts,
    "media-in": inbound.media_in,
    "media-out": outbound.media_out,
    "edits": inbound.edits,
    "deletes": inbound.deletes,
    "threads": inbound.threads,
    "text-limit-split": outbound.text_limit_split,
    "backfill": inbound.backfill,
    "log-once-when-down-once-when-up": folder.log_once,
    "known-limits-documented": folder.known_limits,
    "replay-safe": inbound.replay_safe,
}

EXEMPTIONS: Final[Mapping[str, Callable[[Manifest], bool]]] = {
    "signature-verified": lambda manifest: manifest.transport == "webhook",
    "every-event-type-has-fixture": lambda manifest: bool(manifest.events),
    "unknown-event-is-unsupported": lambda manifest: manifest.transport == "webhook",
    "rate-limit-honoured": lambda manifest: bool(manifest.limits),
    "credentials-checked-before-save": lambda manifest: any(not one.generated for one in manifest.credentials),
    "receipts": lambda manifest: bool(manifest.capabilities.receipts),
    "media-out": lambda manifest: manifest.capabilities.attachments,
    "edits": lambda manifest: manifest.capabilities.edit,
    "deletes": lambda manifest: manifest.capabilities.delete,
    "backfill": lambda manifest: manifest.transport == "poll",
    "known-limits-documented": lambda _manifest: True,
    "replay-safe": lambda manifest: bool(manifest.events),
}
