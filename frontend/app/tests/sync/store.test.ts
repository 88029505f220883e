import { describe, expect, it } from "vitest";
import { isUnread, readSeq } from "../../src/sync/state";
import { applyEvent, fromSnapshot, mergeRows } from "../../src/sync/store";
import { ME, contact, conversation, member, message, received, snapshot } from "../rows";

describe("applyEvent", () => {
  it("shares the tables an event did not touch", () => {
    const before = fromSnapshot(snapshot({ conversations: [conversation()], contacts: [contact()] }));
    const after = applyEvent(before, { type: "member_changed", member: member({ id: "m-2", name: "Renamed", version: 5 }) }, 5);
    expect(after.conversations).toBe(before.conversations);
    expect(after.members).not.toBe(before.members);
  });

  it("keeps oneself in step with one's member row", () => {
    const after = applyEvent(fromSnapshot(snapshot()), { type: "member_changed", member: member({ name: "Priya R.", version: 5 }) }, 5);
    expect(after.me.name).toBe("Priya R.");
  });

  it("counts a conversation that leaves and one that comes from an inbox one does not see", () => {
    const start = fromSnapshot(snapshot({ counts: { open: 3, pending: 0, snoozed: 0, closed: 0 }, conversations: [conversation()] }));
    const gone = applyEvent(start, { type: "conversation_removed", conversation_id: "c-1", previous_status: "open", removed: true }, 8);
    expect(gone.counts.open).toBe(2);
    expect(gone.conversations["c-1"]).toBeUndefined();
    const back = applyEvent(gone, { type: "conversation_moved", conversation: conversation({ version: 9 }), previous_status: null, contact: contact(), actor_id: null }, 9);
    expect(back.counts.open).toBe(3);
    expect(back.removed["c-1"]).toBeUndefined();
  });

  it("changes the files of a message it holds, and remembers those of one that an HTTP page brings later", () => {
    const files = [{ id: "f-1", kind: "image", filename: "a.jpg", mime: "image/jpeg", size_bytes: 9, state: "ready" as const, width: 3, height: 4, has_thumbnail: true, has_preview: false, inline: false, error: null }];
    const event = { type: "message_attachments_changed" as const, conversation_id: "c-1", message_id: "x-9", attachments: files };
    const held = applyEvent(applyEvent(fromSnapshot(snapshot()), received(9), 9), event, 10);
    expect(held.messages["c-1"]?.["x-9"]).toMatchObject({ attachments: files, version: 10, text: "text 9" });
    const told = applyEvent(applyEvent(fromSnapshot(snapshot()), event, 10), { type: "message_status_changed", conversation_id: "c-1", message_id: "x-9", status: "read", error: null }, 11);
    const late = mergeRows(told, { seq: 8, messages: [message({ id: "x-9", version: 8 })] });
    expect(late.messages["c-1"]?.["x-9"]).toMatchObject({ attachments: files, status: "read", version: 11 });
    const fresh = mergeRows(told, { seq: 12, messages: [message({ id: "x-9", version: 12 })] });
    expect(fresh.messages["c-1"]?.["x-9"]).toMatchObject({ attachments: [], version: 12 });
  });

  it("draws a line for what members did", () => {
    const after = applyEvent(fromSnapshot(snapshot()), { type: "conversation_assigned", conversation: conversation({ assignee_id: ME, version: 7 }), previous_status: "open", actor_id: "m-2" }, 7);
    expect(after.lines["c-1"]).toEqual([expect.objectContaining({ type: "conversation_assigned", actor_id: "m-2", assignee_id: ME, seq: 7 })]);
  });
});

describe("mergeRows", () => {
  it("keeps what events told when an HTTP answer is older", () => {
    const state = applyEvent(fromSnapshot(snapshot()), received(9), 9);
    const merged = mergeRows(state, { seq: 7, conversations: [conversation({ preview: "old", version: 3 })], messages: [message({ id: "x-9", text: "old", version: 3 })] });
    expect(merged.conversations["c-1"]?.preview).toBe("Hello");
    expect(merged.messages["c-1"]?.["x-9"]?.text).toBe("text 9");
  });

  it("joins a status that came before the page with its message", () => {
    const state = applyEvent(fromSnapshot(snapshot()), { type: "message_status_changed", conversation_id: "c-1", message_id: "x-5", status: "delivered", error: null }, 12);
    const late = mergeRows(state, { seq: 10, messages: [message({ id: "x-5", status: "sent", version: 10 })] });
    expect(late.messages["c-1"]?.["x-5"]).toMatchObject({ status: "delivered", version: 12 });
    const fresh = mergeRows(state, { seq: 14, messages: [message({ id: "x-5", status: "read", version: 13 })] });
    expect(fresh.messages["c-1"]?.["x-5"]).toMatchObject({ status: "read", version: 13 });
  });

  it("does not bring back a conversation that left while the answer was on its way", () => {
    const state = applyEvent(fromSnapshot(snapshot({ conversations: [conversation()] })), { type: "conversation_removed", conversation_id: "c-1", previous_status: "open", removed: true }, 8);
    const merged = mergeRows(state, { seq: 7, conversations: [conversation()], messages: [message()] });
    expect(merged.conversations["c-1"]).toBeUndefined();
    expect(merged.messages["c-1"]).toBeUndefined();
  });

  it("does not move a read mark back to what an older answer says", () => {
    const state = applyEvent(fromSnapshot(snapshot()), { type: "conversation_read", conversation_id: "c-1", member_id: ME, read_seq: 20 }, 21);
    const mark = { conversation_id: "c-1", member_id: ME, read_seq: 4 };
    expect(readSeq(mergeRows(state, { seq: 20, reads: [mark] }), "c-1")).toBe(20);
    expect(readSeq(mergeRows(state, { seq: 22, reads: [mark] }), "c-1")).toBe(4);
  });
});

describe("isUnread", () => {
  it("is about the contact's newest message and my own mark", () => {
    const row = conversation({ last_inbound_seq: 9 });
    const state = fromSnapshot(snapshot({ seq: 9, conversations: [row] }));
    expect(isUnread(state, row)).toBe(true);
    const other = applyEvent(state, { type: "conversation_read", conversation_id: "c-1", member_id: "m-2", read_seq: 9 }, 10);
    expect(isUnread(other, row)).toBe(true);
    expect(isUnread(applyEvent(other, { type: "conversation_read", conversation_id: "c-1", member_id: ME, read_seq: 9 }, 11), row)).toBe(false);
  });
});
