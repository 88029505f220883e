/**
 * What the member wrote and the hub has not confirmed yet. Survives a reload, keeps the order within a conversation,
 * and may send again at will: the hub knows the `client_message_id`. Entries leave when the event that carries theirs
 * is applied, never on the ack alone.
 */
import type { Addressing, Attachment, TemplateUse, Uuid } from "../types.gen";
import type { Clock, Timer } from "./clock";
import type { Ack, ErrorFrame, EventFrame, Send, WritingKind } from "./frames";

const ACK_LIMIT_MS = 15_000;
const DEFAULT_RETRY_S = 5;
const TRANSIENT: ReadonlySet<string> = new Set(["unavailable", "too_many_requests"]);

export interface OutboxEntry {
  readonly client_message_id: Uuid;
  readonly conversation_id: Uuid;
  readonly kind: WritingKind;
  readonly text: string;
  /** Uploaded and ready; shown with the text until the event comes. */
  readonly attachments: readonly Attachment[];
  /** Subject and people, where the member chose them. */
  readonly addressing: Addressing | null;
  readonly seen_seq: number | null;
  /** The message it answers, where the member chose one. */
  readonly reply_to?: Uuid | null;
  /** Sent as a template; `text` is how it reads, shown until the event comes. */
  readonly template?: TemplateUse | null;
  readonly created_at: string;
  /** Committed at this seq; its event is still to come. */
  readonly acked_seq: number | null;
  readonly error: { readonly code: string; readonly message: string } | null;
}

export type NewEntry = Pick<OutboxEntry, "client_message_id" | "conversation_id" | "kind" | "text" | "seen_seq">
  & Partial<Pick<OutboxEntry, "attachments" | "addressing" | "reply_to" | "template">>;

export interface OutboxStorage {
  load(): readonly OutboxEntry[];
  save(entry: OutboxEntry): void;
  remove(client_message_id: Uuid): void;
}

export class Outbox {
  private entries: readonly OutboxEntry[];
  private readonly inFlight = new Map<Uuid, Timer>();
  private readonly listeners = new Set<() => void>();
  private live = false;
  private pause: Timer | null = null;

  constructor(
    private readonly storage: OutboxStorage,
    private readonly transmit: (frame: Send) => boolean,
    private readonly clock: Clock,
  ) {
    this.entries = storage.load();
  }

  readonly get = (): readonly OutboxEntry[] => this.entries;

  readonly subscribe = (listener: () => void): (() => void) => {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  };

  add(entry: NewEntry): void {
    const created_at = new Date(this.clock.now()).toISOString();
    this.store({ attachments: [], addressing: null, ...entry, created_at, acked_seq: null, error: null });
    this.sendNext();
  }

  /** Tries a refused entry again, with what the member has seen by now. */
  retry(id: Uuid, seen_seq: number | null): void {
    const entry = this.find(id);
    if (entry === undefined) return;
    this.store({ ...entry, seen_seq, error: null });
    this.sendNext();
  }

  discard(id: Uuid): void {
    this.settle(id);
    this.storage.remove(id);
    this.entries = this.entries.filter((entry) => entry.client_message_id !== id);
    this.notify();
    this.sendNext();
  }

  /** The connection is (or is no longer) good for sending; whatever had no ack goes out again. */
  setLive(live: boolean): void {
    this.live = live;
    for (const id of this.inFlight.keys()) this.settle(id);
    if (live) this.sendNext();
  }

  acked(ack: Ack, cursor_seq: number): void {
    this.settle(ack.client_message_id);
    const entry = this.find(ack.client_message_id);
    if (entry === undefined) return;
    if (ack.seq <= cursor_seq) return this.discard(entry.client_message_id); // its event came before, or with a snapshot
    this.store({ ...entry, acked_seq: ack.seq });
    this.sendNext();
  }

  refused(error: ErrorFrame): void {
    const entry = error.client_message_id === null ? undefined : this.find(error.client_message_id);
    if (entry === undefined) return;
    this.settle(entry.client_message_id);
    if (TRANSIENT.has(error.code)) return this.waitAWhile(error.retry_after_s ?? DEFAULT_RETRY_S);
    this.store({ ...entry, error: { code: error.code, message: error.message } });
    this.sendNext();
  }

  /** Drops the entries whose events are now part of the state. */
  applied(frames: readonly EventFrame[]): void {
    for (const { event } of frames) {
      if (!("message" in event)) continue;
      const id = event.message.client_message_id;
      if (id !== null && this.find(id) !== undefined) this.discard(id);
    }
  }

  /** A snapshot replaced the state: what was committed up to it is part of it. */
  snapshotTaken(seq: number): void {
    for (const { acked_seq, client_message_id } of this.entries) {
      if (acked_seq !== null && acked_seq <= seq) this.discard(client_message_id);
    }
  }

  has(id: Uuid): boolean {
    return this.find(id) !== undefined;
  }

  private sendNext(): void {
    if (!this.live || this.pause !== null) return;
    const busy = new Set<Uuid>();
    for (const entry of this.entries) {
      if (entry.error !== null || entry.acked_seq !== null || busy.has(entry.conversation_id)) continue;
      busy.add(entry.conversation_id); // one at a time in each conversation keeps their order
      if (!this.inFlight.has(entry.client_message_id)) this.send(entry);
    }
  }

  private send(entry: OutboxEntry): void {
    const { client_message_id, conversation_id, kind, text, seen_seq, addressing, reply_to = null, template = null } = entry;
    const attachments = entry.attachments.map((file) => file.id);
    const sent = this.transmit({ type: "send", client_message_id, conversation_id, kind, text, attachments, seen_seq, addressing, reply_to, ...(template === null ? {} : { template }) });
    if (!sent) return;
    const timer = this.clock.setTimeout(() => {
      this.inFlight.delete(client_message_id);
      this.sendNext();
    }, ACK_LIMIT_MS);
    this.inFlight.set(client_message_id, timer);
  }

  private waitAWhile(delay_s: number): void {
    this.pause ??= this.clock.setTimeout(() => {
      this.pause = null;
      this.sendNext();
    }, delay_s * 1000);
  }

  private settle(id: Uuid): void {
    const timer = this.inFlight.get(id);
    if (timer !== undefined) this.clock.clearTimeout(timer);
    this.inFlight.delete(id);
  }

  private find(id: Uuid): OutboxEntry | undefined {
    return this.entries.find((entry) => entry.client_message_id === id);
  }

  private store(entry: OutboxEntry): void {
    const known = this.find(entry.client_message_id) !== undefined;
    this.entries = known
      ? this.entries.map((held) => (held.client_message_id === entry.client_message_id ? entry : held))
      : [...this.entries, entry];
    this.storage.save(entry);
    this.notify();
  }

  private notify(): void {
    for (const listener of this.listeners) listener();
  }
}

/** Keeps entries in localStorage, one key each, so that two tabs never overwrite each other's. */
export function localOutbox(storage: Storage, owner: string): OutboxStorage {
  const prefix = `hub.outbox.${owner}.`;
  const attempt = (write: () => void): void => {
    try {
      write();
    } catch {
      // Full or forbidden: the entry lives as long as the tab.
    }
  };
  return {
    load() {
      const keys = Array.from({ length: storage.length }, (_, index) => storage.key(index) ?? "");
      return keys
        .filter((key) => key.startsWith(prefix))
        .map((key) => JSON.parse(storage.getItem(key) ?? "null") as OutboxEntry | null)
        .filter((entry) => entry !== null)
        // Entries of an older version had neither.
        .map((entry): OutboxEntry => ({ ...entry, attachments: entry.attachments ?? [], addressing: entry.addressing ?? null }))
        .sort((left, right) => left.created_at.localeCompare(right.created_at));
    },
    save: (entry) => attempt(() => storage.setItem(prefix + entry.client_message_id, JSON.stringify(entry))),
    remove: (id) => attempt(() => storage.removeItem(prefix + id)),
  };
}
