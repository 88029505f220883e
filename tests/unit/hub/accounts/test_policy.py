"""Who may do what: the whole matrix, written out by hand."""

from __future__ import annotations

import pytest
from msgspec import structs

from hub import clock
from hub.accounts import policy
from hub.accounts.model import Actor, Permission, Role
from hub.errors import Forbidden, NotFound

P = Permission
MATRIX = {
    Role.VIEWER: {P.INBOX_READ},
    Role.AGENT: {P.INBOX_READ, P.INBOX_REPLY, P.INBOX_ASSIGN, P.CONTACTS_WRITE},
    Role.ADMIN: {
        P.INBOX_READ,
        P.INBOX_REPLY,
        P.INBOX_ASSIGN,
        P.CONTACTS_WRITE,
        P.CHANNELS_MANAGE,
        P.INBOXES_MANAGE,
        P.MEMBERS_MANAGE,
        P.TEAMS_MANAGE,
        P.KEYS_MANAGE,
        P.AUDIT_READ,
    },
    Role.OWNER: {
        P.INBOX_READ,
        P.INBOX_REPLY,
        P.INBOX_ASSIGN,
        P.CONTACTS_WRITE,
        P.CHANNELS_MANAGE,
        P.INBOXES_MANAGE,
        P.MEMBERS_MANAGE,
        P.TEAMS_MANAGE,
        P.KEYS_MANAGE,
        P.AUDIT_READ,
        P.ROLES_MANAGE,
        P.PRIVACY_MANAGE,
        P.WORKSPACE_MANAGE,
    },
}
SEEN, UNSEEN = clock.new_id(), clock.new_id()


def actor(role: Role, visible: frozenset | None = None) -> Actor:
    return Actor(1, clock.new_id(), clock.new_id(), role, visible, 1)


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_may_follows_the_matrix(role, permission):
    """Each role may do exactly what the matrix lists, and require agrees with may."""
    who = actor(role)
    allowed = permission in MATRIX[role]
    assert policy.may(who, permission) is allowed
    if allowed:
        policy.require(who, permission)
    else:
        with pytest.raises(Forbidden):
            policy.require(who, permission)


def test_permissions_of_their_own_replace_those_of_the_role():
    """A custom role or a key that may do less: an owner's key that only reads cannot write, and lists what it may."""
    who = structs.replace(actor(Role.OWNER), permissions=frozenset({P.INBOX_READ}))
    assert {one for one in Permission if policy.may(who, one)} == policy.allowed(who) == {P.INBOX_READ}


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("permission", Permission)
def test_invisible_inbox_is_never_allowed(role, permission):
    """Whatever the role allows, an inbox that is not visible is out of reach and answers "not found"."""
    who = actor(role, frozenset({SEEN}))
    assert not policy.may(who, permission, UNSEEN)
    assert policy.may(who, permission, SEEN) is (permission in MATRIX[role])
    with pytest.raises(NotFound, match="conversation"):
        policy.require(who, permission, UNSEEN, kind="conversation")


def test_none_means_all_inboxes():
    """An actor without a list of inboxes sees every one; an empty list sees none."""
    assert policy.sees(actor(Role.AGENT, None), UNSEEN)
    assert not policy.sees(actor(Role.AGENT, frozenset()), UNSEEN)
