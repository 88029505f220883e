"""
Write the TypeScript types of the inbox from the structs that define them.

Usage: ``gen_types.py`` writes ``frontend/app/src/types.gen.ts``; ``gen_types.py --check`` only compares and exits 1
with the first line that differs. Run by ``scripts/check``; never imported by the product.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from types import UnionType
from typing import get_args

import msgspec
from msgspec import inspect

from api import (
    account_health,
    call_reports,
    calls,
    changes,
    channel_accounts,
    connecting,
    conversations,
    dead_letters,
    inboxes,
    mails,
    members,
    operator,
    privacy,
    roles,
    session,
    softphones,
    templates,
    texts,
    workspace_security,
    workspaces,
)
from api import contacts as contact_views
from api import invitations as invitation_views
from api.channels import ChannelView
from api.snapshot import Snapshot
from hub.accounts import invitations, people
from hub.accounts import model as accounts
from hub.channels import model as channels
from hub.channels.connecting.model import AttemptState
from hub.contacts import model as contacts
from hub.demo import model as demo
from hub.inbox import model as inbox
from hub.realtime import protocol

ROOT = Path(__file__).resolve().parents[1]
TARGET = ROOT / "frontend" / "app" / "src" / "types.gen.ts"


HEADER = """\
// Made by scripts/gen_types.py from the hub's structs. Do not edit: change the struct and run the script.

/** ISO 8601 in UTC. */
export type Timestamp = string;
/** A day of a calendar, `2026-11-22`. */
export type Day = string;
/** Canonical lower-case UUID. */
export type Uuid = string;
"""

ANSWERS: tuple[type, ...] = (
    session.SessionView,
    Snapshot,
    ChannelView,
    conversations.ConversationPage,
    conversations.ConversationView,
    conversations.ConversationChange,
    conversations.MessagePage,
    calls.CallAccepted,
    call_reports.CallReportView,
    softphones.SoftphoneView,
    changes.ChangeView,
    changes.VersionsView,
    contact_views.ContactView,
    contact_views.ContactChange,
    members.MembersView,
    channel_accounts.AccountsView,
    dead_letters.DeadLetterPage,
    dead_letters.DeadLetterDetail,
    dead_letters.ReplayedView,
    channel_accounts.TestedView,
    account_health.AccountHealth,
    connecting.SignInView,
    AttemptState,
    channel_accounts.SecretView,
    mails.ReplyDefaults,
    invitations.Preview,
    texts.SealingView,
    templates.TemplatesView,
    privacy.ExportView,
    privacy.ExportPage,
    privacy.PreviewView,
    privacy.ErasurePage,
    privacy.ConsentView,
    privacy.ConsentPage,
    privacy.PolicyView,
    privacy.PolicyPage,
    invitation_views.InvitationsView,
    invitation_views.InvitedView,
    roles.CatalogueView,
    roles.RolesView,
    inboxes.InboxWithAccess,
    workspace_security.SecurityView,
    workspaces.DomainsView,
    people.DeletedWorkspace,
    operator.WorkspacePage,
    operator.WorkspaceDetail,
    operator.HealthView,
)
# What the browser sends that has a name of its own there.
SENT: tuple[type, ...] = (people.HandOver,)
EVENTS: tuple[type, ...] = (
    *get_args(inbox.InboxEvent),
    *get_args(demo.DemoEvent),
    contacts.ContactChanged,
    accounts.MemberAdded,
    accounts.MemberChanged,
    accounts.WorkspaceChanged,
    people.TeamChanged,
    people.TeamRemoved,
    people.RoleChanged,
    people.RoleRemoved,
    channels.InboxChanged,
    channels.InboxRemoved,
    channels.ChannelAccountConnected,
    channels.ChannelAccountChanged,
)

# Names the browser has already taken.
_RENAMED = {
    protocol.Event: "EventFrame",
    protocol.Error: "ErrorFrame",
    protocol.Read: "ReadFrame",
    protocol.Ping: "PingFrame",
    invitations.Preview: "Offer",
}

_SCALARS: dict[type[inspect.Type], str] = {
    inspect.BoolType: "boolean",
    inspect.IntType: "number",
    inspect.FloatType: "number",
    inspect.StrType: "string",
    inspect.NoneType: "null",
    inspect.DateTimeType: "Timestamp",
    inspect.DateType: "Day",
    inspect.UUIDType: "Uuid",
}


class TypeWriter:
    """Collects declarations while walking the structs, each name once, in the order first met."""

    def __init__(self) -> None:
        self.declarations: dict[str, str] = {}
        self._written_by_us = False
        self._structs: dict[str, type] = {}

    def declare_sent(self, root: type) -> str:
        """Describe a frame the client writes: what has a default may be left out; returns its name."""
        self._written_by_us = True
        try:
            return self.declare(root)
        finally:
            self._written_by_us = False

    def declare(self, root: type | UnionType) -> str:
        """
        Describe a struct or enum and whatever it refers to.

        Args:
            root: A msgspec struct or an enum.

        Returns:
            The TypeScript expression that refers to it.
        """
        return self._expression(inspect.type_info(root))

    def _expression(self, info: inspect.Type) -> str:
        if type(info) in _SCALARS:
            return _SCALARS[type(info)]
        match info:
            case inspect.StructType():
                return self._struct(info)
            case inspect.EnumType():
                name = info.cls.__name__
                values = _union(_quote(member.value) for member in info.cls)
                self.declarations[name] = f"export type {name} = {values};\n"
                return name
            case inspect.LiteralType():
                return _union(_quote(value) for value in info.values)
            case inspect.UnionType():
                return _union(self._expression(part) for part in info.types)
            case inspect.VarTupleType() | inspect.ListType():
                item = self._expression(info.item_type)
                return f"readonly ({item})[]" if " | " in item else f"readonly {item}[]"
            case inspect.DictType():
                return f"Readonly<Record<{self._expression(info.key_type)}, {self._expression(info.value_type)}>>"
            case inspect.RawType():
                return "HubEvent"  # the only JSON we pass on without reading is an event's
            case inspect.Metadata():
                return self._expression(info.type)
        raise TypeError(f"No TypeScript for {info!r}: add it to gen_types.py")

    def _struct(self, info: inspect.StructType) -> str:
        name = _RENAMED.get(info.cls, info.cls.__name__)
        if self._structs.setdefault(name, info.cls) is not info.cls:
            raise TypeError(f"Two structs are called {name}: rename one in gen_types.py")
        if name in self.declarations:
            return name
        self.declarations[name] = ""  # keeps the place, and ends recursion
        lines = [f"  readonly {info.tag_field}: {_quote(info.tag)};"] if info.tag_field else []
        may_lack = info.cls.__struct_config__.omit_defaults or self._written_by_us
        for field in info.fields:
            optional = "?" if may_lack and not field.required else ""
            lines.append(f"  readonly {field.encode_name}{optional}: {self._expression(field.type)};")
        self.declarations[name] = f"export interface {name} {{\n" + "\n".join(lines) + "\n}\n"
        return name


def render() -> str:
    """Return the whole file as it must be."""
    writer = TypeWriter()
    for answer in ANSWERS:
        writer.declare(answer)
    for sent in SENT:
        writer.declare_sent(sent)
    names = [writer.declare(event) for event in EVENTS]
    unions = [
        _alias("HubEvent", names),
        _alias("ClientFrame", [writer.declare_sent(frame) for frame in get_args(protocol.ClientFrame)]),
        _alias("ServerFrame", [writer.declare(frame) for frame in get_args(protocol.HubFrame)]),
    ]
    return "\n".join([HEADER, *writer.declarations.values(), *unions])


def main(arguments: Sequence[str] | None = None) -> int:
    """Write or compare the file; return the exit code."""
    parser = argparse.ArgumentParser(description="TypeScript types from the hub's structs")
    parser.add_argument("--check", action="store_true", help="compare only, exit 1 when the file is out of date")
    wanted = render()
    if not parser.parse_args(arguments).check:
        TARGET.write_text(wanted, encoding="utf-8")
        return 0
    found = TARGET.read_text(encoding="utf-8") if TARGET.exists() else ""
    if found == wanted:
        return 0
    print(f"{TARGET.relative_to(ROOT)} is out of date: {_first_difference(found, wanted)}. Run scripts/gen_types.py.")
    return 1


def _alias(name: str, parts: Iterable[str]) -> str:
    return f"export type {name} =\n" + "\n".join(f"  | {part}" for part in parts) + ";\n"


def _quote(value: object) -> str:
    return msgspec.json.encode(value).decode()


def _union(parts: Iterable[str]) -> str:
    return " | ".join(dict.fromkeys(parts))


def _first_difference(found: str, wanted: str) -> str:
    pairs = zip(found.splitlines(), wanted.splitlines(), strict=False)
    number, line = next(
        ((n, new) for n, (old, new) in enumerate(pairs, 1) if old != new), (len(found.splitlines()) + 1, "")
    )
    return f"line {number} should read {line!r}"


if __name__ == "__main__":
    sys.exit(main())
