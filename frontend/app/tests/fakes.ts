/** A clock that only moves when told, and a WebSocket whose other end is the test. */
import type { Clock, Timer } from "../src/sync/clock";
import type { ClientFrame, ServerFrame } from "../src/sync/frames";
import type { SocketLike } from "../src/sync/socket";

export class FakeClock implements Clock {
  private at_ms = 1_000_000;
  private last = 0;
  private readonly waiting = new Map<number, { due_ms: number; run: () => void }>();

  constructor(private readonly chance: () => number = () => 0.5) {}

  now = (): number => this.at_ms;
  random = (): number => this.chance();

  setTimeout(run: () => void, delay_ms: number): Timer {
    this.waiting.set(++this.last, { due_ms: this.at_ms + delay_ms, run });
    return this.last as unknown as Timer;
  }

  clearTimeout(timer: Timer): void {
    this.waiting.delete(timer as unknown as number);
  }

  /** Lets time pass, running what falls due in order, and lets promises settle in between. */
  async advance(by_ms: number): Promise<void> {
    const end_ms = this.at_ms + by_ms;
    for (;;) {
      await settle();
      const [id, next] = [...this.waiting].sort((left, right) => left[1].due_ms - right[1].due_ms || left[0] - right[0])[0] ?? [0, null];
      if (next === null || next.due_ms > end_ms) break;
      this.waiting.delete(id);
      this.at_ms = next.due_ms;
      next.run();
    }
    this.at_ms = end_ms;
    await settle();
  }
}

export async function settle(): Promise<void> {
  for (let turn = 0; turn < 10; turn++) await Promise.resolve();
}

export class FakeSocket implements SocketLike {
  readyState = 0;
  onopen: ((event: Event) => void) | null = null;
  onmessage: ((event: MessageEvent) => void) | null = null;
  onclose: ((event: CloseEvent) => void) | null = null;
  readonly sent: ClientFrame[] = [];
  closed = false;
  /** Answers each frame the client sends, where the test wants a whole server. */
  answer: ((frame: ClientFrame) => void) | null = null;

  send(text: string): void {
    const frame = JSON.parse(text) as ClientFrame;
    this.sent.push(frame);
    this.answer?.(frame);
  }

  close(): void {
    this.closed = true;
  }

  accept(): void {
    this.readyState = 1;
    this.onopen?.(new Event("open"));
  }

  deliver(frame: ServerFrame | { type: string }): void {
    this.onmessage?.(new MessageEvent("message", { data: JSON.stringify(frame) }));
  }

  drop(code: number, reason = ""): void {
    this.readyState = 3;
    this.onclose?.({ code, reason } as CloseEvent);
  }

  hellos(): Extract<ClientFrame, { type: "hello" }>[] {
    return this.sent.filter((one) => one.type === "hello");
  }
}

/** Numbers in [0, 1) that repeat with their seed (mulberry32). */
export function seeded(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
