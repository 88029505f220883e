"""
A second, independent reading of docs/protocol.md §5: what an event does to a client's state.

Plain dicts on purpose: it checks the JSON that clients get, and its vectors are replayed by the front end.
"""

from __future__ import annotations

import copy
from typing import Any

State = dict[str, Any]


def start_state(snapshot: State) -> State:
    """Turn a snapshot's JSON into a client's state, rows by id."""
    return {
        "cursor": {"epoch": snapshot["epoch"], "seq": snapshot["seq"]},
        "workspace": snapshot["workspace"],
        "me": snapshot["me"]["id"],
        "counts": dict(snapshot["counts"]),
        "members": _by_id(snapshot["members"]),
        "inboxes": _by_id(snapshot["inboxes"]),
        "channel_accounts": _by_id(snapshot["channel_accounts"]),
        "conversations": _by_id(snapshot["conversations"]),
        "contacts": _by_id(snapshot["contacts"]),
        "teams": _by_id(snapshot["teams"]),
        "roles": _by_id(snapshot["roles"]),
        "messages": {},
        "reads": {f"{one['conversation_id']}:{one['member_id']}": one["read_seq"] for one in snapshot["reads"]},
    }


def apply_event(state: State, seq: int, event: State) -> State:
    """Return the state after one event; an event at or before the cursor changes nothing."""
    if seq <= state["cursor"]["seq"]:
        return state
    after = copy.deepcopy(state)
    after["cursor"]["seq"] = seq
    kind = event["type"]
    if kind in NEWS:
        _change_message(after, seq, event, *NEWS[kind])
    elif kind in ("message_edited", "message_deleted"):
        _replace_message(after, event)
    elif kind == "conversation_read":
        after["reads"][f"{event['conversation_id']}:{event['member_id']}"] = event["read_seq"]
    elif kind == "conversation_removed":
        _remove(after, event)
    elif kind == "contacts_removed":
        for contact_id in event["contact_ids"]:
            after["contacts"].pop(contact_id, None)
    elif kind == "demo_removed":
        for account_id in event["channel_account_ids"]:
            after["channel_accounts"].pop(account_id, None)
    elif kind in REMOVALS:
        table, field = REMOVALS[kind]
        after[table].pop(event[field], None)
    elif kind == "workspace_changed":
        after["workspace"] = event["workspace"]
    else:
        _put_rows(after, event)
    return after


# What each of these says anew about a message that is held.
NEWS = {
    "message_status_changed": ("status", "error"),
    "message_attachments_changed": ("attachments",),
    "reaction_changed": ("reactions",),
    "message_change_noted": ("change",),
}
REMOVALS = {
    "inbox_removed": ("inboxes", "inbox_id"),
    "team_removed": ("teams", "team_id"),
    "role_removed": ("roles", "role_id"),
}


ROWS = {
    "conversation": "conversations",
    "contact": "contacts",
    "message": "messages",
    "member": "members",
    "inbox": "inboxes",
    "channel_account": "channel_accounts",
    "team": "teams",
    "role": "roles",
}


def _put_rows(state: State, event: State) -> None:
    for field, table in ROWS.items():
        row = event.get(field)
        if isinstance(row, dict):
            held = state[table].get(row["id"])
            if held is None or held["version"] <= row["version"]:
                state[table][row["id"]] = row
    if "conversation" in event:
        _count(state, event["previous_status"], event["conversation"]["status"])


def _change_message(state: State, seq: int, event: State, *fields: str) -> None:
    held = state["messages"].get(event["message_id"])
    if held is not None and held["version"] < seq:
        held.update({field: event[field] for field in fields}, version=seq)


def _replace_message(state: State, event: State) -> None:
    held = event["message"]["id"] in state["messages"]
    _put_rows(state, event if held else event | {"message": None})
    if event["type"] == "message_deleted":
        _empty_quotes(state, event["message"]["id"])


def _empty_quotes(state: State, message_id: str) -> None:
    for row in state["messages"].values():
        if row["reply_to"] is not None and row["reply_to"]["message_id"] == message_id:
            row["reply_to"]["text"] = ""


def _remove(state: State, event: State) -> None:
    _count(state, event["previous_status"], None)
    state["conversations"].pop(event["conversation_id"], None)
    gone = event["conversation_id"]
    state["messages"] = {key: row for key, row in state["messages"].items() if row["conversation_id"] != gone}


def _count(state: State, previous: str | None, now: str | None) -> None:
    if previous is not None:
        state["counts"][previous] -= 1
    if now is not None:
        state["counts"][now] += 1


def _by_id(rows: list[State]) -> dict[str, State]:
    return {row["id"]: row for row in rows}
