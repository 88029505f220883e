"""What Google's refusals mean, in our words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from connectors.http import Answer, read_retry_after, refusal
from hub import clock
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

VENDOR: Final = "Google"
NOT_FOUND: Final = "not_found"
TOO_LARGE: Final = "too_large"
# Google leaves the header out; quotas are by the minute.
_PAUSE_S: Final = 20.0
_DAY_PAUSE_S: Final = 3600.0
_AGAIN: Final = "Google wants you to sign in again."
_FAST: Final = "Google is taking no more requests for the moment."
# Source: developers.google.com/gmail/api/guides/handle-errors, as the reference notes it, read 2026-11-23.
_WORDS: Final[Mapping[str, tuple[ErrorClass, str]]] = {
    "authError": (ErrorClass.AUTH, _AGAIN),
    "rateLimitExceeded": (ErrorClass.RATE_LIMITED, _FAST),
    "userRateLimitExceeded": (ErrorClass.RATE_LIMITED, _FAST),
    "quotaExceeded": (ErrorClass.RATE_LIMITED, _FAST),
    "dailyLimitExceeded": (ErrorClass.RATE_LIMITED, "The mailbox has sent as many mails as it may for today."),
    "insufficientPermissions": (ErrorClass.PERMISSION, "The app may not do this: sign in again and agree to all."),
    "accessNotConfigured": (ErrorClass.PERMISSION, "The Gmail API is not switched on in the app's Google project."),
    "domainPolicy": (ErrorClass.PERMISSION, "An administrator of this organisation does not let the app do this."),
    "failedPrecondition": (ErrorClass.ACCOUNT, "This Google account has no mailbox in Gmail."),
    "uploadTooLarge": (ErrorClass.CONTENT, "The mail is larger than Gmail takes."),
}


class _Reason(msgspec.Struct, frozen=True):
    reason: str = ""


class _Fault(msgspec.Struct, frozen=True):
    errors: tuple[_Reason, ...] = ()
    status: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


_decoder = msgspec.json.Decoder(_Body)


def describe(answer: Answer, vendor: str = VENDOR) -> ConnectorErrorInfo:
    """
    Say what a refusal of the Gmail API means: by its reason where we know it, else by the status.

    Args:
        answer: Status 300 or above.
        vendor: As members read it.

    Returns:
        ``AMBIGUOUS`` for 5xx that does not say when to come back; the code ``NOT_FOUND`` is ours.
    """
    plain = refusal(answer, vendor)
    reason = _reason(answer.body)
    if answer.status == 404:
        return ConnectorErrorInfo(ErrorClass.PERMANENT, NOT_FOUND, "This is no longer in the mailbox.")
    if answer.status == 413:
        reason = "uploadTooLarge"
    if plain.klass is ErrorClass.AMBIGUOUS:
        return plain
    known = _WORDS.get(reason)
    if known is None:
        return plain
    klass, words = known
    info = ConnectorErrorInfo(klass, reason, words)
    if klass is not ErrorClass.RATE_LIMITED:
        return info
    own_s = _DAY_PAUSE_S if reason == "dailyLimitExceeded" else _PAUSE_S
    # Google sends 403 with it as well as 429.
    told_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
    return msgspec.structs.replace(info, retry_after_s=told_s or own_s)


def classify(problem: BaseException) -> ConnectorErrorInfo:
    """Say what an error that came through means; one nobody foresaw may have been sent."""
    if isinstance(problem, ConnectorError):
        return problem.info
    return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unexpected", "The mail could not be handled as expected.")


def failure(klass: ErrorClass, code: str, words: str) -> ConnectorError:
    """Make an error in our words."""
    return ConnectorError(ConnectorErrorInfo(klass, code, words))


@contextmanager
def harmless() -> Iterator[None]:
    """Make lost answers safe to repeat: what is asked in the block sends nothing, whatever became of it."""
    try:
        yield
    except ConnectorError as error:
        if error.info.klass is not ErrorClass.AMBIGUOUS:
            raise
        raise ConnectorError(msgspec.structs.replace(error.info, klass=ErrorClass.RETRYABLE)) from error


def is_code(error: ConnectorError, *codes: str) -> bool:
    """Say whether an error is one of these."""
    return error.info.code in codes


def _reason(body: bytes) -> str:
    try:
        found = _decoder.decode(body).error
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return ""
    return found.errors[0].reason if found.errors else ""
