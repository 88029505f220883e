"""What LinkedIn lets an account do, by the product its owner was granted. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from hub.errors import ConnectorError, ConnectorErrorInfo, ErrorClass

SETTING: Final = "product"


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """
    A product of LinkedIn's, with what it allows.

    Attributes:
        scopes: What is asked for when somebody signs in.
        events_path: Where messages are read; empty where they are not.
        why_silent: Why nothing can be sent, in words; empty where members may write.
        explained: What is needed, and from whom, for the account's page; empty where nothing is missing.
    """

    scopes: str
    events_path: str = ""
    why_silent: str = ""
    explained: str = ""


_NONE: Final = Product(
    scopes="openid profile",
    why_silent="LinkedIn has granted this account no product that sends messages. Copy the draft and send it there.",
    explained=(
        "LinkedIn gives messages to nobody without a product it granted. Who wants them in here applies to LinkedIn: "
        "for the Messages API as a partner, or, as a member in the EEA or Switzerland, for Member Data Portability. "
        "Then choose the product in the settings and sign in again. Until then, drafts are sent by hand."
    ),
)
# Source: learn.microsoft.com/en-us/linkedin, Messages, Compliance Events and Member Changelog, read 2026-11-23. The
# paths of events and the scope of compliance are by the reference; both are settings.
PRODUCTS: Final[Mapping[str, Product]] = {
    "none": _NONE,
    "messages_api": Product(
        scopes="openid profile w_member_messages r_compliance", events_path="/rest/memberComplianceEvents"
    ),
    "member_portability": Product(
        scopes="r_dma_portability_3rd_party",
        events_path="/rest/memberChangeLogs",
        why_silent="Member Data Portability only reads. Copy the draft and send it at LinkedIn.",
        explained="Messages are read here and answered at LinkedIn: Member Data Portability only reads.",
    ),
}


def product_of(settings: Mapping[str, str]) -> Product:
    """Return what an account was granted; nothing where that is not known."""
    return PRODUCTS.get(settings.get(SETTING, ""), _NONE)


def scopes_of(settings: Mapping[str, str]) -> str:
    """Return what is asked for at sign-in: what the settings say, else the product's own."""
    return settings.get("scopes", "").strip() or product_of(settings).scopes


def require_writing(settings: Mapping[str, str]) -> None:
    """
    Let through only accounts that may send.

    Raises:
        ConnectorError: ``PERMISSION``, in words.
    """
    if why := product_of(settings).why_silent:
        raise ConnectorError(ConnectorErrorInfo(ErrorClass.PERMISSION, "no_product", why))
