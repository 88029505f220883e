"""
What clients say once they are in, worked through in each connection's order: sends, read marks, typing, viewing.

The worker of a connection lives only while there is something to do. Called by ``hub.py``.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING

from hub.errors import Forbidden, HubError, TooManyRequests
from hub.log import get_logger
from hub.realtime.protocol import Ack, Read, Send, Typing, Viewing, refusal

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable, Coroutine
    from uuid import UUID

    from hub.realtime.connections import Connection, Counters, Work
    from hub.realtime.fanout import Fanout
    from hub.realtime.ports import Grant, Ports
    from hub.realtime.rights import Rights
    from hub.realtime.signals import Signals
    from hub.tracing import Tracer

INBOX_LIMIT = 64

_log = get_logger("realtime")


class Inbound:
    """Takes frames that need a store; ``run`` starts a task that ends with the hub."""

    def __init__(  # its neighbours, all of them
        self,
        ports: Ports,
        signals: Signals,
        rights: Rights,
        fanout: Fanout,
        counters: Counters,
        tracer: Tracer,
        *,
        run: Callable[[Coroutine[object, object, None]], asyncio.Task[None]],
    ) -> None:
        self._ports = ports
        self._signals = signals
        self._rights = rights
        self._fanout = fanout
        self._counters = counters
        self._tracer = tracer
        self._run = run

    def enqueue(self, connection: Connection, frame: Work) -> None:
        """Work through one connection's frames in their order; the worker lives only while there are some."""
        inbox = connection.inbox
        if inbox is None:
            inbox = connection.inbox = deque()
        if len(inbox) >= INBOX_LIMIT:
            raise TooManyRequests(2.0, "Too many messages are waiting for an answer.")
        inbox.append(frame)
        if connection.worker is None:
            connection.worker = self._run(self._work(connection, inbox))

    def move_visitor(self, subject: tuple[int, UUID], conversation_id: UUID) -> None:
        """All of a visitor's tabs hear the conversation that one of them began."""
        for connection in self._fanout.by_workspace.of_subject(*subject):
            self._rights.take_conversation(connection, conversation_id)

    async def _work(self, connection: Connection, inbox: deque[Work]) -> None:
        try:
            while inbox and (grant := connection.grant) is not None:
                frame = inbox.popleft()
                message_id = frame.client_message_id if isinstance(frame, Send) else None
                try:
                    await self._do(connection, grant, frame)
                except HubError as error:
                    self._counters.refused[error.code] += 1
                    connection.send(refusal(error, message_id))
                except Exception:  # loop: one frame costs its own answer only
                    _log.exception("frame_failed", connection=connection.id, kind=type(frame).__name__)
                    connection.send(refusal(HubError("This failed on our side."), message_id))
        finally:
            connection.worker = connection.inbox = None

    async def _do(self, connection: Connection, grant: Grant, frame: Work) -> None:
        match frame:
            case Send():
                await self._send(connection, grant, frame)
            case Read():
                await self._ports.read(grant, frame)
            case Typing():
                await self._signals.type(connection, grant, frame)
            case Viewing():
                await self._signals.view(connection, grant, frame)

    async def _send(self, connection: Connection, grant: Grant, frame: Send) -> None:
        if not grant.may_reply or (grant.kind == "visitor" and frame.kind == "note"):
            raise Forbidden
        attributes = {"hub.workspace_id": grant.workspace_id, "hub.author": grant.kind, "hub.kind": frame.kind}
        with self._tracer.span("socket.send", kind="server", attributes=attributes):
            sent = await self._ports.send(grant, frame)
        connection.send(Ack(frame.client_message_id, sent.message_id, sent.seq))
        if grant.kind == "visitor" and sent.conversation_id != grant.conversation_id:
            self.move_visitor((grant.workspace_id, grant.subject_id), sent.conversation_id)
            self._signals.announce_visitor(grant.workspace_id, grant.subject_id, sent.conversation_id)
