"""Pictures that mails name; a part of the one table, ``routes.py``."""

from __future__ import annotations

from typing import Final

from api import images
from api.route import Access, Route
from hub.accounts.model import Permission

_API: Final = "/api/v1"
_WORKSPACE: Final = f"{_API}/workspaces/{{workspace_id}}"

IMAGE_ROUTES: Final[tuple[Route, ...]] = (
    Route(
        "PUT",
        f"{_WORKSPACE}/contacts/{{contact_id}}/pictures",
        images.show,
        Permission.CONTACTS_WRITE,
        status=204,
        body=images.PicturesRequest,
    ),
    # Open: its frame sends no cookie that counts, the signature is the permission.
    Route("GET", f"{_API}/images/{{signed}}", images.read, Access.OPEN),
)
