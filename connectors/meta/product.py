"""What differs between Meta's two messaging products, Messenger and Instagram, as data."""

from __future__ import annotations

import msgspec


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """
    One of the products.

    Attributes:
        channel: Folder of the channel.
        vendor: As members read it.
        object: What webhook calls say they are about.
        scheme: Of people's ids, which are good for one page or account only.
        account_setting: Name of the setting with the id of our page or account.
        part_bytes: Longest text of one message, UTF-8; 0 where characters count.
        subscribed: Fields of webhooks that are asked for.
        profile: Fields of a person that are asked for.
        past: Fields of a message of the past that are asked for, beside those both have.
    """

    channel: str
    vendor: str
    object: str
    scheme: str
    account_setting: str
    part_bytes: int = 0
    subscribed: tuple[str, ...] = ()
    profile: tuple[str, ...] = ()
    past: tuple[str, ...] = ()
