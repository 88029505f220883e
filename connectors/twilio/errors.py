"""Twilio's error codes in our words: what the queue does, and what a member reads. Pure."""

from __future__ import annotations

from hub.errors import ConnectorErrorInfo, ErrorClass


class NoAnswer(Exception):
    """
    A request that got no answer.

    Attributes:
        body_left: Whether its body had begun to leave: then the vendor may have acted on it.
    """

    def __init__(self, *, body_left: bool) -> None:
        super().__init__("no answer after the body left" if body_left else "no connection")
        self.body_left = body_left


# Source: twilio.com/docs/api/errors, read 2026-11-22. Texts are ours: Twilio's own repeat phone numbers.
_BY_CODE: dict[int, tuple[ErrorClass, str]] = {
    # the account and its keys
    20003: (ErrorClass.AUTH, "Twilio did not accept the Account SID and Auth Token."),
    20008: (ErrorClass.AUTH, "These are Twilio test credentials; they cannot do this."),
    20005: (ErrorClass.ACCOUNT, "The Twilio account is not active."),
    10001: (ErrorClass.ACCOUNT, "The Twilio account is not active."),
    30002: (ErrorClass.ACCOUNT, "The Twilio account is suspended."),
    90010: (ErrorClass.ACCOUNT, "The Twilio account is not active."),
    21408: (ErrorClass.PERMISSION, "The Twilio account may not send to this country."),
    21608: (ErrorClass.PERMISSION, "A trial account of Twilio sends only to numbers verified there."),
    30034: (ErrorClass.PERMISSION, "The number is not registered for business messages (A2P 10DLC)."),
    # too fast
    20429: (ErrorClass.RATE_LIMITED, "Twilio is taking no more requests for the moment."),
    21611: (ErrorClass.RATE_LIMITED, "Twilio's queue for this number is full."),
    30001: (ErrorClass.RATE_LIMITED, "Twilio's queue for this number is full."),
    30022: (ErrorClass.RATE_LIMITED, "The number sends faster than its registration allows."),
    63017: (ErrorClass.RATE_LIMITED, "The Twilio account sends faster than it may."),
    63018: (ErrorClass.RATE_LIMITED, "The sender sends faster than it may."),
    # the recipient
    21211: (ErrorClass.RECIPIENT, "This is not a phone number Twilio can send to."),
    21604: (ErrorClass.RECIPIENT, "The message has no recipient."),
    21610: (ErrorClass.RECIPIENT, "The recipient opted out with STOP."),
    21612: (ErrorClass.RECIPIENT, "This number cannot be reached from ours."),
    21614: (ErrorClass.RECIPIENT, "This number cannot receive SMS."),
    21635: (ErrorClass.RECIPIENT, "This number is a landline."),
    30003: (ErrorClass.RECIPIENT, "The handset could not be reached."),
    30004: (ErrorClass.RECIPIENT, "The recipient or the carrier blocks this message."),
    30005: (ErrorClass.RECIPIENT, "The number is unknown or no longer in use."),
    30006: (ErrorClass.RECIPIENT, "This number is a landline or cannot be reached by its carrier."),
    63003: (ErrorClass.RECIPIENT, "The recipient is not on WhatsApp."),
    63015: (ErrorClass.RECIPIENT, "The recipient has not joined the WhatsApp sandbox."),
    63024: (ErrorClass.RECIPIENT, "The recipient is not valid on this channel."),
    63032: (ErrorClass.RECIPIENT, "WhatsApp does not deliver to this person for now."),
    63049: (ErrorClass.RECIPIENT, "WhatsApp holds marketing to this person back for now."),
    # the text
    21602: (ErrorClass.CONTENT, "The message has no text."),
    21619: (ErrorClass.CONTENT, "The message has no text."),
    21617: (ErrorClass.CONTENT, "The text is longer than 1,600 characters."),
    30007: (ErrorClass.CONTENT, "The carrier filtered the message as unwanted."),
    63016: (ErrorClass.WINDOW_CLOSED, "The recipient wrote more than 24 hours ago; only a template may be sent."),
    63013: (ErrorClass.CONTENT, "The message breaks WhatsApp's rules."),
    63021: (ErrorClass.CONTENT, "WhatsApp does not take this content."),
    21655: (ErrorClass.CONTENT, "There is no such template at Twilio."),
    21656: (ErrorClass.CONTENT, "A value does not fit into the template."),
    # its files
    11200: (ErrorClass.CONTENT, "Twilio could not fetch a file from this hub."),
    11751: (ErrorClass.CONTENT, "The files are larger than an MMS may be."),
    12300: (ErrorClass.CONTENT, "A file is of a kind that MMS does not take."),
    21620: (ErrorClass.CONTENT, "Twilio does not accept the address of a file."),
    21623: (ErrorClass.CONTENT, "An MMS takes at most 10 files."),
    30019: (ErrorClass.CONTENT, "The carrier found a file too large."),
    63019: (ErrorClass.CONTENT, "WhatsApp could not take the file."),
    # the sender and the rest
    21212: (ErrorClass.PERMANENT, "The sending number is not valid."),
    21603: (ErrorClass.PERMANENT, "No sending number is set."),
    21606: (ErrorClass.PERMANENT, "The sending number cannot send SMS from this Twilio account."),
    21609: (ErrorClass.PERMANENT, "Twilio does not accept our address for receipts."),
    21659: (ErrorClass.PERMANENT, "The sending number is not a number of this Twilio account."),
    63007: (ErrorClass.PERMANENT, "The number is no WhatsApp sender of this Twilio account."),
    30008: (ErrorClass.PERMANENT, "The carrier did not deliver the message and gave no reason."),
}


def describe_code(code: int) -> ConnectorErrorInfo:
    """
    Say what a code of a status callback means, after the vendor took the message.

    Args:
        code: Twilio's error code; 0 when it gave none.

    Returns:
        Its class and words; ``PERMANENT`` for codes without an entry.
    """
    klass, message = _BY_CODE.get(code, (ErrorClass.PERMANENT, ""))
    words = message or (f"The message was not delivered (Twilio error {code})." if code else "It was not delivered.")
    return ConnectorErrorInfo(klass=klass, code=str(code) if code else "undelivered", message=words)


def describe_answer(status: int, code: int, retry_after_s: float | None) -> ConnectorErrorInfo:
    """
    Say what a refused request means.

    Args:
        status: HTTP status, 300 or more.
        code: Twilio's error code, or the status again where the body had none.
        retry_after_s: From the ``Retry-After`` header, if there was one.

    Returns:
        The class decides whether the message may be sent again: ``AMBIGUOUS`` unless the vendor says it was not taken.
    """
    if status == 429:
        words = _BY_CODE.get(code, _BY_CODE[20429])[1]
        return ConnectorErrorInfo(ErrorClass.RATE_LIMITED, str(code), words, retry_after_s)
    if status == 503 and retry_after_s is not None:
        return ConnectorErrorInfo(
            ErrorClass.RETRYABLE, str(code), "Twilio is not available for the moment.", retry_after_s
        )
    if status >= 500:
        return ConnectorErrorInfo(
            ErrorClass.AMBIGUOUS, str(code), "Twilio failed while it took the message; it may have been sent."
        )
    if code in _BY_CODE:
        klass, words = _BY_CODE[code]
        return ConnectorErrorInfo(klass, str(code), words, retry_after_s)
    if status == 401:
        return ConnectorErrorInfo(ErrorClass.AUTH, str(code), _BY_CODE[20003][1])
    if status == 403:
        return ConnectorErrorInfo(ErrorClass.ACCOUNT, str(code), "Twilio does not allow this account to do this.")
    return ConnectorErrorInfo(ErrorClass.PERMANENT, str(code), f"Twilio refused the message (error {code}).")
