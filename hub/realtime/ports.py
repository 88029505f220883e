"""What the real-time core needs from the layers above it: who somebody is, what the log says, what a message does."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Literal, NamedTuple, Protocol
from uuid import UUID

import msgspec

from hub.events.model import ConversationRange, LoggedEvent, LogRange, VisibleHead, WorkspaceHead
from hub.realtime.protocol import Hello, Read, Send


class Handshake(msgspec.Struct, frozen=True):
    """
    What came with the HTTP request that opened the socket.

    Attributes:
        cookie_token: The session cookie; None without one, or where no ``Origin`` was sent.
        origin: As sent, already found to be one of ours; None when the client sent none (not a browser).
        address: The peer's address.
        user_agent: As sent, at most 300 characters.
    """

    cookie_token: str | None = None
    origin: str | None = None
    address: str = ""
    user_agent: str = ""


class Grant(msgspec.Struct, frozen=True, kw_only=True):
    """
    What one session may see and do.

    Attributes:
        subject_id: The member's or contact's id.
        session_id: The sign-in; None for visitors.
        visible_inboxes: Inboxes the member may see; None means all of them.
        rights_version: Version of the rights this was read from.
        rights_seq: Seq of the event that last changed them; cursors before it are void. 0 where nothing is known.
        conversation_id: The visitor's conversation; None before their first message.
        login_id: Whose sign-in it is; None for visitors.
        visitor_token: The visitor's own token: what they say of themselves travels with it. Empty for members.
        account_id: The live chat a visitor is at; None for members.
        address: Where a visitor calls from, for counting only.
    """

    kind: Literal["member", "visitor"]
    workspace_id: int
    subject_id: UUID
    session_id: UUID | None = None
    visible_inboxes: frozenset[UUID] | None = frozenset()
    rights_version: int = 0
    rights_seq: int = 0
    conversation_id: UUID | None = None
    may_reply: bool = False
    name: str = ""
    login_id: UUID | None = None
    visitor_token: str = ""
    address: str = ""
    account_id: UUID | None = None

    @property
    def is_key(self) -> bool:
        """Whether a program came in with an API key: it is its own session and login; no session has its login's id."""
        return self.login_id is not None and self.login_id == self.session_id


class Sent(msgspec.Struct, frozen=True):
    """A committed message; ``seq`` is the visitor's ``conversation_seq`` where a visitor sent it."""

    message_id: UUID
    seq: int
    conversation_id: UUID


class VisitorThread(NamedTuple):
    """Where a visitor's conversations are: the live chat, and who they are to it."""

    workspace_id: int
    channel_account_id: UUID
    thread_key: str


class VisitorConversation(NamedTuple):
    """A visitor's newest conversation and its newest ``conversation_seq``."""

    conversation_id: UUID
    head: int


class Ports(Protocol):
    """
    Implemented above (``api/ws_ports.py``); every coroutine may raise ``Unavailable`` when a store is away.

    What takes many keys is asked for hundreds of sockets at once: it must cost one query, not one a key.
    """

    async def authorise(self, hello: Hello, handshake: Handshake) -> Grant:
        """
        Say who opens this session; raises ``NotSignedIn`` or ``Forbidden``. Never sees a resume ticket.

        A visitor's grant does not name their conversation yet.
        """
        ...

    def authorise_visitor(self, token: str, address: str) -> Grant | None:
        """
        Say who a visitor is, without asking a store; None where only ``authorise`` can tell.

        Raises:
            NotSignedIn: The token is no good, or its live chat is removed or switched off.
        """
        ...

    async def refresh(self, grants: Sequence[Grant]) -> Sequence[Grant | None]:
        """
        Read grants again, in order; None where the session was revoked or the subject may not come in any more.

        Visitors cost no query: theirs keep the conversation they name.
        """
        ...

    async def revoked_sessions(self, within_s: float) -> Sequence[UUID]:
        """Return the sessions revoked in the last so many seconds."""
        ...

    async def takes_visitors(self, account_id: UUID) -> bool:
        """Say whether a live chat is still there and switched on; from memory where it is known."""
        ...

    def visitor_thread(self, grant: Grant) -> VisitorThread:
        """Say where a visitor's conversations are."""
        ...

    async def visitor_conversations(
        self, threads: Sequence[VisitorThread]
    ) -> Mapping[VisitorThread, VisitorConversation]:
        """Return the newest conversation of each thread; those without one are left out."""
        ...

    async def send(self, grant: Grant, frame: Send) -> Sent:
        """Queue a message or add a note; the same ``client_message_id`` again returns the first one's answer."""
        ...

    async def read(self, grant: Grant, frame: Read) -> None:
        """Move a read mark."""
        ...

    async def event_ranges(self, wanted: Sequence[LogRange]) -> Mapping[LogRange, Sequence[LoggedEvent]]:
        """Return the events of each range in order, whoever may see them."""
        ...

    async def conversation_ranges(
        self, wanted: Sequence[ConversationRange]
    ) -> Mapping[ConversationRange, Sequence[LoggedEvent]]:
        """Return the visitor-visible events of each range in order."""
        ...

    async def visible_heads(self, wanted: Sequence[VisibleHead]) -> Mapping[VisibleHead, int]:
        """Return for each audience the newest seq at or before ``at`` that it may see; 0 for none."""
        ...

    async def heads(self, workspace_ids: Sequence[int]) -> Mapping[int, WorkspaceHead]:
        """Return the newest seq and the rights of the named workspaces; unknown ones are left out."""
        ...

    async def recent_heads(self, since: datetime) -> Mapping[int, int]:
        """Return the newest seq of every workspace with an event since ``since``."""
        ...

    async def conversation_inbox(self, workspace_id: int, conversation_id: UUID) -> UUID | None:
        """Return the inbox a conversation is in; None where there is no such conversation."""
        ...

    def visitor_view(self, event: LoggedEvent) -> bytes | None:
        """Return the JSON object a visitor sees; None only for events without a ``conversation_seq``."""
        ...

    def removal(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who lose a conversation with this event."""
        ...

    def arrival(self, event: LoggedEvent) -> bytes:
        """Return the JSON object for those who gain a conversation with this event."""
        ...

    def epoch(self) -> int:
        """Return the installation's epoch as the database last told it."""
        ...
