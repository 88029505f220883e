"""Every change of rights says so twice: to the caches by ``bump_rights``, to the sockets by an event."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from hub import clock
from hub.accounts import store
from hub.accounts.model import AccessChanged
from hub.events import store as events
from hub.events.model import NewEvent
from hub.realtime.feed import RIGHTS_EVENTS

HUB = Path(store.__file__).parents[1]
# What decides who may do what; written anywhere else than beside bump_rights, caches and sockets would not hear of it.
ENDING = {
    "hub/accounts/store.py": {"bump_rights": 1, "revoke_session": 1, "revoke_login_sessions": 1},
    "hub/accounts/people_store.py": {"change_profile": 1},
    "hub/signin/store.py": {"revoke_sessions": 1},
    "hub/signin/factors/store.py": {"refresh_factors": 1, "clear_factors": 1, "rotate_session": 1},
    "hub/keys/store.py": {"revoke_key": 1, "rotate_key": 1, "rename_key": 1},
}


def _functions(path: Path) -> dict[str, ast.AsyncFunctionDef]:
    tree = ast.parse(path.read_text("utf-8"))
    return {one.name: one for one in ast.walk(tree) if isinstance(one, ast.AsyncFunctionDef)}


def _calls(function: ast.AST) -> set[str]:
    return {
        one.func.attr if isinstance(one.func, ast.Attribute) else one.func.id
        for one in ast.walk(function)
        if isinstance(one, ast.Call) and isinstance(one.func, (ast.Attribute, ast.Name))
    }


@pytest.mark.parametrize("path", ENDING)
def test_every_ending_hands_on_a_notice(path):
    """Each store function that ends a session, a key or a right hands the fact on after COMMIT."""
    functions = _functions(HUB.parent / path)
    for name in ENDING[path]:
        assert "AccessChanged" in _calls(functions[name]), f"{path}: {name}"


def test_every_statement_that_ends_something_is_known():
    """Whoever adds a way to end sessions or keys has to say which function hands it on."""
    found = {
        str(path.relative_to(HUB.parent)).replace(".sql", "")
        for path in HUB.rglob("*.sql")
        if "migrations" not in path.parts
        for word in ("hub_revoke_", "hub_rotate_session", "hub_clear_factors", "SET revoked_at")
        if word in path.read_text("utf-8")
    }
    assert found <= {
        "hub/accounts/queries",
        "hub/accounts/invitations",
        "hub/signin/queries",
        "hub/signin/factors/queries",
        "hub/keys/queries",
    }


@pytest.mark.redis
async def test_bump_hands_on_the_workspace(database, workspace, notices):
    """After COMMIT the notice is there; a rollback leaves none."""
    told = NewEvent(workspace_id=workspace.id, type="member_changed", data=b"{}", occurred_at=clock.now())
    async with database.transaction([workspace.id]) as conn:
        heads = await events.lock(conn, [workspace.id])
        await store.bump_rights(conn, workspace.id)
        assert conn.notices == [AccessChanged("workspace", workspace.id)]
        await events.append(conn, heads, [told])


def test_files_that_bump_also_append():
    """No file raises the version of rights without appending events: sockets hear of it by those alone."""
    silent = set()
    for path in HUB.rglob("*.py"):
        text = path.read_text("utf-8")
        if "bump_rights(" in text and path.name != "store.py":
            tree = ast.parse(text)
            appended = {one for one in ("append", "append_one", "append_all") if one in _calls(tree)}
            if not appended:
                silent.add(str(path.relative_to(HUB.parent)))
    assert not silent
    assert RIGHTS_EVENTS
