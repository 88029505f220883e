/**
 * One member's connection to the hub: hello, resume, heartbeat and coming back, by docs/protocol.md.
 * Knows no state but its cursor; what it receives goes to the `Receiver` it was given.
 */
import { Backoff, STABLE_MS, comesBack } from "./backoff";
import type { Clock, Timer } from "./clock";
import { PROTOCOL, parseFrame } from "./frames";
import type { Bye, ClientFrame, Cursor, EventFrame, ServerFrame, Welcome } from "./frames";

const CLIENT = "inbox/1";
const OPEN_LIMIT_MS = 15_000;
const ANSWER_LIMIT_MS = 10_000;
const HEAD_PATIENCE_MS = 2_000;
const DEFAULT_HEARTBEAT_S = 25;
const NOT_SIGNED_IN = 4501;

/** The part of a browser's WebSocket that is used. */
export interface SocketLike {
  readonly readyState: number;
  onopen: ((event: Event) => void) | null;
  onmessage: ((event: MessageEvent) => void) | null;
  onclose: ((event: CloseEvent) => void) | null;
  send(text: string): void;
  close(code?: number): void;
}

export type Connection =
  | { readonly phase: "connecting" | "catching_up" | "live" | "offline" }
  | { readonly phase: "waiting"; readonly until_ms: number }
  | { readonly phase: "stopped"; readonly code: number; readonly reason: string };

export interface Receiver {
  readonly workspaceId: number;
  /** Fetches a snapshot, makes it the state, and returns its cursor. */
  takeSnapshot(): Promise<Cursor>;
  /** An event to apply: already known to be the next one. */
  event(frame: EventFrame): void;
  /** Anything that is neither event nor housekeeping. */
  frame(frame: Exclude<ServerFrame, EventFrame | Welcome>): void;
  /** Frames may be sent from now on. */
  welcomed(welcome: Welcome): void;
  connection(connection: Connection): void;
  /** A connection ended before it was welcomed; perhaps the session is over. */
  refused(): void;
}

export class HubSocket {
  private socket: SocketLike | null = null;
  private cursor: Cursor | null = null;
  /** What we wait for before events count again. */
  private awaiting: "snapshot" | "welcome" | null = null;
  private head = 0;
  private bye: Bye | null = null;
  private resumeTicket: string | null = null;
  private usedTicket = false;
  private welcomedAt_ms: number | null = null;
  private heartbeat_ms = DEFAULT_HEARTBEAT_S * 1000;
  private readonly backoff: Backoff;
  private readonly timers = new Map<"retry" | "answer" | "ping" | "head", Timer>();
  /** Counts up whenever an answer under way becomes void. */
  private generation = 0;
  connection: Connection = { phase: "connecting" };

  constructor(
    private readonly open: () => SocketLike,
    private readonly receiver: Receiver,
    private readonly clock: Clock,
  ) {
    this.backoff = new Backoff(clock);
  }

  /** Connects, with a snapshot first where there is no cursor yet. */
  async connect(): Promise<void> {
    this.abandon();
    this.enter({ phase: "connecting" });
    if (this.cursor === null && !(await this.renewSnapshot())) return;
    const socket = this.open();
    this.socket = socket;
    this.bye = null;
    socket.onopen = () => this.hello(true);
    socket.onmessage = (message) => this.receive(String(message.data));
    socket.onclose = (close) => this.closed(close.code, close.reason);
    this.after("answer", OPEN_LIMIT_MS, () => this.lose());
  }

  /** Sends a frame if the connection is live. */
  send(frame: ClientFrame): boolean {
    if (this.socket === null || this.awaiting !== null || this.welcomedAt_ms === null) return false;
    this.socket.send(JSON.stringify(frame));
    return true;
  }

  /** The network is back, the tab is shown again, or the member asked: do not wait any longer. */
  wake(): void {
    const { phase } = this.connection;
    if (phase === "waiting" || phase === "offline") void this.connect();
    else if (phase === "live") this.ping();
  }

  /** The network is gone: wait for wake(). */
  sleep(): void {
    if (this.connection.phase === "stopped") return;
    this.abandon();
    this.enter({ phase: "offline" });
  }

  /** Ends for good. */
  stop(code = 1000, reason = ""): void {
    this.abandon();
    this.enter({ phase: "stopped", code, reason });
  }

  private hello(first: boolean): void {
    this.awaiting = "welcome";
    this.usedTicket = first && this.resumeTicket !== null;
    const opening = first ? { workspace_id: this.receiver.workspaceId, client: CLIENT } : {};
    const ticket = this.usedTicket && this.resumeTicket !== null ? { resume_ticket: this.resumeTicket } : {};
    this.after("answer", ANSWER_LIMIT_MS, () => this.lose());
    this.write({ type: "hello", protocol: PROTOCOL, cursor: this.cursor, ...opening, ...ticket });
  }

  private receive(text: string): void {
    const frame = parseFrame(text);
    if (frame === null) return;
    if (this.awaiting !== "welcome") this.cancel("answer");
    switch (frame.type) {
      case "welcome": return this.welcome(frame);
      case "event": return this.event(frame);
      case "head":
        this.resumeTicket = frame.resume_ticket ?? this.resumeTicket;
        return this.noteHead(frame.seq);
      case "gap":
        if (frame.reason === "rights") void this.startOver();
        else if (this.awaiting === null) this.hello(false);
        return;
      case "bye":
        this.bye = frame;
        return;
      default: this.receiver.frame(frame);
    }
  }

  private welcome(frame: Welcome): void {
    if (this.awaiting === "snapshot") return;
    this.cancel("answer");
    this.heartbeat_ms = frame.heartbeat_s * 1000;
    this.resumeTicket = frame.resume_ticket;
    this.welcomedAt_ms ??= this.clock.now();
    this.schedulePing();
    if (!frame.recovered) {
      void this.startOver();
      return;
    }
    this.awaiting = null;
    this.head = frame.head;
    this.enter({ phase: this.behind() ? "catching_up" : "live" });
    this.receiver.welcomed(frame);
  }

  private event(frame: EventFrame): void {
    if (this.awaiting !== null || this.cursor === null || frame.seq <= this.cursor.seq) return;
    if (frame.prev > this.cursor.seq) return this.hello(false);
    this.cursor = { epoch: this.cursor.epoch, seq: frame.seq };
    this.receiver.event(frame);
    if (this.behind()) return;
    this.cancel("head");
    if (this.connection.phase === "catching_up") this.enter({ phase: "live" });
  }

  private noteHead(seq: number): void {
    this.head = Math.max(this.head, seq);
    if (this.awaiting !== null || !this.behind() || this.timers.has("head")) return;
    const start = this.cursor?.seq;
    this.after("head", HEAD_PATIENCE_MS, () => {
      if (this.awaiting !== null || !this.behind()) return;
      // Still moving: events are coming, only more than fit into two seconds.
      if (this.cursor?.seq !== start) this.noteHead(seq);
      else this.hello(false);
    });
  }

  private behind(): boolean {
    return this.cursor !== null && this.cursor.seq < this.head;
  }

  private async startOver(): Promise<void> {
    if ((await this.renewSnapshot()) && this.socket !== null) this.hello(false);
  }

  private async renewSnapshot(): Promise<boolean> {
    this.awaiting = "snapshot";
    this.cancel("answer");
    this.cancel("head");
    const generation = ++this.generation;
    try {
      const cursor = await this.receiver.takeSnapshot();
      if (generation !== this.generation) return false;
      this.cursor = cursor;
      this.head = cursor.seq;
      return true;
    } catch {
      if (generation === this.generation) this.lose();
      return false;
    }
  }

  private schedulePing(): void {
    this.after("ping", this.heartbeat_ms, () => {
      this.ping();
      this.schedulePing();
    });
  }

  private ping(): void {
    if (this.socket === null || this.awaiting !== null) return;
    this.after("answer", ANSWER_LIMIT_MS, () => this.lose());
    this.send({ type: "ping", cursor: this.cursor?.seq ?? 0 });
  }

  /** Gives up on a connection that does not answer. */
  private lose(): void {
    const code = this.bye?.code ?? 1006;
    this.closed(code, "");
  }

  private closed(code: number, reason: string): void {
    const bye = this.bye;
    const wasWelcomed = this.welcomedAt_ms !== null;
    if (wasWelcomed && this.clock.now() - (this.welcomedAt_ms ?? 0) >= STABLE_MS) this.backoff.reset();
    this.abandon();
    const final = bye?.code ?? code;
    if (final === NOT_SIGNED_IN && this.usedTicket) {
      this.resumeTicket = null; // too old; the cookie may still be good
      void this.connect();
      return;
    }
    if (!comesBack(final)) return this.enter({ phase: "stopped", code: final, reason: bye?.reason ?? reason });
    const delay_ms = this.backoff.next_ms(bye?.retry_after_s ?? null);
    this.enter({ phase: "waiting", until_ms: this.clock.now() + delay_ms });
    this.after("retry", delay_ms, () => void this.connect());
    if (!wasWelcomed) this.receiver.refused();
  }

  private abandon(): void {
    this.generation++;
    this.awaiting = null;
    this.welcomedAt_ms = null;
    for (const name of this.timers.keys()) this.cancel(name);
    const socket = this.socket;
    this.socket = null;
    if (socket === null) return;
    socket.onopen = socket.onmessage = socket.onclose = null;
    socket.close();
  }

  private write(frame: ClientFrame): void {
    this.socket?.send(JSON.stringify(frame));
  }

  private enter(connection: Connection): void {
    this.connection = connection;
    this.receiver.connection(connection);
  }

  private after(name: "retry" | "answer" | "ping" | "head", delay_ms: number, callback: () => void): void {
    this.cancel(name);
    this.timers.set(name, this.clock.setTimeout(() => {
      this.timers.delete(name);
      callback();
    }, delay_ms));
  }

  private cancel(name: "retry" | "answer" | "ping" | "head"): void {
    const timer = this.timers.get(name);
    if (timer !== undefined) this.clock.clearTimeout(timer);
    this.timers.delete(name);
  }
}
