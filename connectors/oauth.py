"""What a channel brings that is connected by signing in at its vendor. A part of ``base``, which names all of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from connectors.base import Account


class OAuthApp(msgspec.Struct, frozen=True, kw_only=True):
    """
    The app that people allow to act for them at a vendor: the installation's, or a member's own.

    Attributes:
        client_secret: Empty for a public client, which PKCE alone protects.
        base_url: The vendor's origin where it is not the vendor's own (an emulator, a region); else empty.
        redirect_uri: Where the vendor sends browsers back; registered there, the same for a channel's every account.
        settings: The account's, as entered: a tenant, a region.
    """

    client_id: str
    client_secret: str = ""
    base_url: str = ""
    redirect_uri: str
    settings: Mapping[str, str] = {}

    def __repr__(self) -> str:
        return "OAuthApp()"


class Granted(msgspec.Struct, frozen=True, kw_only=True):
    """
    What a vendor granted.

    Attributes:
        credentials: What to keep, beside what the form holds; of a renewal what is new. A rolled refresh token is new.
        settings: Public facts to keep, e.g. the mailbox's address.
        external_ref: The vendor's own id of the account.
        name: What to call it, where the member gave it no name.
        expires_at: When the token ends, aware; None where it does not.
    """

    credentials: Mapping[str, str]
    settings: Mapping[str, str] = {}
    external_ref: str = ""
    name: str = ""
    expires_at: datetime | None = None

    def __repr__(self) -> str:
        return f"Granted(expires_at={self.expires_at})"


@dataclass(frozen=True, slots=True, kw_only=True)
class OAuth:
    """
    How a channel is connected by signing in at its vendor. State, PKCE and the keeping of tokens are the hub's.

    Attributes:
        authorize_url: Where the browser goes, of app, state, PKCE challenge (S256) and settings. Pure.
        exchange: Turns code and PKCE verifier into tokens. Raises ConnectorError.
        renew: Makes new tokens of the account's, once for all workers; None where tokens do not end. Raises
            ConnectorError, AUTH when only a person can mend it.
    """

    authorize_url: Callable[[OAuthApp, str, str, Mapping[str, str]], str]
    exchange: Callable[[OAuthApp, str, str], Awaitable[Granted]]
    renew: Callable[[OAuthApp, Account], Awaitable[Granted]] | None = None
