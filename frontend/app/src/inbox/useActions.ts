/** What a member does to a conversation, with the toast that tells it and the way back. */
import { useMemo } from "react";
import { useClient } from "../context";
import { memberName } from "../lib/names";
import { untilTime } from "../lib/time";
import { navigate } from "../router";
import { showError, showToast } from "../ui/toasts";
import type { ConversationChange } from "../api";
import type { HubClient } from "../sync/client";
import { may } from "../sync/state";
import type { Conversation, Permission, Uuid } from "../types.gen";
import type { InboxRoute } from "./InboxPage";
import { neighbour, selectRows, tabOf, withPending } from "./list";

export interface Actions {
  toggleClosed(id: Uuid): void;
  snooze(id: Uuid, until: Date): void;
  unsnooze(id: Uuid): void;
  assign(id: Uuid, memberId: Uuid | null): void;
  markUnread(id: Uuid): void;
}

export function useActions(route: InboxRoute): Actions {
  const client = useClient();
  return useMemo(() => makeActions(client, route), [client, route]);
}

function makeActions(client: HubClient, route: InboxRoute): Actions {
  const find = (id: Uuid): Conversation | undefined =>
    withPending(client.feed.get()?.conversations ?? {}, client.pending.get())[id];

  const run = (id: Uuid, change: ConversationChange, told: string, back: ConversationChange | null): void => {
    const attempt = (): void => {
      client.change(id, change).then(
        () => showToast(told, { action: back === null ? null : { label: "Undo", run: () => undo(id, back) } }),
        (error: unknown) => showError(error, attempt),
      );
    };
    attempt();
  };
  const undo = (id: Uuid, back: ConversationChange): void => {
    client.change(id, back).then(() => navigate({ ...route, conversation: id }), (error: unknown) => showError(error));
  };

  /** When a row leaves the tab on screen, the next one takes its place. */
  const moveOn = (id: Uuid): void => {
    const state = client.feed.get();
    if (route.conversation !== id || state === null) return;
    const rows = selectRows(withPending(state.conversations, client.pending.get()), { ...route, me: state.me.id, floor: null });
    if (!rows.some((row) => row.id === id)) return;
    navigate({ ...route, conversation: neighbour(rows, id, 1) ?? neighbour(rows, id, -1) });
  };

  const allowed = (permission: Permission): boolean => {
    const state = client.feed.get();
    if (state !== null && may(state, permission)) return true;
    showToast("Your role does not allow this. Ask an owner or admin.", { tone: "bad" });
    return false;
  };

  return {
    toggleClosed(id) {
      const row = find(id);
      if (row === undefined || !allowed("inbox.reply")) return;
      if (row.status === "closed") return run(id, { status: "open" }, "Reopened.", { status: "closed" });
      if (tabOf(row.status) === route.tab) moveOn(id);
      run(id, { status: "closed" }, "Closed.", backTo(row));
    },
    snooze(id, until) {
      const row = find(id);
      if (row === undefined || !allowed("inbox.reply")) return;
      if (route.tab !== "snoozed") moveOn(id);
      const snoozed_until = until.toISOString();
      run(id, { status: "snoozed", snoozed_until }, `Snoozed until ${untilTime(snoozed_until, new Date())}.`, backTo(row));
    },
    unsnooze(id) {
      const row = find(id);
      if (row !== undefined && allowed("inbox.reply")) run(id, { status: "open" }, "Back in Open.", backTo(row));
    },
    assign(id, memberId) {
      const row = find(id);
      const state = client.feed.get();
      if (row === undefined || state === null || row.assignee_id === memberId || !allowed("inbox.assign")) return;
      const told = memberId === null ? "Unassigned." : memberId === state.me.id ? "Assigned to you." : `Assigned to ${memberName(state.members[memberId])}.`;
      run(id, { assignee_id: memberId }, told, { assignee_id: row.assignee_id });
    },
    markUnread(id) {
      const row = find(id);
      if (row === undefined || row.last_inbound_seq === 0) return;
      client.keepUnread(id);
      client.markRead(id, row.last_inbound_seq - 1).then(() => showToast("Marked unread."), (error: unknown) => showError(error));
    },
  };
}

/** The change that restores what the row was. */
function backTo(row: Conversation): ConversationChange {
  if (row.status === "snoozed" && row.snoozed_until !== null) return { status: "snoozed", snoozed_until: row.snoozed_until };
  return { status: row.status === "closed" ? "closed" : "open" };
}
