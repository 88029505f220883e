/** Whatever the network does to frames, client and server end with the same rows, and nothing is applied twice. */
import { describe, expect, it } from "vitest";
import type { ClientFrame, EventFrame } from "../../src/sync/frames";
import { HubClient } from "../../src/sync/client";
import type { WorkspaceApi } from "../../src/api";
import type { State } from "../../src/sync/state";
import { applyEvents, fromSnapshot } from "../../src/sync/store";
import type { Conversation, ConversationStatus, HubEvent, Message, Snapshot } from "../../src/types.gen";
import { FakeClock, FakeSocket, seeded, settle } from "../fakes";
import { ME, contact, conversation, message, snapshot } from "../rows";

const RESUME_LIMIT = 40;
const STATUSES: readonly ConversationStatus[] = ["open", "snoozed", "closed"];

/** A server that keeps its rows by hand, apart from the code under test. */
class ModelHub {
  seq = 0;
  epoch = 1;
  readonly log: EventFrame[] = [];
  readonly rows = new Map<string, Conversation>();
  readonly messages = new Map<string, Message>();
  private visible = 0;

  constructor(private readonly random: () => number) {}

  private pick<Value>(values: readonly Value[]): Value {
    return values[Math.floor(this.random() * values.length)] as Value;
  }

  /** Appends one event; one in five is of an inbox the client does not see. */
  step(): EventFrame | null {
    this.seq += 1;
    if (this.random() < 0.2) return null;
    const event = this.change();
    const frame: EventFrame = { type: "event", seq: this.seq, prev: this.visible, event };
    this.visible = this.seq;
    this.log.push(frame);
    return frame;
  }

  get head(): number {
    return this.visible;
  }

  write(client_message_id: string | null, conversation_id: string, text: string): EventFrame {
    this.seq += 1;
    const event = this.addMessage(conversation_id, { direction: "outbound", author_kind: "member", author_id: ME, status: "queued", client_message_id, text });
    const frame: EventFrame = { type: "event", seq: this.seq, prev: this.visible, event };
    this.visible = this.seq;
    this.log.push(frame);
    return frame;
  }

  private change(): HubEvent {
    const id = `c-${Math.floor(this.random() * 6)}`;
    const row = this.rows.get(id);
    const sent = [...this.messages.values()].filter((one) => one.status !== null);
    if (row === undefined || this.random() < 0.5) return this.addMessage(id, {});
    if (sent.length > 0 && this.random() < 0.4) {
      const changed = { ...this.pick(sent), status: this.pick(["sending", "sent", "delivered"] as const), version: this.seq };
      this.messages.set(changed.id, changed);
      return { type: "message_status_changed", conversation_id: changed.conversation_id, message_id: changed.id, status: changed.status, error: null };
    }
    const status = this.pick(STATUSES);
    const next = { ...row, status, assignee_id: this.pick([null, ME]), version: this.seq };
    this.rows.set(id, next);
    const type = ({ open: "conversation_reopened", snoozed: "conversation_snoozed", closed: "conversation_closed", pending: "conversation_reopened" } as const)[status];
    return { type, conversation: next, previous_status: row.status, actor_id: null };
  }

  private addMessage(id: string, over: Partial<Message>): HubEvent {
    const row = this.rows.get(id);
    const added = message({ id: `x-${this.seq}`, conversation_id: id, seq: this.seq, version: this.seq, text: `text ${this.seq}`, ...over });
    this.messages.set(added.id, added);
    const next = { ...(row ?? conversation({ id })), preview: added.text, version: this.seq, status: "open" as const };
    this.rows.set(id, next);
    const event = { conversation: next, previous_status: row?.status ?? null, message: added };
    return added.direction === "inbound" ? { type: "message_received", contact: contact({ version: this.seq }), ...event } : { type: "message_queued", ...event };
  }

  counts(): Snapshot["counts"] {
    const counts = { open: 0, pending: 0, snoozed: 0, closed: 0 };
    for (const row of this.rows.values()) counts[row.status] += 1;
    return counts;
  }

  snapshot(): Snapshot {
    const rows = [...this.rows.values()].filter((row) => row.status === "open");
    return snapshot({ epoch: this.epoch, seq: this.seq, counts: this.counts(), conversations: rows, contacts: [] });
  }
}

/** A network end that loses, doubles and swaps frames to the client. */
class BadLine {
  private held: EventFrame | null = null;

  constructor(readonly socket: FakeSocket, private readonly random: () => number) {}

  deliver(frame: EventFrame): void {
    const chance = this.random();
    if (chance < 0.06) return; // lost
    if (chance < 0.12) {
      this.held = frame; // comes late
      return;
    }
    this.socket.deliver(frame);
    if (chance < 0.2) this.socket.deliver(frame); // twice
    if (this.held !== null) this.socket.deliver(this.held);
    this.held = null;
  }
}

async function run(seed: number) {
  const random = seeded(seed);
  const clock = new FakeClock(seeded(seed + 1));
  const hub = new ModelHub(random);
  const written = new Map<string, EventFrame>();
  const wire: { line: BadLine | null } = { line: null };
  let refusals = 0;

  const answer = (socket: FakeSocket) => (frame: ClientFrame): void => {
    if (frame.type === "hello") {
      const cursor = frame.cursor ?? null;
      const recovered = cursor !== null && cursor.epoch === hub.epoch && hub.seq - cursor.seq <= RESUME_LIMIT;
      if (!recovered) refusals++;
      socket.deliver({ type: "welcome", protocol: 1, connection_id: "k", epoch: hub.epoch, head: hub.head, recovered, heartbeat_s: 25, resume_ticket: "", member_id: ME, conversation_id: null });
      wire.line = recovered ? new BadLine(socket, random) : null;
      if (recovered) for (const missed of hub.log.filter((one) => one.seq > cursor.seq)) socket.deliver(missed);
    } else if (frame.type === "send") {
      if (random() < 0.2) return; // the send is lost
      const first = written.get(frame.client_message_id) ?? hub.write(frame.client_message_id, frame.conversation_id ?? "", frame.text);
      const isNew = !written.has(frame.client_message_id);
      written.set(frame.client_message_id, first);
      if (isNew) wire.line?.deliver(first);
      if (random() < 0.2) return; // the ack is lost
      const event = first.event as Extract<HubEvent, { type: "message_queued" }>;
      socket.deliver({ type: "ack", client_message_id: frame.client_message_id, message_id: event.message.id, seq: first.seq });
    } else if (frame.type === "ping") socket.deliver({ type: "head", seq: hub.head });
  };

  const sockets: FakeSocket[] = [];
  const client = new HubClient({
    workspaceId: 1, memberId: ME, clock, storage: localStorage, onSignedOut: () => undefined,
    openSocket: () => {
      const socket = new FakeSocket();
      sockets.push(socket);
      socket.answer = answer(socket);
      void Promise.resolve().then(() => socket.accept());
      return socket;
    },
    api: { snapshot: () => Promise.resolve(hub.snapshot()) } as unknown as WorkspaceApi,
  });
  const applied: number[] = [];
  client.feed.onApplied((frames) => applied.push(...frames.map((one) => one.seq)));
  client.start();
  await settle();

  const sent: string[] = [];
  for (let turn = 0; turn < 150; turn++) {
    const chance = random();
    const frame = hub.step();
    if (frame !== null) wire.line?.deliver(frame);
    if (chance < 0.04) sockets.at(-1)?.drop(1006);
    else if (chance < 0.06) sockets.at(-1)?.deliver({ type: "gap", reason: random() < 0.5 ? "slow" : "rights" });
    else if (chance < 0.07) hub.epoch += 1;
    else if (chance < 0.13 && hub.rows.size > 0) {
      const text = `mine ${sent.length}`;
      sent.push(text);
      client.send({ conversation_id: "c-0", kind: "message", text, seen_seq: null });
    }
    await clock.advance(random() < 0.1 ? 25_000 : random() * 900);
  }
  // The epoch moves while the client is away, as after a restore: it has to come back to notice.
  sockets.at(-1)?.drop(1006);
  await clock.advance(300_000);
  client.feed.flush();
  return { client, hub, applied, sent, refusals, state: client.feed.get() as State };
}

describe("a client on a bad line", () => {
  it.each(Array.from({ length: 25 }, (_, index) => index + 1))("ends with the server's rows (seed %i)", async (seed) => {
    localStorage.clear();
    const { hub, state, applied, sent, client } = await run(seed);
    expect(client.connectionSignal.get().phase).toBe("live");
    expect(state.cursor).toEqual({ epoch: hub.epoch, seq: state.cursor.seq });
    expect(state.counts).toEqual(hub.counts());
    const open = (rows: Iterable<Conversation>): Conversation[] => [...rows].filter((row) => row.status === "open").sort((left, right) => (left.id < right.id ? -1 : 1));
    expect(open(Object.values(state.conversations))).toEqual(open(hub.rows.values()));
    for (const table of Object.values(state.messages)) {
      for (const row of Object.values(table)) expect(row).toEqual(hub.messages.get(row.id));
    }
    expect(new Set(applied).size).toBe(applied.length);
    // Everything the member wrote arrived once, in order, and nothing is left over.
    const mine = [...hub.messages.values()].filter((row) => row.author_id === ME).map((row) => row.text);
    expect(mine).toEqual(sent);
    expect(client.outbox.get()).toEqual([]);
  });

  it("is tested over resumes and over snapshots", async () => {
    localStorage.clear();
    const { refusals, applied } = await run(3);
    expect(refusals).toBeGreaterThan(0);
    expect(applied.length).toBeGreaterThan(30);
  });

  it("would notice an event left out", () => {
    const hub = new ModelHub(seeded(5));
    const frames = Array.from({ length: 60 }, () => hub.step()).filter((one) => one !== null);
    const start = fromSnapshot(snapshot());
    const whole = applyEvents(start, frames);
    expect(whole.counts).toEqual(hub.counts());
    expect(Object.values(whole.conversations)).toEqual(expect.arrayContaining([...hub.rows.values()]));
    const holed = applyEvents(start, frames.filter((_, index) => index !== 0));
    expect(holed.counts).not.toEqual(hub.counts());
  });
});
