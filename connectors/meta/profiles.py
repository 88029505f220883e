"""Asks Meta what a person is called: calls carry ids only."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from connectors.base import Profile
from connectors.meta.graph import Asking, ask_graph
from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

if TYPE_CHECKING:
    from connectors.base import Account
    from connectors.meta.product import Product
    from hub.envelope import Identity


class _Person(msgspec.Struct, frozen=True):
    """Every field is absent, or null, where the person does not show it."""

    name: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    username: str | None = None
    profile_pic: str | None = None


async def profile_of(account: Account, product: Product, identity: Identity) -> Profile:
    """
    Ask for a person's name and picture.

    Args:
        account: Whose token is used.
        product: Which of the two.
        identity: An id of this page or account.

    Raises:
        ConnectorError: ``RECIPIENT`` for who has no profile, ``PERMISSION`` where Meta has not approved the app for it.

    Source:
        developers.facebook.com/docs/messenger-platform/identity/user-profile and
        developers.facebook.com/docs/instagram-platform, User Profile API, read 2026-11-23.
    """
    if not identity.value.isascii() or not identity.value.isalnum():
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.RECIPIENT, "id", f"{product.vendor} has no such id."))
    asking = Asking(method="GET", path=identity.value, query={"fields": ",".join(product.profile)})
    found = await ask_graph(account, product.vendor, asking, _Person)
    parts = [one.strip() for one in (found.first_name, found.last_name) if one and one.strip()]
    return Profile(
        name=(found.name or "").strip() or " ".join(parts),
        handle=found.username or None,
        avatar_url=found.profile_pic or None,
    )
