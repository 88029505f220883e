"""One of everybody who may call: nobody, a visitor, each role, a custom role, a key, somebody who was let go."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import asyncpg

from api.uploads import Uploads
from connectors.images import ImageFetcher
from connectors.registry import ConnectorRegistry
from hub import clock
from hub.accounts import sessions
from hub.accounts.model import Permission, Role
from hub.attachments.keeping import Keeper
from hub.attachments.links import PURPOSE as FILES
from hub.attachments.links import FileLinks
from hub.blobs import Blobs
from hub.channels.routes import ChannelRoutes
from hub.channels.sealing import Sealer
from hub.channels.visitors import TOKEN_PURPOSE, VisitorClaims, VisitorTokens
from hub.images.cache import ImageCache
from hub.images.links import PURPOSE as IMAGES
from hub.images.links import ImageLinks
from hub.keys import actions as keys
from hub.keys.model import KeyKind, NewKey
from hub.keys.token import PEPPER_PURPOSE, Pepper
from tests.integration.hub.accounts.desk import Desk
from tests.unit.hub.accounts.test_policy import MATRIX

if TYPE_CHECKING:
    from uuid import UUID

    from api.call import Resources
    from tests.factories import WorkspaceFacts

SECRET = "k" * 40
CUSTOM = Permission.CONTACTS_WRITE
SCOPE = Permission.INBOX_READ
PEOPLE = (
    *("nobody", "visitor", "viewer", "agent", "admin", "owner"),
    *("custom role", "API key", "let go", "stranger", "operator", "owner without proof"),
)


@dataclass(frozen=True)
class Everybody:
    """Tokens by person, ``""`` for nobody; ``allowed`` what each may do by the catalogue."""

    tokens: dict[str, str]
    allowed: dict[str, frozenset[Permission]]


def with_channels(parts: Resources) -> Resources:
    """Give the parts of a process what keys, visitors and files need."""
    parts.sealer = Sealer({1: SECRET})
    parts.registry = ConnectorRegistry.load()
    parts.routes = ChannelRoutes(parts.database, parts.sealer)
    parts.keeper = Keeper(parts.database, Blobs.in_folder(parts.frontend_dir.parent / "files"))
    parts.uploads = Uploads(parts.database, parts.keeper, 100_000_000)
    parts.file_links = FileLinks(parts.sealer.derive_keys(FILES))
    parts.image_links = ImageLinks(parts.sealer.derive_keys(IMAGES))
    parts.images = ImageFetcher(ImageCache(parts.frontend_dir.parent / "images", {1: b"k" * 32}))
    return parts


def visitor_token(parts: Resources, workspace: WorkspaceFacts) -> str:
    """Sign a visitor's token of the workspace's live chat."""
    claims = VisitorClaims(
        workspace_id=workspace.id,
        channel_account_id=workspace.livechat_id,
        visitor_id=clock.new_id(),
        expires_at_s=int(clock.now().timestamp()) + 3600,
    )
    return VisitorTokens(parts.sealer.derive_keys(TOKEN_PURPOSE)).sign(claims)


async def gather(parts: Resources, workspace: WorkspaceFacts, stranger: UUID, owner_url: str) -> Everybody:
    """Sign everybody in; ``stranger`` is a login of another workspace."""
    desk = Desk(parts.database, workspace)
    logins: dict[str, UUID] = {"owner": workspace.login_id, "owner without proof": workspace.login_id}
    for role in (Role.VIEWER, Role.AGENT, Role.ADMIN):
        logins[role.value] = (await desk.actor((await desk.add(role.value, role)).id)).login_id
    logins["custom role"] = (await desk.actor((await desk.with_custom_role("Cleo", CUSTOM)).id)).login_id
    gone = await desk.add("Gone", Role.OWNER)
    logins["let go"] = (await desk.actor(gone.id)).login_id
    logins["stranger"] = stranger
    # Runs the installation, and is a viewer here.
    logins["operator"] = (await desk.actor((await desk.add("Operator", Role.VIEWER)).id)).login_id
    tokens = {"nobody": "", "visitor": visitor_token(parts, workspace)}
    for person, login_id in logins.items():
        async with parts.database.across() as conn:
            tokens[person] = (await sessions.start(conn, login_id)).token
    async with parts.database.transaction([workspace.id]) as conn:
        await conn.execute("UPDATE member SET active = false WHERE id = $1", gone.id)
    database_owner = await asyncpg.connect(owner_url)
    await database_owner.execute(
        "UPDATE login_session SET proved_at = now() - interval '1 hour' WHERE token_hash = $1",
        sessions.token_hash(tokens["owner without proof"]),
    )
    await database_owner.execute("UPDATE login SET is_operator = id = $1", logins["operator"])
    await database_owner.close()
    none: frozenset[Permission] = frozenset()
    allowed = dict.fromkeys(PEOPLE, none) | {role.value: frozenset(MATRIX[role]) for role in Role}
    allowed["owner without proof"] = allowed["owner"]
    allowed["operator"] = allowed["viewer"]
    allowed["custom role"] = frozenset({Permission.INBOX_READ, CUSTOM})
    allowed["API key"] = frozenset({SCOPE})
    tokens["API key"] = await _key(parts, desk)
    return Everybody(tokens, allowed)


async def _key(parts: Resources, desk: Desk) -> str:
    pepper = Pepper(parts.sealer.derive_keys(PEPPER_PURPOSE))
    wanted = NewKey(kind=KeyKind.WORKSPACE, name="Export", scopes=(SCOPE,), inbox_ids=None, expires_at=None)
    owner = await desk.owner()
    async with parts.database.transaction([desk.id]) as conn:
        return (await keys.make_key(conn, pepper, keys.Caller(owner), wanted)).token
