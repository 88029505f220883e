/** The rules of docs/protocol.md §2–§7, one test each. */
import { describe, expect, it } from "vitest";
import type { Cursor, EventFrame, ServerFrame, Welcome } from "../../src/sync/frames";
import { HubSocket } from "../../src/sync/socket";
import type { Connection, Receiver } from "../../src/sync/socket";
import { FakeClock, FakeSocket } from "../fakes";
import { frame } from "../rows";

function setUp({ chance = 0.5, snapshotSeq = 10 } = {}) {
  const clock = new FakeClock(() => chance);
  const sockets: FakeSocket[] = [];
  const applied: number[] = [];
  const phases: Connection[] = [];
  const log = { snapshots: 0, refused: 0, frames: [] as ServerFrame[], failSnapshots: 0 };
  const next = { seq: snapshotSeq, epoch: 1 };
  const receiver: Receiver = {
    workspaceId: 7,
    takeSnapshot(): Promise<Cursor> {
      if (log.failSnapshots-- > 0) return Promise.reject(new Error("no answer"));
      log.snapshots++;
      return Promise.resolve({ ...next });
    },
    event: (event: EventFrame) => applied.push(event.seq),
    frame: (other) => log.frames.push(other),
    welcomed: () => undefined,
    connection: (connection) => phases.push(connection),
    refused: () => log.refused++,
  };
  const hub = new HubSocket(() => {
    const socket = new FakeSocket();
    sockets.push(socket);
    return socket;
  }, receiver, clock);
  const last = (): FakeSocket => sockets.at(-1) as FakeSocket;
  const open = async (over: Partial<Welcome> = {}): Promise<FakeSocket> => {
    await clock.advance(0);
    last().accept();
    last().deliver(welcome(over));
    await clock.advance(0);
    return last();
  };
  const start = async (over: Partial<Welcome> = {}): Promise<FakeSocket> => {
    void hub.connect();
    return open(over);
  };
  return { hub, clock, sockets, applied, phases, log, next, last, open, start };
}

const welcome = (over: Partial<Welcome> = {}): Welcome => ({
  type: "welcome", protocol: 1, connection_id: "k", epoch: 1, head: 10, recovered: true, heartbeat_s: 25, resume_ticket: "ticket-1", member_id: "m-1", conversation_id: null, ...over,
});

describe("opening", () => {
  it("takes a snapshot first and says hello with its cursor", async () => {
    const { start, log } = setUp();
    const socket = await start();
    expect(log.snapshots).toBe(1);
    expect(socket.hellos()).toEqual([{ type: "hello", protocol: 1, workspace_id: 7, client: "inbox/1", cursor: { epoch: 1, seq: 10 } }]);
  });

  it("tries again when the snapshot fails, without opening a socket", async () => {
    const { hub, clock, sockets, log, phases } = setUp();
    log.failSnapshots = 1;
    void hub.connect();
    await clock.advance(0);
    expect(sockets).toHaveLength(0);
    expect(phases.at(-1)?.phase).toBe("waiting");
    await clock.advance(10_000);
    expect(sockets).toHaveLength(1);
  });

  it("takes another snapshot in place when the cursor is void, and drops events until the new welcome", async () => {
    const { start, clock, applied, log, next } = setUp();
    const socket = await start({ recovered: false, head: 40 });
    next.seq = 40;
    expect(log.snapshots).toBe(2);
    socket.deliver(frame(41));
    expect(applied).toEqual([]);
    expect(socket.hellos().at(-1)).toEqual({ type: "hello", protocol: 1, cursor: { epoch: 1, seq: 10 } });
    socket.deliver(welcome({ head: 11 }));
    socket.deliver(frame(11));
    await clock.advance(0);
    expect(applied).toEqual([11]);
  });

  it("shows catching up until it reaches the head", async () => {
    const { start, phases } = setUp();
    const socket = await start({ head: 12 });
    expect(phases.at(-1)?.phase).toBe("catching_up");
    socket.deliver(frame(11));
    socket.deliver(frame(12));
    expect(phases.at(-1)?.phase).toBe("live");
  });

  it("ignores frames and fields it does not know", async () => {
    const { start, log, phases } = setUp();
    const socket = await start();
    socket.deliver({ type: "weather", sunny: true } as { type: string });
    expect(log.frames).toEqual([]);
    expect(phases.at(-1)?.phase).toBe("live");
  });
});

describe("the sequence", () => {
  it("drops what it has, applies what follows, also over invisible seqs", async () => {
    const { start, applied } = setUp();
    const socket = await start({ head: 15 });
    socket.deliver(frame(10));
    socket.deliver(frame(13, undefined, 9)); // prev below the cursor: seqs before it are not ours to see
    socket.deliver(frame(13, undefined, 9));
    socket.deliver(frame(15, undefined, 13));
    expect(applied).toEqual([13, 15]);
  });

  it("says hello again on a hole, and applies nothing before the welcome", async () => {
    const { start, applied } = setUp();
    const socket = await start();
    socket.deliver(frame(12, undefined, 11));
    socket.deliver(frame(13));
    expect(applied).toEqual([]);
    expect(socket.hellos().at(-1)).toEqual({ type: "hello", protocol: 1, cursor: { epoch: 1, seq: 10 } });
    socket.deliver(welcome({ head: 12 }));
    for (const seq of [11, 12]) socket.deliver(frame(seq));
    expect(applied).toEqual([11, 12]);
  });

  it("resumes when the head stays above the cursor for two seconds, not before", async () => {
    const { start, clock, applied } = setUp();
    const socket = await start();
    socket.deliver({ type: "head", seq: 11 });
    await clock.advance(1_900);
    expect(socket.hellos()).toHaveLength(1);
    socket.deliver(frame(11));
    await clock.advance(2_000);
    expect(socket.hellos()).toHaveLength(1);
    expect(applied).toEqual([11]);
    socket.deliver({ type: "head", seq: 12 });
    await clock.advance(2_100);
    expect(socket.hellos()).toHaveLength(2);
  });

  it.each(["slow", "lost"] as const)("resumes in place on gap %s", async (reason) => {
    const { start, log } = setUp();
    const socket = await start();
    socket.deliver({ type: "gap", reason });
    expect(socket.hellos()).toHaveLength(2);
    expect(log.snapshots).toBe(1);
  });

  it("takes a snapshot before resuming when rights changed", async () => {
    const { start, clock, log, next } = setUp();
    const socket = await start();
    next.seq = 30;
    socket.deliver({ type: "gap", reason: "rights" });
    await clock.advance(0);
    expect(log.snapshots).toBe(2);
    expect(socket.hellos().at(-1)?.cursor).toEqual({ epoch: 1, seq: 30 });
  });
});

describe("coming back", () => {
  it("waits a random time of up to 20 s first, then doubles from 1 s to 60 s", async () => {
    const { start, clock, phases, last } = setUp({ chance: 0.999 });
    await start();
    const waits: number[] = [];
    for (let attempt = 0; attempt < 9; attempt++) {
      last().drop(1006);
      const now = phases.at(-1);
      if (now?.phase !== "waiting") throw new Error(`phase ${now?.phase}`);
      const wait_ms = now.until_ms - clock.now();
      waits.push(Math.round(wait_ms / 1000));
      await clock.advance(wait_ms);
    }
    expect(waits).toEqual([20, 1, 2, 4, 8, 16, 32, 60, 60]);
  });

  it("counts as the first again after 30 s connected", async () => {
    const { start, open, clock, phases, last } = setUp({ chance: 0.999 });
    await start();
    last().drop(1006);
    await clock.advance(20_000);
    await open();
    await clock.advance(20_000);
    last().deliver({ type: "head", seq: 10 });
    await clock.advance(10_001);
    last().drop(4001);
    const now = phases.at(-1);
    expect(now?.phase === "waiting" && Math.round((now.until_ms - clock.now()) / 1000)).toBe(20);
  });

  it("waits as long as the hub asks for when it drains", async () => {
    const { start, clock, phases } = setUp({ chance: 0 });
    const socket = await start();
    socket.deliver({ type: "bye", code: 4000, reason: "restart", retry_after_s: 5 });
    socket.drop(4000);
    const now = phases.at(-1);
    expect(now?.phase === "waiting" && now.until_ms - clock.now()).toBe(5_000);
  });

  it("resumes with the resume ticket and its cursor", async () => {
    const { start, clock, last } = setUp();
    const first = await start();
    first.deliver(frame(11));
    first.drop(1006);
    await clock.advance(20_000);
    last().accept();
    expect(last().hellos()).toEqual([{ type: "hello", protocol: 1, workspace_id: 7, client: "inbox/1", cursor: { epoch: 1, seq: 11 }, resume_ticket: "ticket-1" }]);
  });

  it("falls back to the cookie when the ticket is too old, and only then gives up", async () => {
    const { start, clock, last, sockets, phases } = setUp();
    (await start()).drop(1006);
    await clock.advance(20_000);
    last().accept();
    last().drop(4501);
    await clock.advance(0);
    expect(sockets).toHaveLength(3);
    last().accept();
    expect(last().hellos()[0]).not.toHaveProperty("resume_ticket");
    last().drop(4501, "signed out");
    expect(phases.at(-1)).toEqual({ phase: "stopped", code: 4501, reason: "signed out" });
  });

  it.each([4500, 4502, 4503, 4999])("does not come back after %i", async (code) => {
    const { start, clock, phases, sockets } = setUp();
    (await start()).drop(code, "no");
    await clock.advance(120_000);
    expect(phases.at(-1)?.phase).toBe("stopped");
    expect(sockets).toHaveLength(1);
  });

  it("comes back at once when woken, and waits for the network when offline", async () => {
    const { hub, start, clock, phases, sockets } = setUp();
    (await start()).drop(1006);
    hub.wake();
    await clock.advance(0);
    expect(sockets).toHaveLength(2);
    hub.sleep();
    await clock.advance(300_000);
    expect(phases.at(-1)?.phase).toBe("offline");
    expect(sockets).toHaveLength(2);
    hub.wake();
    await clock.advance(0);
    expect(sockets).toHaveLength(3);
  });

  it("asks whether the session is over when it was never welcomed", async () => {
    const { hub, clock, last, log } = setUp();
    void hub.connect();
    await clock.advance(0);
    last().drop(1006);
    expect(log.refused).toBe(1);
  });
});

describe("the heartbeat", () => {
  it("pings with the cursor and leaves a connection that does not answer", async () => {
    const { start, clock, phases } = setUp();
    const socket = await start();
    await clock.advance(25_000);
    expect(socket.sent.at(-1)).toEqual({ type: "ping", cursor: 10 });
    await clock.advance(10_000);
    expect(socket.closed).toBe(true);
    expect(phases.at(-1)?.phase).toBe("waiting");
  });

  it("goes on while answers come", async () => {
    const { start, clock } = setUp();
    const socket = await start();
    for (let beat = 0; beat < 5; beat++) {
      await clock.advance(25_000);
      socket.deliver({ type: "head", seq: 10 });
    }
    expect(socket.sent.filter((one) => one.type === "ping")).toHaveLength(5);
    expect(socket.closed).toBe(false);
  });

  it("keeps the newest resume ticket a head brings", async () => {
    const { start, clock, last } = setUp();
    const socket = await start();
    socket.deliver({ type: "head", seq: 10, resume_ticket: "ticket-2" });
    socket.drop(1006);
    await clock.advance(20_000);
    last().accept();
    expect(last().hellos()[0]).toHaveProperty("resume_ticket", "ticket-2");
  });

  it("sends nothing before the welcome", async () => {
    const { hub, clock, last } = setUp();
    void hub.connect();
    await clock.advance(0);
    last().accept();
    expect(hub.send({ type: "viewing", conversation_id: null })).toBe(false);
    expect(last().sent.map((one) => one.type)).toEqual(["hello"]);
  });
});
