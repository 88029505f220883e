"""Who is online and who looks at a conversation: what members of two workers are shown of each other, and how often."""

from __future__ import annotations

from uuid import UUID, uuid4

import pytest
from msgspec import structs

from hub.realtime.audience import Audience, audience_key
from hub.realtime.presence import LEAVE_GRACE_S, ONLINE_TTL_S, VIEWING_TTL_S, Here
from hub.realtime.presence_rounds import REFRESH_PARTS, REFRESH_S, ROUND_S
from hub.realtime.presence_state import MOST_SHOWN, SMALL
from tests.realtime_fakes import Rig, of_type, settle, until

SALES, SUPPORT = uuid4(), uuid4()


@pytest.fixture
async def two():
    """Two workers of one installation."""
    async with Rig() as one, Rig(beside=one) as other:
        yield one, other


async def rounds(*rigs, seconds=ROUND_S):
    """Let time pass and everybody go round: those who changed something, then those who were told of it."""
    rigs[0].clock.advance(seconds)
    for _ in range(2):
        for rig in rigs:
            await rig.hub.presence.go_round()
            await settle()
        rigs[0].clock.advance(ROUND_S)


def ids(*grants):
    return sorted(str(one.subject_id) for one in grants)


def shown(sink):
    """Who is online as a client knows it by the frames it was given."""
    known = None
    for frame in sink.frames:
        if frame["type"] == "presence":
            known = frame["member_ids"]
        elif frame["type"] == "presence_changed":
            known = sorted({*known, *frame["came"]} - {*frame["went"]})
    return known


def presence_frames(sink):
    return of_type(sink, "presence") + of_type(sink, "presence_changed")


async def people(two, *names):
    """Members of one workspace, in turn on the one and the other worker; returns their grants and sockets."""
    grants, sockets = {}, {}
    for number, name in enumerate(names):
        grants[name] = two[0].ports.member(name, inboxes=None)
        sockets[name] = await two[number % 2].open(name)
    await rounds(*two)
    return grants, sockets


async def test_members_on_different_workers_are_shown_each_other_at_once(two):
    """The first of a quiet workspace do not wait for a round of a clock that stands still; visitors hear nothing."""
    one, other = two
    ann, bob = one.ports.member("ann"), one.ports.member("bob")
    one.ports.visitor("vi", conversation_id=uuid4())
    visitor, visitor_sink = other.connect()
    other.hello(visitor, visitor_token="vi")
    _, ann_sink = await one.open("ann")
    await until(lambda: shown(ann_sink) == ids(ann))
    _, bob_sink = await other.open("bob")
    await until(lambda: shown(bob_sink) == ids(ann, bob))
    await rounds(*two)
    assert shown(ann_sink) == ids(ann, bob)
    assert presence_frames(visitor_sink) == []


async def test_a_member_with_two_connections_is_gone_when_both_are(two):
    """Whichever worker they were on, and only after the grace, in which a reload is not seen at all."""
    one, _ = two
    grants, sockets = await people(two, "ann", "bob")
    second, _ = await one.open("bob")
    two[1].hub.on_close(sockets["bob"][0])
    await rounds(*two, seconds=LEAVE_GRACE_S + 1)
    assert shown(sockets["ann"][1]) == ids(*grants.values())
    before = len(presence_frames(sockets["ann"][1]))
    one.hub.on_close(second)
    await rounds(*two)
    back, _ = await one.open("bob")
    await rounds(*two, seconds=LEAVE_GRACE_S + 1)
    assert len(presence_frames(sockets["ann"][1])) == before
    one.hub.on_close(back)
    await rounds(*two, seconds=LEAVE_GRACE_S + 1)
    assert shown(sockets["ann"][1]) == ids(grants["ann"])


async def test_members_of_a_killed_worker_are_gone_when_its_entry_is_over(two):
    """Nobody tells that it died: the others find its entry expired when they refresh theirs."""
    one, other = two
    grants, sockets = await people(two, "ann", "bob")
    other.hub.presence._workspaces.clear()  # killed: it says nothing any more
    for _ in range(int(ONLINE_TTL_S / REFRESH_S)):
        assert shown(sockets["ann"][1]) == ids(*grants.values())
        await rounds(one, seconds=REFRESH_S)
    await rounds(one, seconds=REFRESH_S)
    assert shown(sockets["ann"][1]) == ids(grants["ann"])


async def test_entries_are_repeated_part_by_part_and_each_within_their_life(two):
    """A thousand workspaces at the same moment stall a worker; none may wait until its entry is over."""
    one, _ = two
    workspaces = range(1, 2 * REFRESH_PARTS + 2)
    for number in workspaces:
        one.ports.member(f"m{number}", workspace_id=number, inboxes=None)
        await one.open(f"m{number}")
    await rounds(one)
    kept, keep = [], one.presence.keep

    async def recorded(holder, here, *rest):
        kept.append((one.clock(), set(here)))
        return await keep(holder, here, *rest)

    one.presence.keep = recorded
    newest = dict.fromkeys(workspaces, one.clock())
    for _ in range(int(3 * REFRESH_S)):
        one.clock.advance(ROUND_S)
        await one.hub.presence.go_round()
    for at_s, some in kept:
        assert len(some) <= 3
        for number in some:
            assert at_s - newest[number] <= ONLINE_TTL_S - REFRESH_S
            newest[number] = at_s
    assert min(newest.values()) >= one.clock() - ONLINE_TTL_S + REFRESH_S
    one.hub.presence.want_all()
    kept.clear()
    for _ in range(REFRESH_PARTS):
        await one.hub.presence.go_round()
        one.clock.advance(ROUND_S)
    assert set().union(*(some for _, some in kept)) == set(workspaces)


async def test_a_worker_that_stops_leaves_its_members_for_the_grace(two):
    """A deploy: who comes back on another worker within five seconds was never shown as gone."""
    one, other = two
    grants, sockets = await people(two, "ann", "bob")
    await other.hub.stop()
    assert await one.presence.online(1) == tuple(UUID(one_) for one_ in ids(*grants.values()))
    await one.open("bob")
    await rounds(one, seconds=LEAVE_GRACE_S + 1)
    assert shown(sockets["ann"][1]) == ids(*grants.values())
    assert all(set(frame["member_ids"]) >= set(ids(grants["ann"])) for frame in of_type(sockets["ann"][1], "presence"))


async def test_presence_is_null_while_the_store_is_away(two):
    """Once, not with every round; and everybody again when it is back."""
    one, _ = two
    grants, sockets = await people(two, "ann", "bob")
    keep = one.presence.keep

    async def away(*_):
        return None

    one.presence.keep = away
    await rounds(*two, seconds=REFRESH_S)
    await rounds(*two, seconds=REFRESH_S)
    ann = sockets["ann"][1]
    assert [frame["member_ids"] for frame in of_type(ann, "presence")].count(None) == 1
    assert shown(ann) is None
    _, cy = await one.open("bob")
    assert shown(cy) is None
    one.presence.keep = keep
    one.hub.on_gap()  # what the broker says when Redis is back
    await rounds(*two)
    assert shown(ann) == shown(cy) == ids(*grants.values())


async def test_a_workspace_is_told_once_a_second_at_most(two):
    """Whoever comes within a second of the last round waits for the next one, and they come together."""
    one, _ = two
    _, sockets = await people(two, "ann")
    ann = sockets["ann"][1]
    grants = [one.ports.member(f"m{number}") for number in range(20)]
    for number in range(10):
        await one.open(f"m{number}")
    await rounds(one)
    told = len(presence_frames(ann))
    for number in range(10, 20):
        await one.open(f"m{number}")
    await one.hub.presence.go_round()
    assert len(presence_frames(ann)) <= told + 1
    await rounds(*two)
    assert len(presence_frames(ann)) <= told + 2
    assert len(shown(ann)) == 1 + len(grants)


@pytest.mark.parametrize("members", [MOST_SHOWN, 10_000])
async def test_many_members_coming_at_once_cost_frames_by_their_number_not_its_square(two, members):
    """Members on two workers within five seconds: a frame each and second at most; 11,000 frames for 10,000 of them."""
    grant = two[0].ports.member("x")
    for second in range(5):
        for number in range(members // 5):
            rig = two[number % 2]
            subject_id = UUID(int=second * members + number)
            connection, _ = rig.connect()
            connection.grant = structs.replace(grant, subject_id=subject_id)
            rig.hub.connections.rename(connection, "member")
            rig.hub.fanout.bind(connection)
            feed = await rig.hub.feeds.open(1)
            key = audience_key(connection.grant)
            rig.hub.fanout.join(connection, feed.audiences.setdefault(key, Audience(key, 0)))
            rig.hub.presence.come(connection, connection.grant)
        await rounds(*two)
    frames = sum(rig.hub.presence.frames for rig in two)
    assert members <= frames <= (12 * members if members <= MOST_SHOWN else 2 * members)
    assert len(await two[0].presence.online(1)) == members


@pytest.mark.parametrize("size", [SMALL - 1, SMALL + 1, MOST_SHOWN - 1, MOST_SHOWN + 1])
async def test_what_clients_know_is_true_at_every_size(two, size):
    """Small: the list again. Middling: who came and went. Large: null. Down again: the list."""
    one, _ = two
    grants, sockets = await people(two, "ann", "bob")
    ann = sockets["ann"][1]
    crowd = tuple(UUID(int=number) for number in range(size - 5))

    async def crowded(*members):
        await one.presence.keep("crowd", {1: Here(members)})
        await rounds(*two, seconds=REFRESH_S)
        everybody = sorted([*ids(*grants.values()), *map(str, members)])
        assert shown(ann) == (everybody if len(everybody) <= MOST_SHOWN else None)

    await crowded(*crowd)
    ann.take()
    late = tuple(uuid4() for _ in range(4))
    await crowded(*crowd[1:], *late)
    kinds = {frame["type"] for frame in ann.take()}
    await crowded(*crowd[:5])
    assert kinds == ({"presence_changed"} if SMALL < size <= MOST_SHOWN else {"presence"})


async def view(rig, connection, conversation_id):
    rig.say(connection, "viewing", conversation_id=None if conversation_id is None else str(conversation_id))
    await settle()


async def test_viewers_are_told_to_those_who_look_too_and_to_nobody_else(two):
    """Across workers; repetition tells nobody anything; leaving the screen or the hub does."""
    one, other = two
    grants, sockets = await people(two, "ann", "bob", "cy")
    conversation = uuid4()
    one.ports.conversations[conversation] = SALES
    (ann, ann_sink), (bob, bob_sink), (_, cy_sink) = sockets.values()
    await view(one, ann, conversation)
    await rounds(*two)
    assert [frame["member_ids"] for frame in of_type(ann_sink, "viewing")] == [ids(grants["ann"])]
    assert of_type(bob_sink, "viewing") == []
    await view(other, bob, conversation)
    await rounds(*two)
    both = {"type": "viewing", "conversation_id": str(conversation), "member_ids": ids(grants["ann"], grants["bob"])}
    assert of_type(ann_sink, "viewing")[-1] == of_type(bob_sink, "viewing")[-1] == both
    told = len(of_type(ann_sink, "viewing"))
    await view(other, bob, conversation)
    await view(one, ann, conversation)
    await rounds(*two, seconds=REFRESH_S)
    assert len(of_type(ann_sink, "viewing")) == told
    await view(other, bob, None)
    await rounds(*two)
    assert of_type(ann_sink, "viewing")[-1]["member_ids"] == ids(grants["ann"])
    await view(other, bob, conversation)
    await rounds(*two)
    one.hub.on_close(ann)
    await rounds(*two)
    assert of_type(bob_sink, "viewing")[-1]["member_ids"] == ids(grants["bob"])
    assert of_type(cy_sink, "viewing") == []


async def test_viewing_that_is_not_repeated_ends(two):
    """A tab that fell asleep does not look for ever."""
    one, other = two
    grants, sockets = await people(two, "ann", "bob")
    conversation = uuid4()
    one.ports.conversations[conversation] = SALES
    await view(one, sockets["ann"][0], conversation)
    await view(other, sockets["bob"][0], conversation)
    await rounds(*two)
    one.clock.advance(VIEWING_TTL_S - 5)
    await view(one, sockets["ann"][0], conversation)
    await rounds(*two, seconds=6)
    await rounds(*two, seconds=REFRESH_S)
    assert of_type(sockets["ann"][1], "viewing")[-1]["member_ids"] == ids(grants["ann"])


async def test_whoever_loses_sight_of_a_conversation_is_not_shown_its_viewers(two):
    """It moved to an inbox they may not see, while they had it on screen."""
    one, other = two
    conversation = uuid4()
    one.ports.conversations[conversation] = SALES
    one.ports.member("ann", inboxes=frozenset({SALES}))
    one.ports.member("bob", inboxes=None)
    ann, ann_sink = await one.open("ann")
    await view(one, ann, conversation)
    await rounds(*two)
    one.commit(conversation_id=conversation, inbox_id=SUPPORT, former_inbox_id=SALES)
    await settle()
    told = len(of_type(ann_sink, "viewing"))
    bob, bob_sink = await other.open("bob")
    await view(other, bob, conversation)
    await rounds(*two)
    assert len(of_type(bob_sink, "viewing")[-1]["member_ids"]) == 2
    assert len(of_type(ann_sink, "viewing")) == told


async def test_nothing_is_kept_of_a_workspace_everybody_left(two):
    """Neither here nor in the store."""
    one, other = two
    _, sockets = await people(two, "ann", "bob")
    one.hub.on_close(sockets["ann"][0])
    other.hub.on_close(sockets["bob"][0])
    await rounds(*two, seconds=LEAVE_GRACE_S + 1)
    assert one.hub.presence._workspaces == other.hub.presence._workspaces == {}
    assert await one.presence.online(1) == ()
