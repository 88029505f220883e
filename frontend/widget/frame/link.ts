// One socket that is kept up: back-off, heartbeat and the close codes of docs/protocol.md §7. It knows frames as JSON
// and nothing about conversations.
import { jitter_ms } from "./backoff.ts";
import type { Environment, Socket } from "./environment.ts";
import type { ClientFrame, HubFrame } from "./frames.ts";

const FIRST_RETRY_MS = 20_000;
// On top of a slot the hub named: it spread them already.
const SPREAD_MS = 2000;
const START_OVER_MS = 30_000;
const SILENCE_MS = 10_000;
const HANDSHAKE_MS = 15_000;
const WAKE_MS = 2000;
const TRUST_MS = 5000;

export interface LinkEvents {
  /** The socket is open: say hello. */
  opened(): void;
  received(frame: HubFrame): void;
  /** `final`: the hub said not to come back with what we have. */
  lost(final: boolean, code: number): void;
  /** For the heartbeat: the ping to send now. */
  ping(): ClientFrame;
}

export interface Link {
  start(): void;
  stop(): void;
  /** Sends when open; what is not sent is the caller's to repeat. Answers whether it was. */
  send(frame: ClientFrame): boolean;
  /** Somebody is waiting, or the network is back: do not sit out the delay, and do not trust a silent socket. */
  wake(): void;
  /** Gives up the socket as if the network had cut it. */
  drop(): void;
}

export function openLink({ now, after, random, openSocket }: Environment, events: LinkEvents): Link {
  let socket: Socket | null = null;
  let wanted = false;
  let attempt = 0;
  let tried_at = 0;
  let heard_at = 0;
  let opened_at = 0;
  let floor_ms = 0;
  let heartbeat_ms = 25_000;
  let cancelRetry = () => {};
  let cancelPing = () => {};
  let cancelDeadline = () => {};

  function connect(): void {
    cancelRetry();
    tried_at = now();
    // A socket given up may still call back: each is heard only while it is the current one.
    const current = () => socket === made;
    const made: Socket = openSocket({
      opened() {
        if (!current()) return;
        opened_at = now();
        events.opened();
      },
      received: (text) => current() && receive(text),
      closed: (code) => current() && ended(code),
    });
    socket = made;
    cancelDeadline = after(HANDSHAKE_MS, drop);
  }

  function receive(text: string): void {
    let frame: HubFrame;
    try {
      frame = JSON.parse(text) as HubFrame;
    } catch {
      return;
    }
    heard_at = now();
    cancelDeadline();
    if (frame.type === "welcome") {
      heartbeat_ms = frame.heartbeat_s * 1000;
      schedulePing();
    }
    if (frame.type === "bye") floor_ms = (frame.retry_after_s ?? 0) * 1000;
    events.received(frame);
  }

  function schedulePing(): void {
    cancelPing();
    cancelPing = after(heartbeat_ms, beat);
  }

  function beat(): void {
    send(events.ping());
    cancelDeadline();
    cancelDeadline = after(SILENCE_MS, drop);
    schedulePing();
  }

  function ended(code: number): void {
    if (opened_at && now() - opened_at >= START_OVER_MS) attempt = 0;
    abandon();
    const final = code >= 4500 && code < 5000;
    if (final) wanted = false;
    events.lost(final, code);
    if (!wanted || socket) return;
    const delay_ms = floor_ms ? random() * SPREAD_MS : attempt ? jitter_ms(random(), attempt - 1) : random() * FIRST_RETRY_MS;
    attempt++;
    cancelRetry();
    cancelRetry = after(floor_ms + delay_ms, () => {
      floor_ms = 0;
      connect();
    });
  }

  function abandon(): void {
    cancelPing();
    cancelDeadline();
    const old = socket;
    socket = null;
    opened_at = 0;
    old?.close();
  }

  function send(frame: ClientFrame): boolean {
    if (opened_at) socket!.send(JSON.stringify(frame));
    return !!opened_at;
  }

  function drop(): void {
    if (socket) ended(1006);
  }

  return {
    start() {
      wanted = true;
      if (!socket) connect();
    },
    stop() {
      wanted = false;
      cancelRetry();
      abandon();
    },
    send,
    wake() {
      if (wanted && !socket && !floor_ms) {
        cancelRetry();
        cancelRetry = after(Math.max(0, tried_at + WAKE_MS - now()), connect);
      } else if (opened_at && now() - heard_at >= TRUST_MS) beat();
    },
    drop,
  };
}
