"""What a handler gets: the request, the parts of this process, and who calls. Reads bodies; knows no routes."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol, TypeVar
from uuid import UUID

import msgspec
from prometheus_client import CollectorRegistry

from api.body import decode
from hub.audit.model import ActorKind, Caller
from hub.errors import InvalidInput, NotFound, TooLarge, Unavailable, UnsupportedMediaType
from hub.tracing import NO_TRACER, Tracer

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from redis.asyncio import Redis
    from starlette.requests import Request

    from api.uploads import Uploads
    from connectors.account_notes import AccountNotes
    from connectors.images import ImageFetcher
    from connectors.ingress import IngressWriter
    from connectors.registry import ConnectorRegistry
    from connectors.renewal import Renewals
    from hub.access.cache import AccessCache
    from hub.accounts.model import Actor, Entered, SignedIn
    from hub.accounts.passwords import Passwords
    from hub.attachments.keeping import Keeper
    from hub.attachments.links import FileLinks
    from hub.channels.routes import ChannelRoutes
    from hub.channels.sealing import Sealer
    from hub.config import Settings
    from hub.db import Database
    from hub.images.links import ImageLinks
    from hub.installation.counting import UsageCounts
    from hub.installation.flags import Flags
    from hub.metrics import MetricsExchange
    from hub.notices.digest import DigestLinks
    from hub.push.sending import PushSender
    from hub.realtime.hub import RealtimeHub
    from hub.realtime.presence import Presence
    from hub.signin.issuers.provider import Issuers
    from hub.streams import IngressStreams
    from hub.throttle import Throttle

T = TypeVar("T")

BODY_LIMIT_BYTES: Final = 1024 * 1024
# A body that trickles in holds a connection and its buffer; honest clients need far less.
_BODY_TIMEOUT_S: Final = 30
_INTEGER: Final = re.compile(r"[0-9]{1,9}")
# No more than what cannot be JSON: many a client names a wrong type, or none, and sends JSON.
_NOT_JSON: Final = re.compile(r"(multipart|image|audio|video)/|[a-z]{1,40}/([a-z.]{1,80}\+)?xml\b", re.IGNORECASE)


class TicketFacts(msgspec.Struct, frozen=True):
    """Whom a socket ticket lets in."""

    workspace_id: int
    member_id: UUID
    login_id: UUID
    session_id: UUID


class TicketStore(Protocol):
    """Keeps socket tickets: each opens one socket once, within ``lifetime_s``."""

    lifetime_s: int

    async def issue(self, facts: TicketFacts) -> str:
        """Make a ticket; ``Unavailable`` when it cannot be kept."""
        ...


@dataclass(slots=True, kw_only=True)
class Resources:
    """
    The parts of one serve process, made by ``api/compose.py``; a part that is absent is None.

    Attributes:
        setup_token: What the set-up page must show; empty closes set-up over HTTP.
        frontend_dir: Holds ``app/index.html`` and ``widget/`` once they are built.
        metrics: Where parts register their counters.
        exchange: Knows the counters of all processes; without it /metrics shows this one's.
        tracer: Follows calls that write.
        access: Remembers who tokens are; without it Postgres is asked at each call.
        redis_durable: Only asked whether it answers; the streams have their own way to it.
    """

    settings: Settings
    database: Database
    passwords: Passwords
    throttle: Throttle
    frontend_dir: Path
    setup_token: str = ""
    redis_durable: Redis | None = None
    redis_ephemeral: Redis | None = None
    tickets: TicketStore | None = None
    ingress: IngressStreams | None = None
    ingress_writer: IngressWriter | None = None
    broker: object | None = None
    realtime: RealtimeHub | None = None
    presence: Presence | None = None
    registry: ConnectorRegistry | None = None
    routes: ChannelRoutes | None = None
    renewals: Renewals | None = None
    notes: AccountNotes | None = None
    sealer: Sealer | None = None
    keeper: Keeper | None = None
    uploads: Uploads | None = None
    file_links: FileLinks | None = None
    image_links: ImageLinks | None = None
    images: ImageFetcher | None = None
    digest_links: DigestLinks | None = None
    issuers: Issuers | None = None
    push_sender: PushSender | None = None
    exchange: MetricsExchange | None = None
    access: AccessCache | None = None
    usage: UsageCounts | None = None
    flags: Flags | None = None
    tracer: Tracer = NO_TRACER
    metrics: CollectorRegistry = field(default_factory=lambda: CollectorRegistry(auto_describe=True))


def required(part: T | None, what: str) -> T:
    """Return a part that this process must have for a call; ``Unavailable`` where it was not built."""
    if part is None:
        raise Unavailable(f"This process has no {what}.")
    return part


@dataclass(slots=True, kw_only=True)
class Call:
    """
    One call of any route.

    Attributes:
        path: The values in the route's path, as text.
        address: Whom the call comes from, for throttling: an IPv4 address or the /64 of an IPv6 one.
    """

    request: Request
    resources: Resources
    path: Mapping[str, str]
    query: Mapping[str, str]
    address: str

    def path_id(self, name: str, kind: str | None = None) -> UUID:
        """
        Read a UUID in the path.

        Args:
            name: Its name in the route, e.g. ``conversation_id``.
            kind: The noun of the error; by default the name without ``_id``.

        Raises:
            NotFound: It is no UUID, so nothing has that id.
        """
        try:
            return UUID(self.path[name])
        except ValueError:
            raise NotFound(kind or name.removesuffix("_id").replace("_", " ")) from None

    def query_int(self, name: str, default: int, *, low: int, high: int) -> int:
        """Read a whole number of the query, ``default`` when it is left out; ``InvalidInput`` outside low-high."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not _INTEGER.fullmatch(text) or not low <= int(text) <= high:
            raise InvalidInput(name, f"Use a whole number from {low} to {high}.")
        return int(text)

    async def body(self, limit_bytes: int = BODY_LIMIT_BYTES) -> bytes:
        """
        Read the whole body.

        Args:
            limit_bytes: Longest taken.

        Raises:
            TooLarge: It is longer; what was read is dropped.
            InvalidInput: It did not arrive in time.
        """
        declared = self.request.headers.get("content-length", "")
        if declared.isdecimal() and int(declared[:20]) > limit_bytes:
            raise TooLarge(limit_bytes)
        chunks: list[bytes] = []
        size_bytes = 0
        try:
            async with asyncio.timeout(_BODY_TIMEOUT_S):
                async for chunk in self.request.stream():
                    size_bytes += len(chunk)
                    if size_bytes > limit_bytes:
                        raise TooLarge(limit_bytes)
                    chunks.append(chunk)
        except TimeoutError:
            raise InvalidInput("body", "The body did not arrive in time.") from None
        return b"".join(chunks)

    async def decode(self, type_: type[T]) -> T:
        """
        Read the body as JSON of a given shape.

        Args:
            type_: A struct.

        Raises:
            InvalidInput: Not JSON, or not of that shape; ``field`` names what is wrong.
            TooLarge: More than 1 MiB.
            UnsupportedMediaType: It is said to be a form, a file or XML.
        """
        if _NOT_JSON.match(self.request.headers.get("content-type", "").lstrip()):
            raise UnsupportedMediaType
        return decode(await self.body(), type_)


@dataclass(slots=True, kw_only=True)
class SessionCall(Call):
    """A call by somebody signed in; ``token`` is their session's secret, ``entered`` says that it is an operator's."""

    signed_in: SignedIn
    token: str
    entered: Entered | None = None

    @classmethod
    def of_session(cls, call: Call, signed_in: SignedIn, token: str, entered: Entered | None = None) -> SessionCall:
        """Add to a call whose session it carries."""
        return SessionCall(
            request=call.request,
            resources=call.resources,
            path=call.path,
            query=call.query,
            address=call.address,
            signed_in=signed_in,
            token=token,
            entered=entered,
        )


@dataclass(slots=True, kw_only=True)
class MemberCall(SessionCall):
    """A call under ``/workspaces/{workspace_id}`` by a member who may do what the route is for."""

    actor: Actor

    @property
    def caller(self) -> Caller:
        """Who is to be named in the audit log."""
        if self.actor.key_id is not None:
            return Caller(ActorKind.KEY, self.actor.key_id, self.address)
        return Caller(ActorKind.MEMBER, self.actor.member_id, self.address)

    @classmethod
    def of_member(cls, call: Call, signed_in: SignedIn, token: str, actor: Actor) -> MemberCall:
        """Add to a call which member makes it."""
        return MemberCall(
            request=call.request,
            resources=call.resources,
            path=call.path,
            query=call.query,
            address=call.address,
            signed_in=signed_in,
            token=token,
            actor=msgspec.structs.replace(actor, address=call.address),
        )
