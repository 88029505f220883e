"""What Microsoft Graph's refusals mean, in our words. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import msgspec

from connectors.http import Answer, refusal
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

VENDOR: Final = "Microsoft"
# The state a delta query goes on from has ended; only reading anew helps.
RESYNC: Final = "resync"
NOT_FOUND: Final = "not_found"
_RESYNC_CODES: Final = frozenset({"syncstatenotfound", "syncstateinvalid", "resyncrequired"})
# Graph leaves the header out at times.
_PAUSE_S: Final = 10.0
_QUOTA_PAUSE_S: Final = 900.0

_NO_MAILBOX: Final = "This Microsoft account has no mailbox in Exchange Online or Outlook.com."
# Source: learn.microsoft.com/en-us/graph/errors, outlook-mail error codes, read 2026-11-23.
_WORDS: Final[Mapping[str, tuple[ErrorClass, str]]] = {
    "invalidauthenticationtoken": (ErrorClass.AUTH, "Microsoft wants you to sign in again."),
    "erroraccessdenied": (ErrorClass.PERMISSION, "The app may not do this: agree to Mail.ReadWrite and Mail.Send."),
    "authorization_requestdenied": (ErrorClass.PERMISSION, "The organisation does not allow the app to do this."),
    "errorsendasdenied": (ErrorClass.PERMISSION, "The mailbox may not send from this address."),
    "mailboxnotenabledforrestapi": (ErrorClass.ACCOUNT, _NO_MAILBOX),
    "mailboxnotsupportedforrestapi": (ErrorClass.ACCOUNT, _NO_MAILBOX),
    "errormailboxmovedtarget": (ErrorClass.RETRYABLE, "Microsoft is moving the mailbox."),
    "errorquotaexceeded": (ErrorClass.ACCOUNT, "The mailbox is full."),
    "errorinvalidrecipients": (ErrorClass.RECIPIENT, "Microsoft does not accept one of the recipients."),
    "errornorecipients": (ErrorClass.RECIPIENT, "The mail has no recipient."),
    "errormessagesizeexceeded": (ErrorClass.CONTENT, "The mail is larger than this mailbox may send."),
    "errorattachmentsizelimitexceeded": (ErrorClass.CONTENT, "A file is larger than Microsoft takes."),
    "erroritemnotfound": (ErrorClass.PERMANENT, "This is no longer in the mailbox."),
    "errorserverbusy": (ErrorClass.RETRYABLE, "Microsoft's mail server is busy."),
    "errormailboxstoreunavailable": (ErrorClass.RETRYABLE, "Microsoft's mail server is away for the moment."),
    "errorexceededmessagelimit": (ErrorClass.RATE_LIMITED, "The mailbox has sent as many mails as it may for now."),
    "errorsubmissionquotaexceeded": (ErrorClass.RATE_LIMITED, "The mailbox has sent as many mails as it may for now."),
    "toomanyrequests": (ErrorClass.RATE_LIMITED, "Microsoft is taking no more requests for the moment."),
    "applicationthrottled": (ErrorClass.RATE_LIMITED, "Microsoft is taking no more requests for the moment."),
    "mailboxconcurrency": (ErrorClass.RATE_LIMITED, "Microsoft is taking no more requests for the moment."),
}


class _Fault(msgspec.Struct, frozen=True):
    code: str = ""


class _Body(msgspec.Struct, frozen=True):
    error: _Fault = _Fault()


_decoder = msgspec.json.Decoder(_Body)


def describe(answer: Answer, vendor: str = VENDOR) -> ConnectorErrorInfo:
    """
    Say what a refusal of Graph means.

    Args:
        answer: Status 300 or above.
        vendor: As members read it.

    Returns:
        ``AMBIGUOUS`` for 5xx that does not say when to come back; the codes ``RESYNC`` and ``NOT_FOUND`` are ours.
    """
    plain = refusal(answer, vendor)
    code = _code(answer.body)
    if answer.status == 410 or code.lower() in _RESYNC_CODES:
        return ConnectorErrorInfo(ErrorClass.PERMANENT, RESYNC, "Microsoft wants the mailbox to be read anew.")
    if answer.status == 404 and code.lower() not in _WORDS:
        return ConnectorErrorInfo(ErrorClass.PERMANENT, NOT_FOUND, "This is no longer in the mailbox.")
    if plain.klass in (ErrorClass.AUTH, ErrorClass.RATE_LIMITED):
        return msgspec.structs.replace(plain, retry_after_s=_pause_s(plain))
    if answer.status == 413:
        return ConnectorErrorInfo(ErrorClass.CONTENT, "413", "The mail is larger than Microsoft takes.")
    known = _WORDS.get(code.lower())
    if known is None:
        return plain
    klass, words = known
    if plain.klass is ErrorClass.AMBIGUOUS and plain.retry_after_s is None and klass is ErrorClass.RETRYABLE:
        # Whether it was done before the server gave up, only asking tells.
        return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, code, words)
    info = ConnectorErrorInfo(klass, NOT_FOUND if code.lower() == "erroritemnotfound" else code, words)
    return msgspec.structs.replace(info, retry_after_s=plain.retry_after_s or _own_pause_s(code, klass))


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
    except TimeoutError:
        raise failure(ErrorClass.RETRYABLE, "slow", "Microsoft is too slow at the moment.") from None


def is_code(error: ConnectorError, *codes: str) -> bool:
    """Say whether an error is one of these."""
    return error.info.code in codes


def _code(body: bytes) -> str:
    try:
        code = _decoder.decode(body).error.code
    except msgspec.DecodeError:
        return ""
    # It is shown and logged: only what looks like a code.
    return code if code.isascii() and code.replace(".", "").replace("_", "").isalnum() and len(code) <= 80 else ""


def _pause_s(info: ConnectorErrorInfo) -> float | None:
    return _PAUSE_S if info.klass is ErrorClass.RATE_LIMITED and info.retry_after_s is None else info.retry_after_s


def _own_pause_s(code: str, klass: ErrorClass) -> float | None:
    if klass is not ErrorClass.RATE_LIMITED:
        return None
    return _QUOTA_PAUSE_S if "message" in code.lower() or "quota" in code.lower() else _PAUSE_S
