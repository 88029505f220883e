/** Which conversations a view shows, in which order, and what waits while the order is held. Pure. */
import type { Filter, Tab } from "../router";
import type { Pending } from "../sync/client";
import type { View } from "../sync/pages";
import type { Counts, State } from "../sync/state";
import type { Conversation, ConversationStatus, Uuid } from "../types.gen";

const STATUSES: Readonly<Record<Tab, readonly ConversationStatus[]>> = {
  open: ["open", "pending"],
  snoozed: ["snoozed"],
  closed: ["closed"],
};

export const tabCount = (counts: Counts, tab: Tab): number => STATUSES[tab].reduce((sum, status) => sum + counts[status], 0);

export const tabOf = (status: ConversationStatus): Tab => (status === "snoozed" || status === "closed" ? status : "open");

export const toView = (tab: Tab, filter: Filter): View => ({
  status: tab,
  assignee: filter === "mine" ? "me" : filter === "unassigned" ? "none" : null,
});

/** Puts what the member just did on top of what the hub said. */
export function withPending(rows: State["conversations"], pending: Pending): State["conversations"] {
  const entries = Object.entries(pending).filter(([id]) => rows[id] !== undefined);
  if (entries.length === 0) return rows;
  return { ...rows, ...Object.fromEntries(entries.map(([id, change]) => [id, { ...(rows[id] as Conversation), ...change }])) };
}

export interface Selection {
  readonly tab: Tab;
  readonly filter: Filter;
  readonly me: Uuid;
  /** Rows older than this are left out: between them and the floor there are holes. */
  readonly floor: string | null;
}

/** The rows of a view, newest activity first. */
export function selectRows(rows: State["conversations"], { tab, filter, me, floor }: Selection): Conversation[] {
  const statuses = STATUSES[tab];
  return Object.values(rows)
    .filter((row) => statuses.includes(row.status)
      && (filter === "all" || row.assignee_id === (filter === "mine" ? me : null))
      && (floor === null || row.last_activity_at >= floor))
    .sort(byActivity);
}

function byActivity(left: Conversation, right: Conversation): number {
  if (left.last_activity_at !== right.last_activity_at) return left.last_activity_at < right.last_activity_at ? 1 : -1;
  return left.id < right.id ? 1 : -1;
}

export interface Frozen {
  readonly ids: readonly Uuid[];
  readonly activity: Readonly<Record<Uuid, string>>;
}

export const freeze = (rows: readonly Conversation[]): Frozen => ({
  ids: rows.map((row) => row.id),
  activity: Object.fromEntries(rows.map((row) => [row.id, row.last_activity_at])),
});

/** The rows in their held order, and how many others would now stand elsewhere. */
export function holdOrder(frozen: Frozen, fresh: readonly Conversation[], all: State["conversations"]): { rows: Conversation[]; waiting: number } {
  const rows = frozen.ids.map((id) => all[id]).filter((row) => row !== undefined);
  const last = rows.at(-1);
  const held = new Set(frozen.ids);
  // Older pages are appended: they do not move what is under the pointer.
  const older = fresh.filter((row) => !held.has(row.id) && last !== undefined && row.last_activity_at < last.last_activity_at);
  const moved = (row: Conversation, index: number): boolean => frozen.activity[row.id] !== row.last_activity_at && frozen.ids[index] !== row.id;
  const waiting = fresh.filter((row, index) => (held.has(row.id) ? moved(row, index) : !older.includes(row))).length;
  return { rows: [...rows, ...older], waiting };
}

/** The row to go to from `id`: the next or previous one, or the first when it is not in the list. */
export function neighbour(rows: readonly Conversation[], id: Uuid | null, step: 1 | -1): Uuid | null {
  const at = rows.findIndex((row) => row.id === id);
  if (at === -1) return rows[0]?.id ?? null;
  return rows[at + step]?.id ?? null;
}
