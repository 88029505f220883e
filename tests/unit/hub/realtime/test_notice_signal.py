"""A frame for one member: all of their sockets in all processes, and nobody else's."""

from __future__ import annotations

from uuid import uuid4

from hub.realtime.broker import NoticeSignal, Signalled, publish_signals
from tests.realtime_fakes import Rig, of_type, settle, until


async def test_a_notice_reaches_one_members_sockets():
    """Two tabs at two processes hear it; a colleague and a visitor of the same workspace do not."""
    async with Rig() as one, Rig(beside=one) as other:
        ports = one.ports
        conversation = uuid4()
        ports.append(conversation_id=conversation, visitor=True)
        ann = ports.member("ann")
        ports.member("bob")
        ports.visitor("vi", conversation_id=conversation)
        tabs = [(await one.open("ann", 1))[1], (await other.open("ann", 1))[1]]
        _, bob = await other.open("bob", 1)
        connection, visitor = other.connect()
        other.hello(connection, visitor_token="vi", cursor=1)
        await until(lambda: of_type(visitor, "welcome"))
        notice_id = uuid4()
        publish_signals(one.hub._broker, [Signalled(1, NoticeSignal(ann.subject_id, notice_id))])
        publish_signals(one.hub._broker, [Signalled(1, NoticeSignal(ann.subject_id))])
        await until(lambda: all(len(of_type(tab, "notice")) == 2 for tab in tabs))
        await settle()
        assert of_type(tabs[0], "notice") == [
            {"type": "notice", "notice_id": str(notice_id)},
            {"type": "notice", "notice_id": None},
        ]
        assert of_type(bob, "notice") == of_type(visitor, "notice") == []


async def test_a_notice_of_another_workspace_is_not_shown():
    """The same id elsewhere is somebody else."""
    async with Rig() as rig:
        ann = rig.ports.member("ann")
        rig.ports.append()
        _, sink = await rig.open("ann", 1)
        publish_signals(rig.hub._broker, [Signalled(2, NoticeSignal(ann.subject_id, uuid4()))])
        publish_signals(rig.hub._broker, [Signalled(1, NoticeSignal(ann.subject_id))])
        await until(lambda: of_type(sink, "notice"))
        assert of_type(sink, "notice") == [{"type": "notice", "notice_id": None}]
