// The thread as rows to draw: day separators, and messages grouped by who wrote them.
import { dayLabel, dayOf } from "./days.ts";
import type { VisitorFile, VisitorMessage } from "./frames.ts";
import type { Outgoing } from "./outbox.ts";

const GROUP_MS = 5 * 60_000;

export interface MessageRow {
  kind: "message";
  key: string;
  id: string;
  own: boolean;
  author: string;
  text: string;
  files: readonly VisitorFile[];
  at: Date;
  /** First and last of a run by one author. */
  first: boolean;
  last: boolean;
  sending: boolean;
  failed: string | null;
}

export type Row = { kind: "day"; key: string; label: string } | MessageRow;

export function threadRows(messages: readonly VisitorMessage[], outgoing: readonly Outgoing[], now: Date): Row[] {
  const rows: Row[] = [];
  let before: MessageRow | null = null;
  for (const row of [...messages.map(received), ...outgoing.map(written)]) {
    const newDay = !before || dayOf(before.at) !== dayOf(row.at);
    if (newDay) rows.push({ kind: "day", key: "day " + row.key, label: dayLabel(row.at, now) });
    const joins =
      before && !newDay && before.author === row.author && row.at.getTime() - before.at.getTime() < GROUP_MS;
    row.first = !joins;
    if (before && joins && before.sending === row.sending) before.last = false;
    rows.push(row);
    before = row;
  }
  return rows;
}

function received({ id, author_kind, author_name, text, occurred_at, client_message_id, attachments }: VisitorMessage): MessageRow {
  const own = author_kind === "contact";
  const author = own ? "" : (author_name ?? "Support");
  // The same key as while it was on its way, so that its bubble stays the same element.
  const key = client_message_id ?? id;
  return { ...COMMON, key, id, own, author, text, files: attachments, at: new Date(occurred_at) };
}

function written({ id, text, files, written_at, state, error }: Outgoing): MessageRow {
  const failed = state === "failed" ? (error ?? "") : null;
  return { ...COMMON, key: id, id, own: true, author: "", text, files, at: new Date(written_at), sending: state !== "acked", failed };
}

const COMMON = { kind: "message", first: true, last: true, sending: false, failed: null } as const;
