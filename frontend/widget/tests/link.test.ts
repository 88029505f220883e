import { expect, it } from "vitest";
import { jitter_ms } from "../frame/backoff.ts";
import { openLink } from "../frame/link.ts";
import { FakeClock, FakeSocket } from "./fakes.ts";

function wire() {
  const clock = new FakeClock();
  const sockets: FakeSocket[] = [];
  const lost: [boolean, number][] = [];
  let random = 0.5;
  const environment = {
    ...clock,
    random: () => random,
    openSocket(events: never) {
      const socket = new FakeSocket(events, () => {});
      sockets.push(socket);
      return socket;
    },
  };
  const link = openLink(environment as never, {
    opened() {},
    received() {},
    lost: (final, code) => lost.push([final, code]),
    ping: () => ({ type: "ping", cursor: 3 }),
  });
  const open = () => {
    const socket = sockets.at(-1)!;
    socket.open = true;
    socket.events.opened();
    socket.events.received(JSON.stringify({ type: "welcome", heartbeat_s: 25 }));
    return socket;
  };
  return { clock, sockets, lost, link, open, roll: (value: number) => (random = value) };
}

it("comes back after a random 0–20 s, then with full jitter doubling from 1 s to 60 s", async () => {
  const { clock, sockets, link, open } = wire();
  link.start();
  open().end(1006);
  await clock.pass(9999);
  expect(sockets).toHaveLength(1);
  await clock.pass(1);
  expect(sockets).toHaveLength(2);
  for (const delay_ms of [500, 1000, 2000, 4000, 8000, 16_000, 30_000, 30_000]) {
    const before = sockets.length;
    sockets.at(-1)!.end(1006);
    await clock.pass(delay_ms - 1);
    expect(sockets).toHaveLength(before);
    await clock.pass(1);
    expect(sockets).toHaveLength(before + 1);
  }
  expect(jitter_ms(0.999, 20)).toBeLessThan(60_000);
});

it("starts over after 30 s connected", async () => {
  const { clock, sockets, link, open } = wire();
  link.start();
  open().end(1006);
  await clock.pass(10_000);
  sockets.at(-1)!.end(1006);
  await clock.pass(500);
  const socket = open();
  await clock.pass(24_000);
  socket.events.received('{"type":"head","seq":0}');
  await clock.pass(6000);
  socket.end(1006);
  await clock.pass(9999);
  expect(sockets).toHaveLength(3);
  await clock.pass(1);
  expect(sockets).toHaveLength(4);
});

it("does not come back after 4500–4999, and keeps the slot the hub names, with two seconds of spread", async () => {
  const { clock, sockets, lost, link, open } = wire();
  link.start();
  const first = open();
  first.events.received('{"type":"bye","code":4000,"reason":"drain","retry_after_s":30}');
  first.end(4000);
  link.wake();
  await clock.pass(30_999);
  expect(sockets).toHaveLength(1);
  await clock.pass(1);
  open().end(4502);
  await clock.pass(600_000);
  expect(sockets).toHaveLength(2);
  expect(lost).toEqual([
    [false, 4000],
    [true, 4502],
  ]);
});

it("pings every heartbeat and gives up a connection that does not answer", async () => {
  const { clock, lost, link, open } = wire();
  link.start();
  const socket = open();
  await clock.pass(25_000);
  expect(socket.sent).toEqual([{ type: "ping", cursor: 3 }]);
  await clock.pass(9999);
  expect(lost).toEqual([]);
  await clock.pass(1);
  expect(lost).toEqual([[false, 1006]]);
});

it("does not wait out the delay when woken, and hears nothing from a socket it gave up", async () => {
  const { clock, sockets, lost, link, open } = wire();
  link.start();
  const first = open();
  first.end(1006);
  link.wake();
  await clock.pass(1999);
  expect(sockets).toHaveLength(1);
  await clock.pass(1);
  expect(sockets).toHaveLength(2);
  first.events.closed(4502);
  expect(lost).toEqual([[false, 1006]]);
});
