"""Instagram's direct messages: signed calls in, the Graph API out. Found by the registry; see README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connectors.manifest import read_manifest
from connectors.meta.connector import make_connector
from connectors.meta.product import Product

# 1,000 bytes of UTF-8 a message, by what others found (not Meta's own words): longer texts go in parts.
PRODUCT: Final = Product(
    channel="instagram",
    vendor="Instagram",
    object="instagram",
    scheme="igsid",
    account_setting="instagram_id",
    part_bytes=1000,
    subscribed=("messages", "messaging_seen", "message_reactions", "message_edit", "messaging_postbacks", "standby"),
    profile=("name", "username", "profile_pic"),
    past=("story", "is_unsupported"),
)
CONNECTOR = make_connector(read_manifest(Path(__file__).parent), PRODUCT)
