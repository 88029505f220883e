"""Made-up people and conversations for the mock hub. All addresses are of reserved example ranges."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta
from typing import Any

Row = dict[str, Any]

NAMES = [
    "Ana Okafor", "Bo Lindqvist", "Carla Moreau", "Dmitri Novak", "Elif Haddad", "Farid Costa", "Greta Weber", "Hugo Silva", "Ines Patel",
    "Jun Tanaka", "", "Karim Osei", "Lotte de Vries", "Marek Zieliński", "Nora Byrne", "Oskar Holm", "", "Rui Fernandes", "Sofia Rossi", "Tomás Vidal",
]  # fmt: skip
TEXTS = [
    "Hi, the parcel arrived with the lid cracked. Can I get a refund rather than a replacement?",
    "The import stopped at row 312 and says “bad date”. The file opens fine in a spreadsheet.",
    "Can I move to the yearly plan in the middle of the month?",
    "I keep getting signed out on my iPad, it started after yesterday’s update.",
    "Please change my billing address to 14 Harbour Street.",
    "Is there a way to see who changed an order?",
    "Thanks, that solved it!",
]


def _id(number: int) -> str:
    return str(uuid.UUID(int=(0x0190 << 112) | (7 << 76) | (2 << 62) | number))


def _at(minutes_ago: float) -> str:
    return (datetime.now(UTC) - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")


def EMPTY() -> Row:
    """A workspace nobody has written to yet."""
    me = {"id": _id(1), "name": "Priya Raman", "email": "priya@northwind.example", "role": "owner", "active": True, "version": 0}
    return {
        "seq": 100, "workspace": {"id": 1, "name": "Northwind Support"}, "me": me, "members": [me],
        "permissions": ["inbox.read", "inbox.reply", "inbox.assign", "contacts.write", "channels.manage", "members.manage", "workspace.manage"],
        "inboxes": [{"id": _id(50), "name": "Inbox", "restricted": False, "reopen_days": 7, "version": 0}],
        "channel_accounts": [], "conversations": [], "contacts": [], "messages": [], "reads": [],
    }  # fmt: skip


def seed() -> Row:
    """A busy afternoon: 140 conversations, and one with everything a thread can show."""
    state = EMPTY()
    for number, (name, role, active) in enumerate([("Hugo Laurent", "agent", True), ("Mina Park", "admin", True), ("Theo Brandt", "viewer", True), ("Ida Friis", "agent", False)], 2):
        state["members"].append({"id": _id(number), "name": name, "email": f"{name.split()[0].lower()}@northwind.example", "role": role, "active": active, "version": 0})
    chat, sms = _id(60), _id(61)
    state["channel_accounts"] = [
        {"id": chat, "inbox_id": _id(50), "channel": "livechat", "name": "Website chat", "status": "connected", "status_reason": "", "settings": {"title": "Chat with us", "color": "#2454ff"}, "created_at": _at(60 * 24 * 40), "version": 0, "demo": False},
        {"id": sms, "inbox_id": _id(50), "channel": "twilio_sms", "name": "Support number", "status": "connected", "status_reason": "", "settings": {"phone_number": "+15550100200"}, "created_at": _at(60 * 24 * 12), "version": 0, "demo": True},
        {"id": _id(62), "inbox_id": _id(50), "channel": "twilio_sms", "name": "Old number", "status": "needs_sign_in", "status_reason": "Twilio no longer accepts the Auth Token", "settings": {"phone_number": "+15550100300"}, "created_at": _at(60 * 24 * 90), "version": 0, "demo": False},
    ]
    for number in range(140):
        _conversation(state, number, chat if number % 3 else sms)
    _showcase(state)
    _mail(state)
    return state


def _conversation(state: Row, number: int, account: str) -> None:
    name = NAMES[number % len(NAMES)]
    contact, conversation = _id(1000 + number), _id(5000 + number)
    phone = account == state["channel_accounts"][1]["id"]
    identities = [{"scheme": "phone", "value": f"+1555012{number:04d}", "scope": "", "verified": False}] if phone else [
        {"scheme": "visitor", "value": f"v_{number:04d}8fa02c91be77", "scope": account, "verified": False},
        *([{"scheme": "email", "value": f"{name.split()[0].lower()}@shop.example", "scope": "", "verified": number % 2 == 0}] if name and name.isascii() else []),
    ]  # fmt: skip
    state["contacts"].append({"id": contact, "name": name if number % 11 else NAMES[0], "lifecycle_stage": ["visitor", "lead", "customer"][number % 3], "identities": identities, "created_at": _at(60 * 24 * (3 + number)), "version": 1})
    minutes = 2 + number * number * 1.3
    status = "open" if number < 70 else "snoozed" if number < 78 else "closed"
    state["seq"] += 1
    text = TEXTS[number % len(TEXTS)]
    state["messages"].append(_message(state, conversation, text, minutes, contact=contact))
    seq = state["seq"]
    outbound = number % 4 == 3
    state["conversations"].append({
        "id": conversation, "inbox_id": _id(50), "channel_account_id": account, "channel": "twilio_sms" if phone else "livechat", "contact_id": contact,
        "status": status, "assignee_id": [None, _id(1), None, _id(2), _id(3)][number % 5], "snoozed_until": _at(-60 * 20) if status == "snoozed" else None,
        "subject": "", "preview": "Of course, I’ve started it. You’ll see it in two or three days." if outbound else text, "preview_author_kind": "member" if outbound else "contact",
        "last_activity_at": _at(minutes), "last_inbound_seq": seq, "last_outbound_seq": 0, "created_at": _at(minutes + 60), "version": seq,
    })  # fmt: skip
    if number not in (1, 4, 7, 12):
        state["reads"].append({"conversation_id": conversation, "member_id": _id(1), "read_seq": seq})


def _message(state: Row, conversation: str, text: str, minutes: float, *, contact: str | None = None, author: str | None = None, **more: Any) -> Row:
    state["seq"] += 1
    inbound = author is None
    return {
        "id": _id(20000 + state["seq"]), "conversation_id": conversation, "seq": state["seq"], "kind": "message", "direction": "inbound" if inbound else "outbound",
        "author_kind": "contact" if inbound else "member", "author_id": contact if inbound else author, "author_name": "", "text": text, "attachments": [],
        "status": None if inbound else "delivered", "error": None, "client_message_id": None, "occurred_at": _at(minutes), "version": state["seq"], "headers": None, "has_html": False, "quoted": "", "reply_to": None, "unreadable": "", "reactions": [], "edited_at": None, "deleted_at": None, "change": None, "call": None, **more,
    }  # fmt: skip


def _showcase(state: Row) -> None:
    """The newest conversation holds every kind of bubble."""
    row = state["conversations"][0]
    state["messages"] = [one for one in state["messages"] if one["conversation_id"] != row["id"]]
    contact, me, hugo = row["contact_id"], _id(1), _id(2)
    add = lambda *args, **more: state["messages"].append(_message(state, row["id"], *args, **more))  # noqa: E731
    for number in range(110):
        add(f"Earlier message {number + 1} about order {20371 + number}.", 60 * 24 * 9 - number, **({"contact": contact} if number % 2 else {"author": hugo}))
    add("Hi, I ordered on Monday, when will it be here?", 60 * 26, contact=contact)
    add("It left the warehouse this morning. You can follow it here: https://track.northwind.example/20481", 60 * 25.8, author=hugo, status="read")
    add("Perfect, thank you!", 60 * 25.5, contact=contact)
    add(TEXTS[0], 34, contact=contact)
    add("I can send photos if that helps.", 33, contact=contact)
    add("Second damage this month from the Lyon warehouse, worth flagging?", 30, author=hugo, kind="note", status=None)
    add("Of course. I’ve started the refund, you’ll see it in two or three days. So sorry about the lid.", 22, author=me, status="delivered")
    add("Could you keep the box for the courier?", 21, author=me, status="failed", error={"code": "30005", "message": "The number cannot receive texts right now."})
    add("The courier comes tomorrow between 9 and 12.", 12, author=me, status="unknown")
    add("Great, I’ll be home all morning.", 3, contact=contact)
    add("مرحبا، شكرا جزيلا", 2, contact=contact)
    row.update(preview="مرحبا، شكرا جزيلا", last_inbound_seq=state["seq"], version=state["seq"], last_activity_at=_at(2), assignee_id=me)
    state["reads"] = [one for one in state["reads"] if one["conversation_id"] != row["id"]]
    state["reads"].append({"conversation_id": row["id"], "member_id": me, "read_seq": state["seq"] - 2})


def _mail(state: Row) -> None:
    """The second conversation is a mail thread of three people with files."""
    row = state["conversations"][1]
    row.update(channel="imap_smtp", subject="Broken lamp, order 20481", channel_account_id=state["channel_accounts"][0]["id"])
    state["channel_accounts"][0].update(channel="imap_smtp", name="Support mail", settings={"address": "support@northwind.example"})
    state["messages"] = [one for one in state["messages"] if one["conversation_id"] != row["id"]]
    people = {"subject": row["subject"], "sender": {"name": "Bo Lindqvist", "address": "bo@shop.example"}, "to": [{"name": "", "address": "support@northwind.example"}], "cc": [{"name": "Carla Moreau", "address": "carla@shop.example"}], "bcc": []}
    file = {"id": "", "kind": "file", "filename": "", "mime": "", "size_bytes": 1, "state": "ready", "width": None, "height": None, "has_thumbnail": False, "has_preview": False, "inline": False, "error": None}
    image = {**file, "kind": "image", "mime": "image/jpeg", "has_thumbnail": True, "width": 320, "height": 240, "size_bytes": 482_000}
    add = lambda *args, **more: state["messages"].append(_message(state, row["id"], *args, **more))  # noqa: E731
    add("The lamp arrived with a broken shade. Photos are attached.", 300, contact=row["contact_id"], headers=people, attachments=[{**image, "id": _id(90001), "filename": "shade-front.jpg"}, {**image, "id": _id(90002), "filename": "shade-back.jpg"}, {**image, "id": _id(90003), "filename": "box.jpg"}, {**file, "id": _id(90004), "filename": "Invoice 20481 — with quite a long name that does not fit.pdf", "size_bytes": 82_000}])
    add("So sorry. A new shade leaves today.", 200, author=_id(1), headers={**people, "to": [people["sender"]], "cc": people["cc"], "subject": "Re: " + row["subject"]}, quoted="On Mon, Bo Lindqvist wrote:\n> The lamp arrived with a broken shade.")
    add("Thanks! Carla will be at home.", 100, contact=_id(1002), author_name="Carla Moreau", headers={**people, "subject": "Re: " + row["subject"]}, has_html=True, quoted="On Mon …")
    add("", 50, contact=row["contact_id"], headers={**people, "subject": "A different thing", "cc": []}, attachments=[{**image, "id": _id(90005), "filename": "contract.pdf", "kind": "file", "mime": "application/pdf", "has_preview": True}, {**file, "id": _id(90006), "filename": "voice.ogg", "kind": "audio"}, {**file, "id": _id(90007), "filename": "film.mp4", "state": "pending"}, {**file, "id": _id(90008), "filename": "tax.xlsm", "state": "failed", "error": "The file is larger than 100 MB."}])
    row.update(preview="Thanks! Carla will be at home.", last_inbound_seq=state["seq"], version=state["seq"])
