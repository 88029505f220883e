// One socket that is kept up: back-off, heartbeat and the close codes of docs/protocol.md §7. It knows frames as JSON
// and nothing about conversations.
import { jitter_ms } from "./backoff.ts";
import type { Environment, Socket } from "./environment.ts";
import type { ClientFrame, HubFrame } from "./frames.ts";

const FIRST_RETRY_MS = 20_000;
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

export class Link {
  #socket: Socket | null = null;
  #wanted = false;
  #attempt = 0;
  #tried_at = 0;
  #heard_at = 0;
  #opened_at: number | null = null;
  #floor_ms = 0;
  #heartbeat_ms = 25_000;
  #cancelRetry = () => {};
  #cancelPing = () => {};
  #cancelDeadline = () => {};

  readonly #environment: Environment;
  readonly #events: LinkEvents;

  constructor(
    environment: Environment,
    events: LinkEvents,
  ) {
    this.#environment = environment;
    this.#events = events;
  }

  get open(): boolean {
    return this.#opened_at !== null;
  }

  start(): void {
    this.#wanted = true;
    if (!this.#socket) this.#connect();
  }

  stop(): void {
    this.#wanted = false;
    this.#cancelRetry();
    this.#abandon();
  }

  send(frame: ClientFrame): void {
    if (this.open) this.#socket?.send(JSON.stringify(frame));
  }

  /** Somebody is waiting, or the network is back: do not sit out the delay, and do not trust an old socket. */
  wake(): void {
    if (!this.#wanted) return;
    if (!this.#socket && this.#environment.now() - this.#tried_at >= WAKE_MS && !this.#floor_ms) this.#connect();
    else if (this.open && this.#environment.now() - this.#heard_at >= TRUST_MS) this.#beat();
  }

  /** Gives up the socket as if the network had cut it. */
  drop(): void {
    if (this.#socket) this.#ended(1006);
  }

  #connect(): void {
    this.#cancelRetry();
    this.#tried_at = this.#environment.now();
    // A socket given up may still call back: each is heard only while it is the current one.
    const current = () => this.#socket === socket;
    const socket: Socket = this.#environment.openSocket({
      opened: () => current() && this.#ready(),
      received: (text) => current() && this.#receive(text),
      closed: (code) => current() && this.#ended(code),
    });
    this.#socket = socket;
    this.#cancelDeadline = this.#environment.after(HANDSHAKE_MS, () => this.drop());
  }

  #ready(): void {
    this.#opened_at = this.#environment.now();
    this.#events.opened();
  }

  #receive(text: string): void {
    let frame: HubFrame;
    try {
      frame = JSON.parse(text) as HubFrame;
    } catch {
      return;
    }
    this.#heard_at = this.#environment.now();
    this.#cancelDeadline();
    if (frame.type === "welcome") {
      this.#heartbeat_ms = frame.heartbeat_s * 1000;
      this.#schedulePing();
    } else if (frame.type === "bye") this.#floor_ms = (frame.retry_after_s ?? 0) * 1000;
    this.#events.received(frame);
  }

  #schedulePing(): void {
    this.#cancelPing();
    this.#cancelPing = this.#environment.after(this.#heartbeat_ms, () => this.#beat());
  }

  #beat(): void {
    this.send(this.#events.ping());
    this.#cancelDeadline();
    this.#cancelDeadline = this.#environment.after(SILENCE_MS, () => this.drop());
    this.#schedulePing();
  }

  #ended(code: number): void {
    const lived_ms = this.#opened_at === null ? 0 : this.#environment.now() - this.#opened_at;
    this.#abandon();
    const final = code >= 4500 && code < 5000;
    if (lived_ms >= START_OVER_MS) this.#attempt = 0;
    if (final) this.#wanted = false;
    this.#events.lost(final, code);
    if (this.#wanted && !this.#socket) this.#scheduleRetry();
  }

  #scheduleRetry(): void {
    const random = this.#environment.random();
    const delay_ms = this.#attempt === 0 ? random * FIRST_RETRY_MS : jitter_ms(random, this.#attempt - 1);
    this.#attempt++;
    this.#cancelRetry();
    this.#cancelRetry = this.#environment.after(this.#floor_ms + delay_ms, () => {
      this.#floor_ms = 0;
      this.#connect();
    });
  }

  #abandon(): void {
    this.#cancelPing();
    this.#cancelDeadline();
    const socket = this.#socket;
    this.#socket = null;
    this.#opened_at = null;
    socket?.close();
  }
}
