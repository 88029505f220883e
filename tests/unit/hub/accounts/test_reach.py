"""What nobody may give away: reach, custom roles, public mail domains, choices of a role."""

from __future__ import annotations

import pytest

from hub import clock
from hub.accounts import policy
from hub.accounts.domains import domain_of, is_public
from hub.accounts.model import GRANTABLE, Actor, Permission, Role, custom_permissions
from hub.accounts.people import standing_of
from hub.errors import Forbidden, InvalidInput

P = Permission


def actor(*permissions: Permission, visible: frozenset | None = frozenset()) -> Actor:
    return Actor(
        1,
        clock.new_id(),
        clock.new_id(),
        Role.VIEWER,
        visible,
        1,
        permissions=custom_permissions(p for p in permissions),
    )


def test_custom_role_reads_only_what_is_in_the_catalogue():
    """Unknown words and those of owners alone are ignored when read; reading the inbox is always there."""
    words = ["inbox.reply", "rockets.launch", "workspace.manage", "roles.manage"]
    assert custom_permissions(words) == {P.INBOX_READ, P.INBOX_REPLY}
    assert custom_permissions([]) == {P.INBOX_READ}
    assert {P.WORKSPACE_MANAGE, P.ROLES_MANAGE} == set(P) - GRANTABLE


def test_nobody_reaches_above_themselves():
    """Rights beyond one's own, and inboxes one does not see, cannot be given or taken."""
    some = actor(P.MEMBERS_MANAGE, P.INBOX_REPLY)
    policy.require_reach(some, frozenset({P.INBOX_READ, P.INBOX_REPLY}))
    for given in (frozenset({P.INBOX_ASSIGN}), policy.permissions_of(Role.AGENT)):
        with pytest.raises(Forbidden):
            policy.require_reach(some, given)
    with pytest.raises(Forbidden):
        policy.require_reach(actor(*GRANTABLE), policy.permissions_of(Role.ADMIN), everywhere=True)
    policy.require_reach(actor(*GRANTABLE, visible=None), policy.permissions_of(Role.ADMIN), everywhere=True)


@pytest.mark.parametrize(
    ("email", "public"),
    [
        ("a@gmail.com", True),
        ("a@mail.yahoo.co.uk", True),
        ("a@northwind.example", False),
        ("a@notgmail.com", False),
        ('"x@gmail.com"@northwind.example', False),
    ],
)
def test_public_mail_domains_prove_nothing(email, public):
    """A mailbox anybody can get, on the domain itself or below it, says nothing about an employer."""
    assert is_public(domain_of(email)) is public


@pytest.mark.parametrize("choice", [(None, None), (Role.AGENT, clock.new_id())])
def test_a_role_is_one_or_the_other(choice):
    """Neither and both are refused; a custom role makes a viewer of everything that looks at the role alone."""
    with pytest.raises(InvalidInput):
        standing_of(*choice)
    assert standing_of(None, choice[1] or clock.new_id()).role is Role.VIEWER
