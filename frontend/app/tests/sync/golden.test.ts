/** Replays the vectors the hub's own tests write (tests/golden) and two of ours: snapshot + events == snapshot after. */
import { readFileSync, readdirSync } from "node:fs";
import { join, resolve } from "node:path";
import { describe, expect, it } from "vitest";
import type { State } from "../../src/sync/state";
import { applyEvent, applyEvents, mergeRows } from "../../src/sync/store";
import type { HubEvent, Message } from "../../src/types.gen";

interface VectorState {
  readonly cursor: State["cursor"];
  readonly workspace: State["workspace"];
  readonly me: string;
  readonly counts: State["counts"];
  readonly members: State["members"];
  readonly inboxes: State["inboxes"];
  readonly teams: State["teams"];
  readonly roles: State["roles"];
  readonly channel_accounts: State["channelAccounts"];
  readonly conversations: State["conversations"];
  readonly contacts: State["contacts"];
  readonly messages: Readonly<Record<string, Message>>;
  /** By "conversation:member". */
  readonly reads: Readonly<Record<string, number>>;
}

interface Vector {
  readonly name: string;
  readonly before: VectorState;
  readonly events: readonly { readonly seq: number; readonly event: HubEvent }[];
  readonly after: VectorState;
}

const FOLDERS = [resolve(__dirname, "../../../../tests/golden"), resolve(__dirname, "../golden")];
const vectors = FOLDERS.flatMap((folder) => readdirSync(folder).filter((name) => name.endsWith(".json"))
  .map((name) => JSON.parse(readFileSync(join(folder, name), "utf8")) as Vector | readonly unknown[])
  .filter((found): found is Vector => "events" in found));

function toState(vector: VectorState): State {
  const messages: Record<string, Record<string, Message>> = {};
  for (const row of Object.values(vector.messages)) (messages[row.conversation_id] ??= {})[row.id] = row;
  const reads: Record<string, Record<string, { read_seq: number; version: number }>> = {};
  for (const [key, read_seq] of Object.entries(vector.reads)) {
    const [conversation = "", reader = ""] = key.split(":");
    (reads[conversation] ??= {})[reader] = { read_seq, version: vector.cursor.seq };
  }
  const me = vector.members[vector.me];
  if (me === undefined) throw new Error("A vector's reader must be among its members.");
  return {
    cursor: vector.cursor, workspace: vector.workspace, me, permissions: [], counts: vector.counts, members: vector.members, inboxes: vector.inboxes, teams: vector.teams, roles: vector.roles,
    channelAccounts: vector.channel_accounts, contacts: vector.contacts, conversations: vector.conversations, messages, reads,
    lines: {}, messageNews: {}, removed: {},
  };
}

function toVector(state: State): VectorState {
  return {
    cursor: state.cursor, workspace: state.workspace, me: state.me.id, counts: state.counts, members: state.members, inboxes: state.inboxes, teams: state.teams, roles: state.roles,
    channel_accounts: state.channelAccounts, contacts: state.contacts, conversations: state.conversations,
    messages: Object.assign({}, ...Object.values(state.messages)) as VectorState["messages"],
    reads: Object.fromEntries(Object.entries(state.reads).flatMap(([conversation, marks]) =>
      Object.entries(marks).map(([reader, mark]) => [`${conversation}:${reader}`, mark.read_seq]))),
  };
}

describe("golden vectors", () => {
  it("exist", () => expect(vectors.length).toBeGreaterThanOrEqual(2));

  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s: one event at a time", (_name, { before, events, after }) => {
    const end = events.reduce((state, { seq, event }) => applyEvent(state, event, seq), toState(before));
    expect(toVector(end)).toEqual(after);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s: all in one flush, some of them twice", (_name, { before, events, after }) => {
    const frames = events.flatMap(({ seq, event }) => [{ type: "event" as const, seq, prev: seq - 1, event }, { type: "event" as const, seq, prev: seq - 1, event }]);
    expect(toVector(applyEvents(toState(before), frames))).toEqual(after);
  });

  it.each(vectors.map((vector) => [vector.name, vector] as const))("%s: leaves the state before as it was", (_name, { before, events }) => {
    const start = toState(before);
    const copy = structuredClone(start);
    applyEvents(start, events.map(({ seq, event }) => ({ type: "event" as const, seq, prev: seq - 1, event })));
    expect(start).toEqual(copy);
  });
});

describe("lines of a thread", () => {
  const line = { seq: 2, type: "conversation_closed" as const, actor_id: null, at: "2026-01-01T00:00:00Z", assignee_id: null, inbox_id: "i", snoozed_until: null };

  it("come with a page of messages, once, in order, and give a live one its time", () => {
    const before = toState(vectors[0]!.before);
    const held = { ...before, lines: { c: [{ ...line, seq: 2, at: null }, { ...line, seq: 5, at: null }] } };
    const merged = mergeRows(held, { seq: 9, linesOf: "c", lines: [{ ...line, seq: 1 }, line] });
    expect(merged.lines["c"]?.map((one) => [one.seq, one.at])).toEqual([[1, line.at], [2, line.at], [5, null]]);
  });
});
