/**
 * The only writer of state: pure functions from a state and an event (or rows fetched by HTTP) to the next state.
 * Knows neither sockets nor React; sync/feed.ts calls it. Rules: docs/protocol.md §5.
 */
import type { Conversation, ConversationStatus, HubEvent, Message, ReadMark, Snapshot, Uuid } from "../types.gen";
import type { EventFrame } from "./frames";
import type { Counts, Line, Rows, State, MessageNews, Table } from "./state";

const MESSAGE_NEWS_LIMIT = 2_000;

type Tables = {
  [Key in keyof State as State[Key] extends Table<unknown> ? Key : never]: State[Key];
};
type TableName = Exclude<keyof Tables, "counts">;

/** A state being changed: each table is copied once, when first written to. */
class Draft {
  private readonly copied = new Set<string>();

  constructor(public state: State) {}

  table<Name extends TableName>(name: Name): { -readonly [Id in keyof State[Name]]: State[Name][Id] } {
    if (!this.copied.has(name)) {
      this.copied.add(name);
      this.state = { ...this.state, [name]: { ...this.state[name] } };
    }
    return this.state[name];
  }

  inner<Item>(name: "messages" | "reads", id: Uuid): Record<Uuid, Item> {
    const outer = this.table(name) as Record<Uuid, Record<Uuid, Item>>;
    const key = `${name}/${id}`;
    if (!this.copied.has(key) || outer[id] === undefined) {
      this.copied.add(key);
      outer[id] = { ...outer[id] };
    }
    return outer[id] as Record<Uuid, Item>;
  }

  count(previous: ConversationStatus | null, next: ConversationStatus | null): void {
    if (previous === next) return;
    const counts: Record<ConversationStatus, number> = { ...this.state.counts };
    if (previous !== null) counts[previous] -= 1;
    if (next !== null) counts[next] += 1;
    this.state = { ...this.state, counts: counts satisfies Counts };
  }
}

/** Makes the state of a snapshot; whatever was known before is void. */
export function fromSnapshot(snapshot: Snapshot): State {
  const byId = <Item extends { readonly id: Uuid }>(rows: readonly Item[]): Table<Item> =>
    Object.fromEntries(rows.map((row) => [row.id, row]));
  const empty: State = {
    cursor: { epoch: snapshot.epoch, seq: snapshot.seq },
    workspace: snapshot.workspace,
    me: snapshot.me,
    permissions: snapshot.permissions,
    counts: snapshot.counts,
    members: byId(snapshot.members),
    inboxes: byId(snapshot.inboxes),
    teams: byId(snapshot.teams),
    roles: byId(snapshot.roles),
    channelAccounts: byId(snapshot.channel_accounts),
    contacts: byId(snapshot.contacts),
    conversations: byId(snapshot.conversations),
    messages: {}, reads: {}, lines: {}, messageNews: {}, removed: {},
  };
  return mergeRows(empty, { seq: snapshot.seq, reads: snapshot.reads });
}

/** Applies one event; the state given stays as it was. */
export function applyEvent(state: State, event: HubEvent, seq: number): State {
  const draft = new Draft(state);
  change(draft, event, seq);
  return advanceCursor(draft.state, seq);
}

/** Applies events in order, copying each table once for all of them. */
export function applyEvents(state: State, frames: readonly EventFrame[]): State {
  const draft = new Draft(state);
  let seq = state.cursor.seq;
  for (const frame of frames) {
    if (frame.seq <= seq) continue;
    change(draft, frame.event, frame.seq);
    seq = frame.seq;
  }
  return advanceCursor(draft.state, seq);
}

/** Joins rows fetched by HTTP; they may be older than what events told us, so the higher version stays. */
export function mergeRows(state: State, rows: Rows): State {
  const draft = new Draft(state);
  const freshness = rows.seq ?? 0;
  for (const conversation of rows.conversations ?? []) {
    if ((state.removed[conversation.id] ?? -1) >= Math.max(freshness, conversation.version)) continue;
    put(draft, "conversations", conversation);
  }
  for (const contact of rows.contacts ?? []) put(draft, "contacts", contact);
  for (const account of rows.channelAccounts ?? []) put(draft, "channelAccounts", account);
  for (const member of rows.members ?? []) put(draft, "members", member);
  for (const mark of rows.reads ?? []) putMark(draft, mark, freshness);
  for (const message of rows.messages ?? []) {
    if ((state.removed[message.conversation_id] ?? -1) < Math.max(freshness, message.version)) putMessage(draft, message);
  }
  if (rows.linesOf !== undefined && (state.removed[rows.linesOf] ?? -1) < freshness) mergeLines(draft, rows.linesOf, rows.lines ?? []);
  return draft.state;
}

function change(draft: Draft, event: HubEvent, seq: number): void {
  switch (event.type) {
    case "message_received":
    case "message_echoed":
      put(draft, "contacts", event.contact);
      putMessage(draft, event.message);
      return putConversation(draft, event.conversation, event.previous_status);
    case "message_queued":
    case "note_added":
      putMessage(draft, event.message);
      return putConversation(draft, event.conversation, event.previous_status);
    case "conversation_assigned":
    case "conversation_closed":
    case "conversation_reopened":
    case "conversation_snoozed":
    case "conversation_moved":
      if (event.type === "conversation_moved") put(draft, "contacts", event.contact);
      addLine(draft, event.conversation, { type: event.type, actor_id: event.actor_id, seq });
      return putConversation(draft, event.conversation, event.previous_status);
    case "conversation_removed":
      return removeConversation(draft, event.conversation_id, event.previous_status, seq);
    case "message_status_changed":
      return putNews(draft, event.conversation_id, event.message_id, { status: event.status, error: event.error, version: seq });
    case "message_attachments_changed":
      return putNews(draft, event.conversation_id, event.message_id, { attachments: event.attachments, version: seq });
    case "reaction_changed":
      return putNews(draft, event.conversation_id, event.message_id, { reactions: event.reactions, version: seq });
    case "message_change_noted":
      return putNews(draft, event.conversation_id, event.message_id, { change: event.change, version: seq });
    case "message_edited":
    case "message_deleted":
      // Only news of the message: whoever does not hold its page would show it beside a gap.
      putNews(draft, event.message.conversation_id, event.message.id, event.message);
      if (event.type === "message_deleted") emptyQuotes(draft, event.message);
      return putConversation(draft, event.conversation, event.previous_status);
    case "conversation_read":
      return putMark(draft, event, seq);
    case "contact_changed":
      return put(draft, "contacts", event.contact);
    case "member_added":
    case "member_changed":
      return putMember(draft, event.member);
    case "inbox_changed":
      return put(draft, "inboxes", event.inbox);
    case "inbox_removed":
      return drop(draft, "inboxes", event.inbox_id);
    case "team_changed":
      return put(draft, "teams", event.team);
    case "team_removed":
      return drop(draft, "teams", event.team_id);
    case "role_changed":
      return put(draft, "roles", event.role);
    case "role_removed":
      return drop(draft, "roles", event.role_id);
    case "workspace_changed":
      draft.state = { ...draft.state, workspace: event.workspace };
      return;
    case "channel_account_connected":
      put(draft, "inboxes", event.inbox);
      return put(draft, "channelAccounts", event.channel_account);
    case "channel_account_changed":
      return put(draft, "channelAccounts", event.channel_account);
    case "contacts_removed":
      for (const id of event.contact_ids) if (draft.state.contacts[id] !== undefined) delete draft.table("contacts")[id];
      return;
    case "demo_removed":
      for (const id of event.channel_account_ids) {
        if (draft.state.channelAccounts[id] !== undefined) delete draft.table("channelAccounts")[id];
      }
      return;
    default:
      event satisfies never; // a newer hub's event: the cursor moves on, nothing else
  }
}

interface Row {
  readonly id: Uuid;
  readonly version: number;
}

function put<Name extends "conversations" | "contacts" | "members" | "inboxes" | "channelAccounts" | "teams" | "roles">(
  draft: Draft, name: Name, row: State[Name][Uuid] & Row,
): void {
  const held: Row | undefined = draft.state[name][row.id];
  if (held !== undefined && held.version > row.version) return;
  (draft.table(name) as Record<Uuid, Row>)[row.id] = row;
}

function drop(draft: Draft, name: "inboxes" | "teams" | "roles", id: Uuid): void {
  if (draft.state[name][id] !== undefined) delete draft.table(name)[id];
}

function putMember(draft: Draft, member: State["me"]): void {
  put(draft, "members", member);
  if (draft.state.me.id === member.id && draft.state.me.version <= member.version) {
    draft.state = { ...draft.state, me: member };
  }
}

function putConversation(draft: Draft, row: Conversation, previous: ConversationStatus | null): void {
  draft.count(previous, row.status);
  if (draft.state.removed[row.id] !== undefined) delete draft.table("removed")[row.id];
  put(draft, "conversations", row);
}

function putMessage(draft: Draft, row: Message): void {
  const held = draft.state.messages[row.conversation_id]?.[row.id];
  if (held !== undefined && held.version > row.version) return;
  const news = draft.state.messageNews[row.id];
  if (news !== undefined) delete draft.table("messageNews")[row.id];
  const message = news !== undefined && news.version > row.version ? { ...row, ...news } : row;
  draft.inner<Message>("messages", row.conversation_id)[row.id] = message;
}

function putNews(draft: Draft, conversationId: Uuid, messageId: Uuid, news: MessageNews): void {
  const held = draft.state.messages[conversationId]?.[messageId];
  if (held !== undefined) {
    if (held.version <= news.version) draft.inner<Message>("messages", conversationId)[messageId] = { ...held, ...news };
    return;
  }
  const table = draft.table("messageNews");
  table[messageId] = { ...table[messageId], ...news };
  const ids = Object.keys(table);
  // The oldest is only of use to an HTTP page still on its way, which takes seconds, not thousands of events.
  if (ids.length > MESSAGE_NEWS_LIMIT) delete table[ids[0] as Uuid];
}

/** A message that was taken back is not shown by those that quote it either. */
function emptyQuotes(draft: Draft, gone: Message): void {
  for (const row of Object.values(draft.state.messages[gone.conversation_id] ?? {})) {
    if (row.reply_to?.message_id !== gone.id || row.reply_to.text === "") continue;
    draft.inner<Message>("messages", gone.conversation_id)[row.id] = { ...row, reply_to: { ...row.reply_to, text: "" } };
  }
}

function putMark(draft: Draft, mark: ReadMark, version: number): void {
  const held = draft.state.reads[mark.conversation_id]?.[mark.member_id];
  if (held !== undefined && held.version > version) return;
  draft.inner("reads", mark.conversation_id)[mark.member_id] = { read_seq: mark.read_seq, version };
}

function addLine(draft: Draft, row: Conversation, line: Pick<Line, "type" | "actor_id" | "seq">): void {
  const lines = draft.table("lines");
  const { assignee_id, inbox_id, snoozed_until } = row;
  lines[row.id] = [...(lines[row.id] ?? []), { ...line, assignee_id, inbox_id, snoozed_until, at: null }];
}

function mergeLines(draft: Draft, id: Uuid, fetched: readonly Line[]): void {
  if (fetched.length === 0) return;
  const bySeq = new Map((draft.state.lines[id] ?? []).map((line) => [line.seq, line]));
  for (const line of fetched) bySeq.set(line.seq, line);
  draft.table("lines")[id] = [...bySeq.values()].toSorted((a, b) => a.seq - b.seq);
}

function removeConversation(draft: Draft, id: Uuid, previous: ConversationStatus | null, seq: number): void {
  draft.count(previous, null);
  draft.table("removed")[id] = seq;
  // Read marks stay: they hold when the conversation comes back.
  for (const name of ["conversations", "messages", "lines"] as const) {
    if (draft.state[name][id] !== undefined) delete draft.table(name)[id];
  }
}

function advanceCursor(state: State, seq: number): State {
  return seq === state.cursor.seq ? state : { ...state, cursor: { ...state.cursor, seq } };
}
