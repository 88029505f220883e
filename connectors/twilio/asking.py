"""Asks Twilio through its SDK, in a thread, and says in our words what went wrong."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

import msgspec

from connectors.base import Account
from connectors.blocking import in_thread
from connectors.twilio.errors import NoAnswer, describe_answer
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException
    from twilio.http.response import Response
    from twilio.rest import Client

T = TypeVar("T")


class _Refusal(msgspec.Struct):
    code: int


async def ask(account: Account, timeout_s: float, question: Callable[[Client], T]) -> T:
    """
    Put a question to Twilio with an account's keys.

    Args:
        account: Its ``account_sid`` and ``auth_token`` are used.
        timeout_s: For connecting, and for each wait for bytes.
        question: What to do with the SDK; runs in a thread, which also loads it: half a second that receiving alone
            never needs.

    Returns:
        The answer of the question.

    Raises:
        ConnectorError: ``AMBIGUOUS`` for everything that does not prove nothing was done.
    """
    return await in_thread(lambda: _answer(account, timeout_s, question))


def check_account(client: Client, account_sid: str) -> None:
    """
    Ask whether the keys open the account, and whether it is active.

    Raises:
        ConnectorError: ``AUTH`` for wrong keys, ``ACCOUNT`` for a closed account.
    """
    from twilio.base.exceptions import TwilioRestException

    try:
        status = client.api.v2010.accounts(account_sid).fetch().status
    except TwilioRestException as error:
        if error.status in (401, 404):
            info = ConnectorErrorInfo(
                ErrorClass.AUTH, str(error.code), "Twilio did not accept the Account SID and Auth Token."
            )
            raise ConnectorError(info) from error
        raise
    if str(status) != "active":
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.ACCOUNT, "20005", f"The Twilio account is {status}."))


def classify(error: BaseException) -> ConnectorErrorInfo:
    """
    Turn whatever sending let through into our words.

    Args:
        error: Ours, the SDK's, or any other.

    Returns:
        ``AMBIGUOUS`` for everything that does not prove the message was not taken.
    """
    match error:
        case ConnectorError():
            return error.info
        case NoAnswer(body_left=False):
            return ConnectorErrorInfo(ErrorClass.RETRYABLE, "no_connection", "Twilio could not be reached.")
        case NoAnswer():
            return ConnectorErrorInfo(
                ErrorClass.AMBIGUOUS, "no_answer", "Twilio did not answer; it may have been sent."
            )
        case _ if (status := _sdk_status(error)) is not None:
            return describe_answer(status[0], status[1], None)
        case _:
            return ConnectorErrorInfo(ErrorClass.AMBIGUOUS, "unreadable", "Twilio's answer could not be read.")


def _sdk_status(error: BaseException) -> tuple[int, int] | None:
    """Return status and code of an error of the SDK, None for any other; an SDK that is not loaded raised nothing."""
    if "twilio.base.exceptions" not in sys.modules:
        return None
    from twilio.base.exceptions import TwilioRestException, TwilioServiceException

    if not isinstance(error, (TwilioRestException, TwilioServiceException)):
        return None
    return error.status, _code(error)


def _answer(account: Account, timeout_s: float, question: Callable[[Client], T]) -> T:
    """Call the SDK; whatever goes wrong becomes a ``ConnectorError``."""
    from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
    from twilio.http.response import Response
    from twilio.rest import Client

    from connectors.twilio.transport import Wire

    wire = Wire(account.base_url, timeout_s)
    client = Client(  # type: ignore[no-untyped-call]  # the SDK's constructor has no annotations
        account.credentials.get("account_sid", ""),
        account.credentials.get("auth_token", ""),
        http_client=wire,
        # Not the process's environment: TWILIO_REGION and TWILIO_EDGE would send the request elsewhere.
        environment={"TWILIO_REGION": ""},
    )
    try:
        return question(client)
    except (TwilioRestException, TwilioServiceException) as error:
        raise ConnectorError(describe_answer(error.status, _code(error), wire.retry_after_s)) from error
    except TwilioException as error:
        # Lists do not say what refused them but by the answer itself, their second argument.
        refused = error.args[1] if len(error.args) > 1 else None
        if not isinstance(refused, Response):
            raise ConnectorError(classify(error)) from error
        raise ConnectorError(describe_answer(refused.status_code, _code_in(refused), wire.retry_after_s)) from error
    except (NoAnswer, ValueError, AttributeError, TypeError) as error:
        raise ConnectorError(classify(error)) from error
    finally:
        wire.close()


def _code(error: TwilioRestException | TwilioServiceException) -> int:
    code = error.code
    return code if isinstance(code, int) else error.status


def _code_in(answer: Response) -> int:
    try:
        return msgspec.json.decode(answer.text, type=_Refusal).code
    except msgspec.MsgspecError:
        return int(answer.status_code)
