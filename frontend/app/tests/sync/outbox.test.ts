import { beforeEach, describe, expect, it } from "vitest";
import { Outbox, localOutbox } from "../../src/sync/outbox";
import type { ErrorFrame, Send } from "../../src/sync/frames";
import { FakeClock } from "../fakes";
import { conversation, frame, message } from "../rows";

function setUp() {
  const clock = new FakeClock();
  const sent: Send[] = [];
  const line = { up: true };
  const outbox = new Outbox(localOutbox(localStorage, "1.m-1"), (one) => {
    if (line.up) sent.push(one);
    return line.up;
  }, clock);
  const write = (id: string, text = `text ${id}`, conversation_id = "c-1"): void =>
    outbox.add({ client_message_id: id, conversation_id, kind: "message", text, seen_seq: 4 });
  const ids = (): string[] => sent.map((one) => one.client_message_id);
  return { clock, sent, line, outbox, write, ids };
}

const refusal = (id: string, code: string, retry_after_s: number | null = null): ErrorFrame =>
  ({ type: "error", code, message: `because ${code}`, field: null, retry_after_s, client_message_id: id });
const arrival = (id: string, seq = 9) => frame(seq, { type: "message_queued", conversation: conversation(), previous_status: "open", message: message({ client_message_id: id }) });

describe("the outbox", () => {
  beforeEach(() => localStorage.clear());

  it("sends when live and keeps the row until the event is applied, not only acked", () => {
    const { outbox, write, sent } = setUp();
    outbox.setLive(true);
    write("k-1");
    expect(sent).toEqual([{ type: "send", client_message_id: "k-1", conversation_id: "c-1", kind: "message", text: "text k-1", attachments: [], seen_seq: 4, addressing: null, reply_to: null }]);
    outbox.acked({ type: "ack", client_message_id: "k-1", message_id: "x", seq: 9 }, 8);
    expect(outbox.get()).toHaveLength(1);
    outbox.applied([arrival("k-1")]);
    expect(outbox.get()).toHaveLength(0);
  });

  it("drops the row at the ack when its event came before", () => {
    const { outbox, write } = setUp();
    outbox.setLive(true);
    write("k-1");
    outbox.acked({ type: "ack", client_message_id: "k-1", message_id: "x", seq: 9 }, 9);
    expect(outbox.get()).toEqual([]);
  });

  it("drops what a snapshot already holds", () => {
    const { outbox, write } = setUp();
    outbox.setLive(true);
    write("k-1");
    outbox.acked({ type: "ack", client_message_id: "k-1", message_id: "x", seq: 9 }, 8);
    outbox.snapshotTaken(8);
    expect(outbox.get()).toHaveLength(1);
    outbox.snapshotTaken(9);
    expect(outbox.get()).toHaveLength(0);
  });

  it("survives a reload and goes out in the order it was written", () => {
    const first = setUp();
    first.write("k-2");
    void first.clock.advance(5);
    const { outbox, ids } = setUp();
    expect(outbox.get().map((entry) => entry.text)).toEqual(["text k-2"]);
    outbox.setLive(true);
    expect(ids()).toEqual(["k-2"]);
  });

  it("sends one at a time in a conversation, side by side in others", () => {
    const { outbox, write, ids } = setUp();
    outbox.setLive(true);
    write("k-1");
    write("k-2");
    write("k-3", "other", "c-2");
    expect(ids()).toEqual(["k-1", "k-3"]);
    outbox.acked({ type: "ack", client_message_id: "k-1", message_id: "x", seq: 9 }, 0);
    expect(ids()).toEqual(["k-1", "k-3", "k-2"]);
  });

  it("sends again what had no ack, after a reconnect and after a while", async () => {
    const { outbox, write, ids, clock } = setUp();
    outbox.setLive(true);
    write("k-1");
    outbox.setLive(false);
    outbox.setLive(true);
    expect(ids()).toEqual(["k-1", "k-1"]);
    await clock.advance(15_000);
    expect(ids()).toEqual(["k-1", "k-1", "k-1"]);
  });

  it("keeps a refused text with the reason, and sends it again only when asked", async () => {
    const { outbox, write, ids, clock, sent } = setUp();
    outbox.setLive(true);
    write("k-1");
    outbox.refused(refusal("k-1", "stale"));
    expect(outbox.get()[0]).toMatchObject({ text: "text k-1", error: { code: "stale", message: "because stale" } });
    await clock.advance(60_000);
    outbox.setLive(false);
    outbox.setLive(true);
    expect(ids()).toEqual(["k-1"]);
    outbox.retry("k-1", 12);
    expect(sent.at(-1)).toMatchObject({ client_message_id: "k-1", seen_seq: 12 });
    expect(outbox.get()[0]?.error).toBeNull();
  });

  it("lets the next message pass a refused one", () => {
    const { outbox, write, ids } = setUp();
    outbox.setLive(true);
    write("k-1");
    write("k-2");
    outbox.refused(refusal("k-1", "invalid_input"));
    expect(ids()).toEqual(["k-1", "k-2"]);
  });

  it("waits and tries again by itself when the hub is busy", async () => {
    const { outbox, write, ids, clock } = setUp();
    outbox.setLive(true);
    write("k-1");
    outbox.refused(refusal("k-1", "unavailable", 3));
    expect(outbox.get()[0]?.error).toBeNull();
    await clock.advance(2_900);
    expect(ids()).toEqual(["k-1"]);
    await clock.advance(200);
    expect(ids()).toEqual(["k-1", "k-1"]);
  });

  it("forgets a discarded text for good", () => {
    const { outbox, write } = setUp();
    write("k-1");
    outbox.discard("k-1");
    expect(setUp().outbox.get()).toEqual([]);
  });

  it("keeps to its own member", () => {
    setUp().write("k-1");
    expect(localOutbox(localStorage, "1.m-2").load()).toEqual([]);
  });
});
