"""As whom a key acts: never as more than its maker is at that moment."""

from __future__ import annotations

import itertools

import msgspec
import pytest

from hub import clock
from hub.accounts import policy
from hub.accounts.model import Actor, Permission, Role
from hub.keys.model import UNGRANTABLE, KeyKind, LiveKey, acting
from tests.unit.hub.accounts.test_policy import MATRIX

MINE, OTHER = clock.new_id(), clock.new_id()


def maker(role: Role, visible: frozenset | None = None) -> Actor:
    return Actor(1, clock.new_id(), clock.new_id(), role, visible, 1)


def key(kind: KeyKind, scopes, inbox_ids=None) -> LiveKey:
    return LiveKey(
        workspace_id=1,
        id=clock.new_id(),
        kind=kind,
        name="Nightly export",
        login_id=clock.new_id(),
        scopes=scopes,
        inbox_ids=inbox_ids,
    )


@pytest.mark.parametrize(("role", "scope"), list(itertools.product(Role, Permission)))
@pytest.mark.parametrize("kind", KeyKind)
def test_key_may_what_scope_and_role_both_allow(role, scope, kind):
    """Role by scope: a key may exactly what it was given, where its maker's role still has it."""
    actor = acting(maker(role), key(kind, (scope,)))
    expected = {scope} & MATRIX[role] - UNGRANTABLE
    assert {one for one in Permission if policy.may(actor, one)} == expected


@pytest.mark.parametrize("role", Role)
def test_personal_token_without_scopes_may_what_its_member_may(role):
    """All of it but what no key may: managing keys and roles."""
    actor = acting(maker(role), key(KeyKind.PERSONAL, None))
    assert policy.allowed(actor) == MATRIX[role] - UNGRANTABLE


def test_custom_permissions_of_the_maker_count():
    """A maker with a custom role gives what that has, not what the role's name has."""
    limited = msgspec.structs.replace(maker(Role.OWNER), permissions=frozenset({Permission.INBOX_READ}))
    actor = acting(limited, key(KeyKind.WORKSPACE, (Permission.INBOX_READ, Permission.INBOX_REPLY)))
    assert policy.allowed(actor) == {Permission.INBOX_READ}


@pytest.mark.parametrize(
    ("visible", "inbox_ids", "expected"),
    [
        (None, None, None),
        (None, (MINE,), {MINE}),
        (frozenset({MINE, OTHER}), (MINE,), {MINE}),
        (frozenset({MINE}), (MINE, OTHER), {MINE}),
        (frozenset({MINE}), None, {MINE}),
        (frozenset({MINE}), (OTHER,), set()),
    ],
)
def test_key_sees_what_both_see(visible, inbox_ids, expected):
    """A list of inboxes narrows, and never widens what the maker sees."""
    actor = acting(maker(Role.AGENT, visible), key(KeyKind.WORKSPACE, (Permission.INBOX_READ,), inbox_ids))
    assert actor.visible_inboxes == expected


def test_narrowed_key_has_no_role_to_show():
    """What only an owner may do by being one, an owner's key of some scopes may not; their whole token may."""
    who, some = maker(Role.OWNER), (Permission.MEMBERS_MANAGE,)
    assert acting(who, key(KeyKind.WORKSPACE, some)).role is Role.VIEWER
    assert acting(who, key(KeyKind.PERSONAL, some)).role is Role.VIEWER
    assert acting(who, key(KeyKind.PERSONAL, None)).role is Role.OWNER


def test_identity_follows_the_kind():
    """A personal token acts as its member; a workspace's key as itself, which no login is."""
    who = maker(Role.ADMIN)
    own = acting(who, key(KeyKind.PERSONAL, None))
    mine = key(KeyKind.WORKSPACE, (Permission.INBOX_READ,))
    works = acting(who, mine)
    assert (own.member_id, own.login_id, own.kind) == (who.member_id, who.login_id, "member")
    assert (works.member_id, works.login_id, works.kind) == (mine.id, mine.id, "key")
    assert own.key_id is not None
    assert works.key_id == mine.id
