"""
One exchange of the SDK with Google: a connection of its own, never made twice.

The SDK's own transport repeats a request whose connection broke, up to three times, sends among them, and shares
connections between threads that must not (httplib2 0.32; measured with the emulator's ``reset``).
"""

from __future__ import annotations

from collections.abc import Mapping
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from urllib.parse import urlsplit

from httplib2 import Response

from connectors.gmail.errors import TOO_LARGE, failure
from hub.errors import ErrorClass


class Line:
    """
    What the SDK takes for its transport.

    Args:
        origin: Where the token belongs; any other address is refused.
        token: Access token.
        timeout_s: For connecting, and for each wait for bytes.
        limit_bytes: Longest answer that is read.
    """

    def __init__(self, origin: str, token: str, timeout_s: float, limit_bytes: int) -> None:
        self._origin, self._token = origin, token
        self._timeout_s, self._limit_bytes = timeout_s, limit_bytes

    def request(
        self,
        uri: str,
        method: str = "GET",
        body: str | bytes | None = None,
        headers: Mapping[str, str] | None = None,
        **_more: object,
    ) -> tuple[Response, bytes]:
        """
        Make one exchange; the names are the SDK's.

        Raises:
            ConnectorError: ``RETRYABLE`` where Google was not reached, ``AMBIGUOUS`` where it went silent.
        """
        parts = urlsplit(uri)
        if f"{parts.scheme}://{parts.netloc}" != self._origin:
            raise failure(ErrorClass.PERMANENT, "address", "Google named an address that is not its own.")
        kind = HTTPSConnection if parts.scheme == "https" else HTTPConnection
        connection = kind(parts.netloc, timeout=self._timeout_s)
        try:
            try:
                connection.connect()
            except OSError as error:
                raise failure(ErrorClass.RETRYABLE, "not_reached", "Google could not be reached.") from error
            # Compressed answers could be larger than they look.
            sent = {**(headers or {}), "authorization": f"Bearer {self._token}", "accept-encoding": "identity"}
            place = f"{parts.path}?{parts.query}" if parts.query else parts.path
            try:
                connection.request(method, place, body=body, headers=sent)
                answer = connection.getresponse()
                content = answer.read(self._limit_bytes + 1)
            except (OSError, HTTPException) as error:
                words = "Google did not confirm what was asked of it; it may have been done."
                raise failure(ErrorClass.AMBIGUOUS, "not_confirmed", words) from error
        finally:
            connection.close()
        if len(content) > self._limit_bytes:
            raise failure(ErrorClass.AMBIGUOUS, TOO_LARGE, "Google's answer is longer than is read.")
        told = {name.lower(): value for name, value in answer.getheaders()}
        shown: Response = Response({**told, "status": str(answer.status)})  # type: ignore[no-untyped-call]  # the SDK's
        return shown, content
