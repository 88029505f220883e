"""What mail servers answer, in our words: what the queue does, and what a member reads. Pure."""

from __future__ import annotations

import re

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

# Source: RFC 5530, section 3 (May 2009): response codes of IMAP that say whether it is worth trying again.
_LATER = frozenset({"UNAVAILABLE", "INUSE", "SERVERBUG", "LIMIT"})
_KEYS = frozenset({"AUTHENTICATIONFAILED", "AUTHORIZATIONFAILED", "EXPIRED", "PRIVACYREQUIRED", "CONTACTADMIN"})
# Servers without response codes say it in words.
_LATER_WORDS = re.compile(r"temporar|try (again )?later|too many|rate.?limit|unavailable|throttl|in use", re.IGNORECASE)
_APP_PASSWORD_WORDS = re.compile(
    r"app(lication)?[- ]?(specific )?password|less secure|basic ?auth|web ?login", re.IGNORECASE
)
_CODE = re.compile(r"\[([A-Z-]+)[^\]]*\]")
_ENHANCED = re.compile(r"\b([245])\.(\d{1,3})\.(\d{1,3})\b")

_APP_HINT = " This provider may want an app password instead of your own: see the provider's help."


def error(klass: ErrorClass, code: str, message: str) -> ConnectorError:
    """Make a refusal in our words."""
    return ConnectorError(ConnectorErrorInfo(klass, code, message))


def describe_login(answer: str) -> ConnectorErrorInfo:
    """
    Say what a refused IMAP sign-in means.

    Args:
        answer: The server's text; not shown to anybody, it may repeat the user name.

    Returns:
        ``AUTH`` unless the server says that it is only for now.
    """
    codes = set(_CODE.findall(answer.upper()))
    if codes & _LATER or (not codes & _KEYS and _LATER_WORDS.search(answer)):
        return ConnectorErrorInfo(
            ErrorClass.RETRYABLE, "login_later", "The mail server takes no sign-in at the moment."
        )
    words = "The mail server does not accept the user name and password."
    if _APP_PASSWORD_WORDS.search(answer):
        words = "The mail server wants an app password instead of the normal one: make one there and enter it here."
    else:
        words += _APP_HINT
    return ConnectorErrorInfo(ErrorClass.AUTH, "login_refused", words)


def describe_smtp(code: int, answer: str, *, step: str) -> ConnectorErrorInfo:
    """
    Say what an SMTP refusal means.

    Args:
        code: Three digits.
        answer: The server's text; only its enhanced status code is looked at, the rest may hold addresses.
        step: ``connect``, ``auth``, ``sender``, ``recipient`` or ``data``.

    Returns:
        4xx may be tried again, everything else not; of these refusals the server has taken nothing.

    Source:
        RFC 5321, section 4.2.1; RFC 4954, section 6; RFC 3463, section 3 (read 2026-11-22).
    """
    found = _ENHANCED.search(answer)
    status = found[0] if found else str(code)
    if step == "auth" and code < 500 and code != 432:
        return ConnectorErrorInfo(ErrorClass.RETRYABLE, status, "The mail server takes no sign-in at the moment.")
    if step == "auth" or code in (530, 534, 535, 538):
        words = "The mail server does not accept the user name and password for sending."
        return ConnectorErrorInfo(ErrorClass.AUTH, status, words + _APP_HINT)
    if 400 <= code < 500:
        return ConnectorErrorInfo(ErrorClass.RETRYABLE, status, f"The mail server asks to try again later ({status}).")
    if code == 552 or status in ("5.2.3", "5.3.4"):
        return ConnectorErrorInfo(ErrorClass.CONTENT, status, "The message is larger than the mail server takes.")
    if step == "recipient":
        return ConnectorErrorInfo(ErrorClass.RECIPIENT, status, f"The mail server refuses the recipient ({status}).")
    if step == "sender":
        words = f"The mail server does not let this address send ({status})."
        return ConnectorErrorInfo(ErrorClass.PERMISSION, status, words)
    if step == "data":
        words = f"The mail server refuses the message, often as spam ({status})."
        return ConnectorErrorInfo(ErrorClass.CONTENT, status, words)
    return ConnectorErrorInfo(ErrorClass.RETRYABLE, status, f"The mail server refuses the connection ({status}).")
