import { describe, expect, it } from "vitest";
import { newestSeq, threadItems } from "../../src/inbox/thread";
import type { OutboxEntry } from "../../src/sync/outbox";
import type { Line } from "../../src/sync/state";
import type { Message } from "../../src/types.gen";
import { message } from "../rows";

const say = (seq: number, time: string, over: Partial<Message> = {}): Message => message({ id: `x-${seq}`, seq, version: seq, occurred_at: `2026-01-${time}Z`, ...over });
const table = (...rows: Message[]): Record<string, Message> => Object.fromEntries(rows.map((row) => [row.id, row]));
const line = (seq: number): Line => ({ seq, type: "conversation_closed", actor_id: null, assignee_id: null, inbox_id: "i-1", snoozed_until: null, at: null });
const entry = (client_message_id: string): OutboxEntry =>
  ({ client_message_id, conversation_id: "c-1", kind: "message", text: "On its way", seen_seq: null, created_at: "2026-01-02T12:00:00Z", acked_seq: null, error: null, attachments: [], addressing: null });
const parts = { lines: [], outgoing: [], readSeqAtOpening: 1_000 };
const keys = (items: ReturnType<typeof threadItems>): string[] => items.map((item) => item.key);

describe("threadItems", () => {
  it("orders by the vendor's time, then by seq, with a line for each day", () => {
    const rows = table(say(3, "02T08:00:00"), say(1, "01T12:00:00"), say(2, "01T12:00:00"));
    expect(keys(threadItems({ ...parts, messages: rows }))).toEqual(["day-x-1", "x-1", "x-2", "day-x-3", "x-3"]);
  });

  it("shows a call's recordings with the call, and marks the call as new for them; those of a call that is not here stand alone", () => {
    const about = (id: string) => ({ message_id: id, author_kind: "contact", author_id: "p-1", author_name: "", text: "" }) as const;
    const rows = table(
      say(1, "01T12:00:00"), say(2, "01T12:01:00", { kind: "call" }), say(3, "01T12:03:00"),
      say(4, "01T12:02:00", { reply_to: about("x-2") }), say(5, "01T12:04:00", { reply_to: about("x-0") }),
    );
    const items = threadItems({ ...parts, messages: rows, readSeqAtOpening: 3 });
    expect(keys(items)).toEqual(["day-x-1", "x-1", "unread", "x-2", "x-3", "x-5"]);
    expect(items.flatMap((item) => (item.kind === "message" ? item.parts.map((part) => part.id) : []))).toEqual(["x-4"]);
  });

  it("marks the first message of the contact above the read mark, never one's own", () => {
    const rows = table(say(1, "01T12:00:00"), say(2, "01T12:01:00", { author_kind: "member", direction: "outbound" }), say(3, "01T12:02:00"));
    expect(keys(threadItems({ ...parts, messages: rows, readSeqAtOpening: 1 }))).toEqual(["day-x-1", "x-1", "x-2", "unread", "x-3"]);
  });

  it("draws no marker when everything or nothing was read", () => {
    const rows = table(say(1, "01T12:00:00"), say(2, "01T12:01:00"));
    expect(keys(threadItems({ ...parts, messages: rows, readSeqAtOpening: 2 }))).not.toContain("unread");
    expect(keys(threadItems({ ...parts, messages: rows, readSeqAtOpening: 0 }))).not.toContain("unread");
  });

  it("puts a line after the last message before it, and leaves out those older than the page", () => {
    const rows = table(say(5, "01T12:00:00"), say(9, "01T12:01:00"));
    expect(keys(threadItems({ ...parts, messages: rows, lines: [line(2), line(7)] }))).toEqual(["day-x-5", "x-5", "line-7", "x-9"]);
  });

  it("groups what one person says within five minutes, apart from notes", () => {
    const rows = table(say(1, "01T12:00:00"), say(2, "01T12:04:00"), say(3, "01T12:20:00"), say(4, "01T12:20:10", { kind: "note", author_kind: "member" }));
    const grouped = threadItems({ ...parts, messages: rows }).filter((item) => item.kind === "message").map((item) => item.grouped);
    expect(grouped).toEqual([false, true, false, false]);
  });

  it("shows what is on its way last, and only until its message is there", () => {
    const rows = table(say(1, "01T12:00:00"));
    expect(keys(threadItems({ ...parts, messages: rows, outgoing: [entry("k-1")] })).at(-1)).toBe("k-1");
    const arrived = table(say(1, "01T12:00:00"), say(2, "01T12:01:00", { client_message_id: "k-1" }));
    expect(keys(threadItems({ ...parts, messages: arrived, outgoing: [entry("k-1")] }))).not.toContain("k-1");
  });
});

it("newestSeq is the highest seq, whatever the times say", () => {
  expect(newestSeq(table(say(7, "01T09:00:00"), say(3, "02T09:00:00")))).toBe(7);
  expect(newestSeq(undefined)).toBe(0);
});
