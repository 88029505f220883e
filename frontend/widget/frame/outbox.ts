// What the visitor wrote and the hub has not confirmed. Kept until its `ack`, across reloads; one message is on the
// way at a time, so that order holds whatever is lost. The same id is sent again, which the hub answers with the first ack.
import type { Environment, Keep } from "./environment.ts";

const PREFIX = "p:";
const RESEND_MS = 10_000;
const TRIES = 5;

export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly written_at: number;
  /** `acked`: committed, its event has not come yet. */
  readonly state: "waiting" | "sent" | "acked" | "failed";
  readonly error: string | null;
}

export class Outbox {
  items: readonly Outgoing[];
  #tries = 0;
  #up = false;
  #cancel = () => {};

  readonly #environment: Environment;
  readonly #keep: Keep;
  readonly #transmit: (item: Outgoing) => void;
  readonly #changed: () => void;

  constructor(
    environment: Environment,
    keep: Keep,
    transmit: (item: Outgoing) => void,
    changed: () => void,
  ) {
    this.#environment = environment;
    this.#keep = keep;
    this.#transmit = transmit;
    this.#changed = changed;
    this.items = keep
      .keys()
      .filter((key) => key.startsWith(PREFIX))
      .map((key) => restore(key.slice(PREFIX.length), keep.get(key)))
      .filter((item) => item !== null)
      .sort((a, b) => a.written_at - b.written_at);
  }

  add(text: string): void {
    const item: Outgoing = {
      id: this.#environment.uuid(),
      text,
      written_at: this.#environment.now(),
      state: "waiting",
      error: null,
    };
    this.#keep.set(PREFIX + item.id, JSON.stringify([item.written_at, text]));
    this.items = [...this.items, item];
    this.#flush();
  }

  /** The hub listens (or not any more). */
  connected(up: boolean): void {
    this.#up = up;
    this.#cancel();
    this.#tries = 0;
    this.items = this.items.map((item) => (item.state === "sent" ? { ...item, state: "waiting" } : item));
    this.#flush();
  }

  acked(id: string): boolean {
    const item = this.find(id);
    if (!item) return false;
    this.#keep.set(PREFIX + id, null);
    this.#settle(item, { state: "acked" });
    return true;
  }

  refused(id: string, error: string, retry_after_s: number | null): void {
    const item = this.find(id);
    if (!item || item.state === "acked") return;
    if (retry_after_s === null) return this.#settle(item, { state: "failed", error });
    this.#cancel();
    this.#cancel = this.#environment.after(retry_after_s * 1000, () => this.#settle(item, { state: "waiting" }));
  }

  retry(id: string): void {
    const item = this.find(id);
    if (item?.state === "failed") this.#settle(item, { state: "waiting", error: null });
  }

  /** It stands in the thread now, or the visitor took it back. */
  remove(id: string): void {
    const item = this.find(id);
    if (!item) return;
    this.#keep.set(PREFIX + id, null);
    this.items = this.items.filter((other) => other.id !== id);
    if (item.state === "sent") this.#next();
    else this.#changed();
  }

  find(id: string | null): Outgoing | undefined {
    return this.items.find((item) => item.id === id);
  }

  #settle(item: Outgoing, change: Partial<Outgoing>): void {
    const wasSent = this.find(item.id)?.state === "sent";
    this.items = this.items.map((other) => (other.id === item.id ? { ...other, ...change } : other));
    if (wasSent) this.#next();
    else this.#flush();
  }

  #next(): void {
    this.#cancel();
    this.#tries = 0;
    this.#flush();
  }

  #flush(): void {
    const item = this.items.find((each) => each.state === "waiting");
    if (this.#up && item && !this.items.some((each) => each.state === "sent")) {
      this.items = this.items.map((each) => (each === item ? { ...each, state: "sent" } : each));
      this.#attempt(item);
    }
    this.#changed();
  }

  #attempt(item: Outgoing): void {
    if (this.#tries >= TRIES) return this.#settle(item, { state: "failed", error: "It was not confirmed." });
    this.#transmit(item);
    this.#cancel = this.#environment.after(RESEND_MS * 2 ** this.#tries++, () => this.#attempt(item));
  }
}

function restore(id: string, kept: string | null): Outgoing | null {
  try {
    const [written_at, text] = JSON.parse(kept ?? "") as [number, string];
    return { id, text, written_at, state: "waiting", error: null };
  } catch {
    return null;
  }
}
