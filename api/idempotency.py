"""
Idempotency-Key: a POST that carries one is done once, and the same call sent again gets the same answer.

Around the handler of every POST by somebody signed in; without the header nothing happens here. What it guarantees, and
what not, is in docs/decisions/0026-api-keys.md.
"""

from __future__ import annotations

import hashlib
import re
from typing import TYPE_CHECKING, Final

from starlette.requests import Request
from starlette.responses import Response

from hub.errors import Conflict, InvalidInput, Unavailable
from hub.keys import answers
from hub.keys.answers import MOST_BODY_BYTES, KeptAnswer, Place
from hub.log import get_logger

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from starlette.types import Message

    from api.call import Call
    from api.route import Route

# Printable ASCII without spaces: a key that proxies change on the way would protect nothing.
_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}")
# The longest body of any POST: a file in one piece.
_BODY_LIMIT_BYTES: Final = 8 * 1024 * 1024 + 1024
# Says nothing about the call itself: who was not let in, or came too fast or at a bad moment, may try again.
_NOT_KEPT: Final = frozenset({401, 403, 408, 425, 429})
_log = get_logger("api")


def idempotency_key(route: Route, call: Call) -> str | None:
    """
    Read the header, where the route takes it.

    Raises:
        InvalidInput: It is empty, too long or not printable.

    Source:
        draft-ietf-httpapi-idempotency-key-header-06 (2025). Ours is taken as it stands, with or without quotes.
    """
    text = call.request.headers.get("idempotency-key")
    if text is None or route.method != "POST":
        return None
    if not _KEY.fullmatch(text):
        raise InvalidInput("Idempotency-Key", "Use 1 to 255 printable characters, for example a UUID.")
    return text


async def read_once(call: Call) -> bytes:
    """Read a body that the handler will read again, and leave it where it does."""
    body = await call.body(_BODY_LIMIT_BYTES)

    async def replay() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    call.request = Request(call.request.scope, replay)
    return body


async def answer_once(call: Call, route: Route, place: Place, work: Callable[[], Awaitable[Response]]) -> Response:
    """
    Do a call's work unless it was done before.

    Args:
        call: By somebody signed in.
        route: Its line of the table.
        place: Whose key it is.
        work: Calls the handler; makes an answer of every error.

    Returns:
        The work's answer, or the one kept of the first call, with ``Idempotent-Replayed: true``.

    Raises:
        AnswerPendingError, IdempotencyKeyReusedError: As ``answers.begin``.
        Conflict: It was done before, and its answer is shown once only.
    """
    database = call.resources.database
    request_hash = _hash(call, await read_once(call))
    async with database.transaction([place.workspace_id]) as conn:
        begun = await answers.begin(conn, place, request_hash)
    if isinstance(begun, KeptAnswer):
        return _replay(begun)
    response = await work()
    try:
        async with database.transaction([place.workspace_id]) as conn:
            if response.status_code >= 500 or response.status_code in _NOT_KEPT:
                await answers.drop(conn, place, begun)
            else:
                await answers.keep(conn, place, begun, _kept(route, response))
    except Unavailable:
        # The work is done, or refused, and whoever called hears of it; who asks again waits for the lease.
        _log.warning("answer_not_kept", route=place.route)
    return response


def _hash(call: Call, body: bytes) -> bytes:
    """Everything that makes two calls the same: address with its ids, parameters, kind of body, body."""
    request = call.request
    parts = (request.url.path, request.url.query, request.headers.get("content-type", ""))
    return hashlib.sha256("\n".join(parts).encode("utf-8", "replace") + b"\n" + body).digest()


def _kept(route: Route, response: Response) -> KeptAnswer:
    body = bytes(response.body)
    is_kept = len(body) <= MOST_BODY_BYTES and not (route.shows_secret and response.status_code < 400)
    return KeptAnswer(response.status_code, response.headers.get("content-type", ""), body if is_kept else None)


def _replay(kept: KeptAnswer) -> Response:
    if kept.body is None:
        raise Conflict("This call was done already. Its answer was shown once and is not kept.")
    response = Response(kept.body, kept.status)
    if kept.media_type:
        response.headers["content-type"] = kept.media_type
    response.headers["idempotent-replayed"] = "true"
    return response
