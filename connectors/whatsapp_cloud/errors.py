"""Meta's error codes in our words: what the queue does, and what a member reads."""

from __future__ import annotations

from typing import Final

import msgspec

from connectors.http import Answer, read_retry_after, refusal
from hub import clock
from hub.errors import ConnectorErrorInfo, ErrorClass

# Codes that speak of one recipient's bucket, and of the number's.
PAIR_CODES: Final = frozenset({"131056"})

# Source: developers.facebook.com/documentation/business-messaging/whatsapp/support/error-codes, by the reference's
# table, read 2026-11-23. Texts are ours: Meta's own name fields and ids.
_BY_CODE: Final[dict[int, tuple[ErrorClass, str]]] = {
    # the account and its keys
    0: (ErrorClass.AUTH, "WhatsApp did not accept the access token."),
    190: (ErrorClass.AUTH, "The access token has ended or was withdrawn."),
    368: (ErrorClass.ACCOUNT, "WhatsApp has blocked this business account for breaking its rules."),
    130497: (ErrorClass.PERMISSION, "WhatsApp does not let this business account write to this country."),
    131031: (ErrorClass.ACCOUNT, "WhatsApp has locked this business account."),
    131042: (ErrorClass.ACCOUNT, "WhatsApp could not charge for this message: look at the payment method at Meta."),
    131045: (ErrorClass.ACCOUNT, "The number's certificate is wrong: register the number again at Meta."),
    133010: (ErrorClass.ACCOUNT, "The number is not registered for the WhatsApp Cloud API."),
    # what it may do
    3: (ErrorClass.PERMISSION, "The app may not use this part of WhatsApp."),
    10: (ErrorClass.PERMISSION, "The access token lacks a permission for WhatsApp."),
    131005: (ErrorClass.PERMISSION, "The access token lacks a permission for WhatsApp."),
    131037: (ErrorClass.PERMISSION, "The number's display name is not approved yet."),
    131063: (ErrorClass.PERMISSION, "This number may not send marketing templates this way."),
    # too fast
    4: (ErrorClass.RATE_LIMITED, "The app has called WhatsApp too often."),
    80007: (ErrorClass.RATE_LIMITED, "The business account has called WhatsApp too often."),
    130429: (ErrorClass.RATE_LIMITED, "The number sends faster than WhatsApp takes it."),
    131056: (ErrorClass.RATE_LIMITED, "Too many messages to this person in a short time."),
    133016: (ErrorClass.RATE_LIMITED, "The number was registered too often; WhatsApp takes it later."),
    # later, perhaps
    2: (ErrorClass.RETRYABLE, "WhatsApp is away for the moment."),
    131000: (ErrorClass.RETRYABLE, "WhatsApp could not take the message and did not say why."),
    131016: (ErrorClass.RETRYABLE, "WhatsApp is overloaded for the moment."),
    131057: (ErrorClass.RETRYABLE, "The business account is being worked on at WhatsApp."),
    # the recipient
    130472: (ErrorClass.RECIPIENT, "WhatsApp does not deliver marketing to this person (an experiment of Meta's)."),
    131021: (ErrorClass.RECIPIENT, "This is our own number."),
    131026: (ErrorClass.RECIPIENT, "This person cannot be reached on WhatsApp."),
    131030: (ErrorClass.RECIPIENT, "A test number writes only to the numbers listed at Meta."),
    131048: (ErrorClass.RECIPIENT, "WhatsApp holds the message back: too many people reported this number."),
    131049: (ErrorClass.RECIPIENT, "WhatsApp holds marketing to this person back for now. Try again tomorrow."),
    131050: (ErrorClass.RECIPIENT, "This person stopped marketing messages from you."),
    131062: (ErrorClass.RECIPIENT, "This message needs the person's phone number, which WhatsApp does not tell us."),
    131064: (ErrorClass.RECIPIENT, "The number has written first to as many people as WhatsApp lets it in a day."),
    137000: (ErrorClass.RECIPIENT, "This person's identity has changed; WhatsApp wants it confirmed."),
    # the window
    131047: (ErrorClass.WINDOW_CLOSED, "The person wrote more than 24 hours ago; only a template may be sent."),
    # what it says
    100: (ErrorClass.CONTENT, "WhatsApp does not accept a value of this message."),
    131008: (ErrorClass.CONTENT, "Something is missing in this message."),
    131009: (ErrorClass.CONTENT, "WhatsApp does not accept a value of this message."),
    131051: (ErrorClass.CONTENT, "WhatsApp does not take this kind of message."),
    131052: (ErrorClass.CONTENT, "WhatsApp could not read the file."),
    131053: (ErrorClass.CONTENT, "WhatsApp does not take this file."),
    132000: (ErrorClass.CONTENT, "The template was given another number of values than it has."),
    132001: (ErrorClass.CONTENT, "There is no approved template of this name in this language."),
    132005: (ErrorClass.CONTENT, "The template became too long with these values."),
    132007: (ErrorClass.CONTENT, "The template breaks WhatsApp's rules."),
    132008: (ErrorClass.CONTENT, "A value does not fit into the template."),
    132012: (ErrorClass.CONTENT, "A value does not fit into the template."),
    132015: (ErrorClass.CONTENT, "WhatsApp has paused this template: too many people disliked it."),
    132016: (ErrorClass.CONTENT, "WhatsApp has withdrawn this template: too many people disliked it."),
}
_PERMISSIONS: Final = range(200, 300)


class _Error(msgspec.Struct, frozen=True):
    code: int
    message: str = ""


class _Refusal(msgspec.Struct, frozen=True):
    error: _Error


def describe_code(code: int) -> ConnectorErrorInfo:
    """
    Say what a code means, of a refused request or of a message that failed later.

    Args:
        code: Meta's; 0 of a failed message means that it gave none.

    Returns:
        Its class and words; ``PERMANENT`` for codes without an entry.
    """
    if code in _PERMISSIONS:
        return ConnectorErrorInfo(ErrorClass.PERMISSION, str(code), _BY_CODE[10][1])
    if code == 0:
        return ConnectorErrorInfo(ErrorClass.PERMANENT, "undelivered", "The message was not delivered.")
    klass, words = _BY_CODE.get(code, (ErrorClass.PERMANENT, f"WhatsApp refused the message (error {code})."))
    return ConnectorErrorInfo(klass, str(code), words)


def read_refusal(answer: Answer, vendor: str) -> ConnectorErrorInfo:
    """
    Say what a refused request means: by Meta's code where the body has one we know, else by the status.

    Args:
        answer: Of status 300 or above.
        vendor: As members read it.

    Returns:
        The class decides whether the message may be sent again: ``AMBIGUOUS`` unless Meta says it was not taken.
    """
    try:
        code = msgspec.json.decode(answer.body, type=_Refusal).error.code
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return refusal(answer, vendor)
    retry_after_s = read_retry_after(answer.headers.get("retry-after", ""), clock.now())
    if code == 0:
        return ConnectorErrorInfo(ErrorClass.AUTH, "0", _BY_CODE[0][1])
    if code in _BY_CODE or code in _PERMISSIONS:
        return msgspec.structs.replace(describe_code(code), retry_after_s=retry_after_s)
    if answer.status >= 500 or answer.status in (401, 429):
        return refusal(answer, vendor)
    return describe_code(code)


def is_wrong_proof(answer: Answer) -> bool:
    """Say whether Meta refused the proof made with the app's secret: then it is not this app's."""
    try:
        error = msgspec.json.decode(answer.body, type=_Refusal).error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return False
    return error.code == 100 and "appsecret_proof" in error.message
