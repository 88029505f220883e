"""Facebook Messenger: signed calls in, the Graph API out. Found by the registry; see README.md."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from connectors.manifest import read_manifest
from connectors.meta.connector import make_connector
from connectors.meta.product import Product

PRODUCT: Final = Product(
    channel="messenger",
    vendor="Messenger",
    object="page",
    scheme="psid",
    account_setting="page_id",
    subscribed=(
        *("messages", "message_echoes", "message_deliveries", "message_reads", "message_reactions", "message_edits"),
        *("messaging_postbacks", "standby"),
    ),
    profile=("first_name", "last_name", "profile_pic"),
    past=("sticker",),
)
CONNECTOR = make_connector(read_manifest(Path(__file__).parent), PRODUCT)
