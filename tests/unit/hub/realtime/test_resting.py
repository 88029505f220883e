"""Grants at rest, chains of frames, and the indexes that hold one connection or several."""

from uuid import UUID, uuid4

import pytest
from msgspec import structs

from hub.realtime.few import each_of, with_one, without_one
from hub.realtime.owed import Owed
from hub.realtime.ports import Grant
from hub.realtime.resting import SHARED_LIMIT, put_to_rest, wake
from hub.realtime.roster import Roster

MEMBER = Grant(
    kind="member",
    workspace_id=7,
    subject_id=uuid4(),
    session_id=uuid4(),
    visible_inboxes=frozenset({uuid4(), uuid4()}),
    rights_version=3,
    rights_seq=900,
    may_reply=True,
    name="Ann",
    login_id=uuid4(),
)
VISITOR = Grant(
    kind="visitor",
    workspace_id=7,
    subject_id=uuid4(),
    conversation_id=uuid4(),
    visitor_token="v2.x.y",
    address="203.0.113.7",
)


@pytest.mark.parametrize("grant", [MEMBER, VISITOR, structs.replace(VISITOR, conversation_id=None, name="Zoë")])
def test_a_grant_comes_back_as_it_was(grant):
    """Every field survives being put to rest, those added later included."""
    rested = put_to_rest(grant, {})
    assert wake(rested.shared, rested.own) == grant


def test_what_sessions_have_in_common_is_one_object():
    """Two members with equal rights share the part that says so; another workspace's do not."""
    known = {}
    other = structs.replace(
        MEMBER, subject_id=uuid4(), session_id=uuid4(), visible_inboxes=frozenset({*MEMBER.visible_inboxes})
    )
    assert put_to_rest(MEMBER, known).shared is put_to_rest(other, known).shared
    assert put_to_rest(structs.replace(MEMBER, workspace_id=8), known).shared is not put_to_rest(MEMBER, known).shared


def test_the_shared_parts_are_bounded():
    """However many workspaces come and go."""
    known = {}
    for number in range(SHARED_LIMIT + 10):
        put_to_rest(structs.replace(VISITOR, workspace_id=number), known)
    assert len(known) <= SHARED_LIMIT


def test_frames_are_joined_in_order_and_once():
    """A chain joins to its frames, oldest first; a longer one goes on from what was joined."""
    one = Owed(None, b"a")
    three = Owed(Owed(one, b"b"), b"c")
    assert (one.data, three.data) == (b"a", None)
    assert three.join() == b"abc"
    assert Owed(three, b"d").join() == b"abcd"
    assert (three.frames, three.size_bytes, three.data) == (3, 3, b"abc")


def test_the_oldest_frame_is_known_by_itself():
    """The same bytes in another object are another frame."""
    first = bytes(bytearray(b"gap"))
    chain = Owed(Owed(None, first), b"x")
    assert chain.begins_with(first)
    assert not chain.begins_with(bytes(bytearray(b"gap")))


class Tab:
    def __init__(self, grant):
        self.grant = grant


def test_few_holds_none_one_or_several():
    """In the order they came; leaving twice, or without having come, is fine."""
    tabs = [Tab(MEMBER) for _ in range(3)]
    few = None
    for tab in (*tabs, tabs[0]):
        few = with_one(few, tab)
    assert each_of(few) == tabs
    for tab in (tabs[1], tabs[1], tabs[0]):
        few = without_one(few, tab)
    assert each_of(few) == [tabs[2]]
    assert without_one(tabs[0], tabs[1]) is tabs[0]
    assert without_one(without_one(few, tabs[2]), tabs[2]) is None


def test_the_roster_finds_by_workspace_and_by_subject():
    """A subject's other tabs, a workspace's everybody, and nothing of another workspace."""
    roster = Roster()
    ann, ann_too, visitor = Tab(MEMBER), Tab(MEMBER), Tab(VISITOR)
    for tab in (ann, ann_too, visitor):
        roster.add(tab, tab.grant)
    assert roster[7] == [ann, ann_too, visitor]
    assert roster.of_subject(7, MEMBER.subject_id) == [ann, ann_too]
    assert roster.of_subject(8, MEMBER.subject_id) == []
    assert (7 in roster, 8 in roster, list(roster), len(roster)) == (True, False, [7], 1)
    for tab in (ann, ann_too, visitor, visitor):
        roster.remove(tab, tab.grant)
    assert not roster
    assert roster.get(7, []) == []


def test_the_roster_tells_subjects_apart_whose_keys_collide():
    """Keys are 60 bits of an id; who shares them is still somebody else."""
    twin = structs.replace(MEMBER, subject_id=UUID(int=MEMBER.subject_id.int ^ (1 << 127)))
    roster, one, other = Roster(), Tab(MEMBER), Tab(twin)
    roster.add(one, MEMBER)
    roster.add(other, twin)
    assert roster.of_subject(7, MEMBER.subject_id) == [one]
    assert roster.of_subject(7, twin.subject_id) == [other]
    roster.remove(one, MEMBER)
    assert roster.of_subject(7, twin.subject_id) == [other]
