"""The SDK's HTTP client at a configurable address, which knows whether a request's body had left before it failed."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response
from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from connectors.http import read_retry_after
from connectors.twilio.errors import NoAnswer


class Wire(TwilioHttpClient):
    """
    One short-lived connection to Twilio, without retries.

    Attributes:
        body_left: Whether the newest request's body has begun to leave.
        retry_after_s: What the newest answer asked for, seconds.
    """

    def __init__(self, base_url: str, timeout_s: float) -> None:
        super().__init__(timeout=timeout_s, max_retries=0)
        self.body_left = False
        self.retry_after_s: float | None = None
        self._base = urlsplit(base_url) if base_url else None
        adapter = _WatchingAdapter(self)
        self._live = requests.Session()
        self._live.mount("https://", adapter)
        self._live.mount("http://", adapter)
        self.session = self._live

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,  # noqa: FBT001, FBT002  the SDK's own signature
    ) -> Response:
        """
        Make one request.

        Raises:
            NoAnswer: None came back.
        """
        self.body_left, self.retry_after_s = False, None
        address = self._at_base(url)
        try:
            response = super().request(method, address, params, data, headers, auth, timeout, allow_redirects)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise NoAnswer(body_left=self.body_left) from error
        self.retry_after_s = read_retry_after((response.headers or {}).get("Retry-After", ""), datetime.now(UTC))
        return response

    def log_request(self, kwargs: dict[str, Any]) -> None:
        """Write nothing: the SDK would log phone numbers and message texts."""

    def log_response(self, status_code: int, response: requests.Response) -> None:
        """Write nothing, as above."""

    def close(self) -> None:
        """Give the connection back to the system."""
        self._live.close()

    def _at_base(self, url: str) -> str:
        if self._base is None:
            return url
        return urlsplit(url)._replace(scheme=self._base.scheme, netloc=self._base.netloc).geturl()


class _WatchingAdapter(HTTPAdapter):
    """Opens connections that tell the wire when their headers are out and the body follows."""

    def __init__(self, wire: Wire) -> None:
        self._pools = _watching_pools(wire)
        super().__init__(max_retries=0)
        self.poolmanager.pool_classes_by_scheme = self._pools

    def proxy_manager_for(self, proxy: str, **proxy_kwargs: object) -> urllib3.ProxyManager:
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **proxy_kwargs)
        manager.pool_classes_by_scheme = self._pools
        return manager


def _watching_pools(wire: Wire) -> dict[str, type[HTTPConnectionPool]]:
    class Plain(HTTPConnection):
        def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:  # noqa: ANN401  http.client's
            super().endheaders(message_body, encode_chunked=encode_chunked)
            wire.body_left = True

    class Secure(HTTPSConnection):
        def endheaders(self, message_body: Any = None, *, encode_chunked: bool = False) -> None:  # noqa: ANN401  http.client's
            super().endheaders(message_body, encode_chunked=encode_chunked)
            wire.body_left = True

    class PlainPool(HTTPConnectionPool):
        ConnectionCls = Plain  # pyright: ignore[reportAssignmentType]  # urllib3's own classes fail its protocol too

    class SecurePool(HTTPSConnectionPool):
        ConnectionCls = Secure  # pyright: ignore[reportAssignmentType]  # as above

    return {"http": PlainPool, "https": SecurePool}
