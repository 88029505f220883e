/** The items of a thread in the order they are drawn: days, messages, lines, the unread marker, what is on its way. Pure. */
import { dayKey } from "../lib/time";
import type { OutboxEntry } from "../sync/outbox";
import type { Line, Table } from "../sync/state";
import type { Message } from "../types.gen";

const GROUP_MS = 5 * 60_000;

export type Item =
  | { readonly kind: "day"; readonly key: string; readonly at: string }
  | { readonly kind: "unread"; readonly key: string }
  | { readonly kind: "line"; readonly key: string; readonly line: Line }
  | { readonly kind: "message"; readonly key: string; readonly message: Message; readonly grouped: boolean; /** Of a call: its recordings and the mailbox's messages. */ readonly parts: readonly Message[] }
  | { readonly kind: "outgoing"; readonly key: string; readonly entry: OutboxEntry };

export interface ThreadParts {
  readonly messages: Table<Message> | undefined;
  readonly lines: readonly Line[] | undefined;
  readonly outgoing: readonly OutboxEntry[];
  /** My read mark when I opened the thread; the marker stands before the first message of the contact above it. */
  readonly readSeqAtOpening: number;
}

/** Messages by (occurred_at, seq). */
export function sortMessages(messages: Table<Message> | undefined): Message[] {
  return Object.values(messages ?? {}).sort((left, right) =>
    left.occurred_at === right.occurred_at ? left.seq - right.seq : left.occurred_at < right.occurred_at ? -1 : 1);
}

export function threadItems({ messages, lines, outgoing, readSeqAtOpening }: ThreadParts): Item[] {
  const all = sortMessages(messages);
  const parts = partsOfCalls(all);
  const sorted = all.filter((message) => !isPart(message, parts));
  const placed = placeLines(sorted, lines ?? []);
  const items: Item[] = [];
  let marked = false;
  let previous: Message | null = null;
  let day = "";
  sorted.forEach((message, index) => {
    if (day !== dayKey(message.occurred_at)) {
      day = dayKey(message.occurred_at);
      items.push({ kind: "day", key: `day-${message.id}`, at: message.occurred_at });
      previous = null;
    }
    const own = parts.get(message.id) ?? NO_PARTS;
    if (!marked && [message, ...own].some((one) => one.author_kind === "contact" && one.seq > readSeqAtOpening)) {
      marked = true;
      if (index > 0) items.push({ kind: "unread", key: "unread" });
    }
    items.push({ kind: "message", key: message.id, message, grouped: belongTogether(previous, message), parts: own });
    previous = message;
    for (const line of placed.get(index) ?? []) {
      items.push({ kind: "line", key: `line-${line.seq}`, line });
      previous = null;
    }
  });
  const known = new Set(all.map((message) => message.client_message_id));
  const waiting = outgoing.filter((entry) => !known.has(entry.client_message_id));
  return [...items, ...waiting.map((entry): Item => ({ kind: "outgoing", key: entry.client_message_id, entry }))];
}

const NO_PARTS: readonly Message[] = [];

/** What answers a call that is here (a recording, a message in the mailbox) is shown with it, by the call's id. */
function partsOfCalls(sorted: readonly Message[]): Map<string, Message[]> {
  const parts = new Map(sorted.filter((message) => message.kind === "call").map((message): [string, Message[]] => [message.id, []]));
  for (const message of sorted) {
    if (message.kind === "message" && message.reply_to !== null) parts.get(message.reply_to.message_id)?.push(message);
  }
  return parts;
}

const isPart = (message: Message, parts: ReadonlyMap<string, readonly Message[]>): boolean =>
  message.reply_to !== null && parts.get(message.reply_to.message_id)?.includes(message) === true;

/** The newest seq shown, for `seen_seq` and read marks; 0 when there is nothing. */
export function newestSeq(messages: Table<Message> | undefined): number {
  return Object.values(messages ?? {}).reduce((newest, message) => Math.max(newest, message.seq), 0);
}

/** Lines have a seq but no time: each stands after the last message that came before it in the log. */
function placeLines(sorted: readonly Message[], lines: readonly Line[]): Map<number, Line[]> {
  const placed = new Map<number, Line[]>();
  for (const line of lines) {
    const after = sorted.findLastIndex((message) => message.seq < line.seq);
    if (after !== -1) placed.set(after, [...(placed.get(after) ?? []), line]);
  }
  return placed;
}

function belongTogether(previous: Message | null, message: Message): boolean {
  return previous !== null
    && previous.kind === message.kind
    && message.kind !== "call"
    && previous.author_kind === message.author_kind
    && previous.author_id === message.author_id
    && Date.parse(message.occurred_at) - Date.parse(previous.occurred_at) < GROUP_MS;
}
