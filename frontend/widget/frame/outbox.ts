// What the visitor wrote and the hub has not confirmed. Kept until its `ack`, across reloads; one message is on the
// way at a time, so that order holds whatever is lost. The same id is sent again, which the hub answers with the first ack.
import type { Environment, Keep } from "./environment.ts";
import type { VisitorFile } from "./frames.ts";

const PREFIX = "p:";
const RESEND_MS = 10_000;
const TRIES = 5;

export interface Outgoing {
  readonly id: string;
  readonly text: string;
  readonly files: readonly VisitorFile[];
  readonly written_at: number;
  /** `acked`: committed, its event has not come yet. */
  readonly state: "waiting" | "sent" | "acked" | "failed";
  readonly error?: string;
}

export interface Outbox {
  items(): readonly Outgoing[];
  find(id: string): Outgoing | undefined;
  add(text: string, files: readonly VisitorFile[]): void;
  /** The hub listens (or not any more). */
  connected(up: boolean): void;
  acked(id: string): void;
  refused(id: string, error: string, retry_after_s: number | null): void;
  retry(id: string): void;
  /** It stands in the thread now, or the visitor took it back. */
  remove(id: string): void;
}

export function openOutbox(
  { now, after, uuid }: Environment,
  keep: Keep,
  transmit: (item: Outgoing) => void,
  changed: () => void,
): Outbox {
  let items = restore(keep);
  let up = false;
  let tries = 0;
  let cancel = () => {};

  const find = (id: string) => items.find((item) => item.id === id);

  function put(id: string, change: Partial<Outgoing>): void {
    if (find(id)?.state === "sent") quiet();
    items = items.map((item) => (item.id === id ? { ...item, ...change } : item));
    flush();
  }

  function quiet(): void {
    cancel();
    tries = 0;
  }

  function flush(): void {
    const item = items.find(({ state }) => state === "waiting");
    if (up && item && !items.some(({ state }) => state === "sent")) {
      items = items.map((each) => (each === item ? { ...each, state: "sent" } : each));
      attempt(item);
    }
    changed();
  }

  function attempt(item: Outgoing): void {
    if (tries >= TRIES) return put(item.id, { state: "failed", error: "It was not confirmed." });
    transmit(item);
    cancel = after(RESEND_MS * 2 ** tries++, () => attempt(item));
  }

  return {
    items: () => items,
    find,
    add(text, files) {
      const item: Outgoing = { id: uuid(), text, files, written_at: now(), state: "waiting" };
      keep.set(PREFIX + item.id, JSON.stringify([item.written_at, text, files]));
      items = [...items, item];
      flush();
    },
    connected(yes) {
      up = yes;
      quiet();
      items = items.map((item) => (item.state === "sent" ? { ...item, state: "waiting" } : item));
      flush();
    },
    acked(id) {
      keep.set(PREFIX + id, null);
      put(id, { state: "acked" });
    },
    refused(id, error, retry_after_s) {
      if (find(id)?.state !== "sent") return;
      if (retry_after_s === null) return put(id, { state: "failed", error });
      cancel();
      cancel = after(retry_after_s * 1000, () => put(id, { state: "waiting" }));
    },
    retry: (id) => put(id, { state: "waiting" }),
    remove(id) {
      const item = find(id);
      if (!item) return;
      keep.set(PREFIX + id, null);
      if (item.state === "sent") quiet();
      items = items.filter((other) => other !== item);
      flush();
    },
  };
}

function restore(keep: Keep): readonly Outgoing[] {
  const items = keep.keys().flatMap((key): Outgoing[] => {
    if (!key.startsWith(PREFIX)) return [];
    const [written_at, text, files = []] = JSON.parse(keep.get(key)!) as [number, string, VisitorFile[]?];
    return [{ id: key.slice(PREFIX.length), text, files, written_at, state: "waiting" }];
  });
  return items.sort((a, b) => a.written_at - b.written_at);
}
