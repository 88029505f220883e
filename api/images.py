"""
``/api/v1/images/{signed}``: a remote image of a mail, fetched by us, so that its sender's server sees neither the
reader nor a second look. The signature is the permission; no cookie is read here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import msgspec
from starlette.responses import Response

from api.call import required
from connectors.images import Problem
from hub import clock
from hub.contacts import actions as contacts
from hub.throttle import Allowance

if TYPE_CHECKING:
    from api.call import Call, MemberCall
    from hub.images.cache import KeptImage

PATH: Final = "/api/v1/images"
# A newsletter has 50 images, and an office reads behind one address.
_ANSWERS_PER_MINUTE: Final = 3_000
_FETCHES_PER_MINUTE: Final = 600
_FAILED_AGE_S: Final = 300
# Transparent, 1 x 1: what fails leaves the mail's layout as it is.
_NOTHING: Final = bytes.fromhex(
    "47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b"
)
_STATUS: Final = {
    Problem.GONE: 404,
    Problem.REFUSED: 403,
    Problem.UNREACHABLE: 502,
    Problem.SLOW: 504,
    Problem.TOO_LARGE: 502,
    Problem.NOT_AN_IMAGE: 415,
    Problem.BUSY: 503,
}


class PicturesRequest(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Whether mails of a contact show their pictures without being asked."""

    shown: bool


async def read(call: Call) -> Response:
    """Answer with the image a token names; one that cannot be had is an empty image and a status that says why."""
    now_s = clock.now().timestamp()
    link = required(call.resources.image_links, "secret key").read(call.path["signed"], now_s)
    throttle = call.resources.throttle
    await throttle.take([Allowance(f"images:address:{call.address}", _ANSWERS_PER_MINUTE, 60)], strict=False)
    images = required(call.resources.images, "image proxy")
    image = await images.find(link.workspace_id, link.url)
    if image is None:
        limit = Allowance(f"images:workspace:{link.workspace_id}", _FETCHES_PER_MINUTE, 60)
        await throttle.take([limit], strict=False)
        image = await images.fetch(link.workspace_id, link.url)
    return _answer(image, int(link.expires_at_s - now_s))


async def show(call: MemberCall) -> None:
    """Say whether pictures of a contact's mails are shown to everybody here without being asked."""
    wanted = await call.decode(PicturesRequest)
    workspace_id, contact_id = call.actor.workspace_id, call.path_id("contact_id")
    async with call.resources.database.transaction([workspace_id]) as conn:
        await contacts.show_pictures(conn, workspace_id, contact_id, shown=wanted.shown, member_id=call.actor.member_id)


def _answer(image: KeptImage, rest_s: int) -> Response:
    headers = {
        "content-security-policy": "sandbox; default-src 'none'; base-uri 'none'; frame-ancestors 'self'",
        "x-content-type-options": "nosniff",
        "referrer-policy": "no-referrer",
        "x-robots-tag": "noindex",
    }
    if not image.problem:
        headers["cache-control"] = f"private, max-age={max(0, rest_s)}, immutable"
        return Response(image.data, 200, headers, image.mime)
    headers["cache-control"] = f"private, max-age={_FAILED_AGE_S}"
    return Response(_NOTHING, _STATUS[Problem(image.problem)], headers, "image/gif")
