"""Files at the emulated Twilio: of texters, behind keys and a redirect; and ours, fetched as Twilio fetches them."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field

import httpx

from scripts.emulators.http1 import Answer, Request
from scripts.emulators.twilio_rules import error

STORE_PATH = "/_store/"
FETCH_TIMEOUT_S = 10.0
LIMIT_BYTES = 5_000_000


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Types only; the product has its own list.
# Source: twilio.com/docs/messaging/guides/accepted-mime-types, read 2026-11-22.
_ACCEPTED = {
    "image": _names("jpeg jpg gif png bmp tiff heic heif"),
    "audio": _names("basic l24 mp4 mpeg ogg vnd.rn-realaudio vnd.wave 3gpp 3gpp2 ac3 webm amr-nb amr aac"),
    "video": _names("mpeg mp4 quicktime webm 3gpp 3gpp2 3gpp-tt h261 h263 h263-1998 h263-2000 h264"),
    "text": _names("vcard x-vcard csv rtf richtext calendar directory"),
    "application": _names("pdf vcard vnd.apple.pkpass rtf"),
}

# Twilio's errors: https retrieval failure, wrong content type, too large.
UNREACHABLE, WRONG_TYPE, TOO_LARGE = 11200, 12300, 11751


@dataclass(slots=True)
class MediaStore:
    """What texters sent: ``/…/Media/ME…`` needs the account's keys and redirects to a store that refuses them."""

    account_path: str
    files: dict[str, tuple[bytes, str]] = field(default_factory=dict)

    def add(self, body: bytes, content_type: str) -> str:
        """Keep a file; returns the path of its media resource."""
        sid = "ME" + secrets.token_hex(16)
        self.files[sid] = (body, content_type)
        return f"{self.account_path}/Messages/MM{secrets.token_hex(16)}/Media/{sid}"

    def redirect(self, _request: Request, sid: str) -> Answer:
        """Answer for a media resource; the keys were checked before."""
        if sid not in self.files:
            return error(404, 20404, "The requested media was not found")
        return Answer(307, b"", headers={"Location": f"{STORE_PATH}{sid}?signature={secrets.token_hex(8)}"})

    def read_stored(self, request: Request) -> Answer:
        """Answer for the store: as S3 does, it refuses a call with a signature and keys at once."""
        if "authorization" in request.headers or "signature" not in dict(request.query):
            return Answer(400, b"<Error><Code>InvalidArgument</Code></Error>", "application/xml")
        found = self.files.get(request.path.removeprefix(STORE_PATH))
        if found is None:
            return Answer(403, b"<Error><Code>AccessDenied</Code></Error>", "application/xml")
        return Answer(200, found[0], found[1])


async def fetch_media(urls: list[str]) -> tuple[list[dict[str, object]], int]:
    """
    Fetch what a message names.

    Returns:
        Type, size, SHA-256 and name of each file, and the code of the error that ends the message, 0 for none.
    """
    fetched: list[dict[str, object]] = []
    total_bytes = 0
    async with httpx.AsyncClient(timeout=FETCH_TIMEOUT_S, trust_env=False, follow_redirects=True) as http:
        for url in urls:
            try:
                head = await http.head(url)
                answer = await http.get(url)
            except httpx.HTTPError:
                return fetched, UNREACHABLE
            if answer.status_code != 200 or head.status_code != 200:
                return fetched, UNREACHABLE
            content_type = answer.headers.get("content-type", "").partition(";")[0].lower()
            family, _, subtype = content_type.partition("/")
            if subtype not in _ACCEPTED.get(family, frozenset()):
                return fetched, WRONG_TYPE
            total_bytes += len(answer.content)
            if total_bytes > LIMIT_BYTES:
                return fetched, TOO_LARGE
            fetched.append(
                {
                    "content_type": content_type,
                    "size_bytes": len(answer.content),
                    "sha256": hashlib.sha256(answer.content).hexdigest(),
                    "disposition": answer.headers.get("content-disposition", ""),
                }
            )
    return fetched, 0
