/** What may be done to a message on its channel, in one place: the menu offers nothing the hub would refuse. */
import type { Capabilities, Message, Uuid } from "../types.gen";

export interface Doable {
  readonly reply: boolean;
  readonly react: boolean;
  readonly edit: boolean;
  readonly remove: boolean;
}

interface Who {
  readonly me: Uuid;
  readonly mayReply: boolean;
  readonly moderates: boolean;
}

const NOTHING: Doable = { reply: false, react: false, edit: false, remove: false };
const OUT: ReadonlySet<string> = new Set(["sending", "sent", "delivered", "read"]);

/** Says what a member may do to a message at a moment (milliseconds since 1970). */
export function doable(message: Message, can: Capabilities | undefined, who: Who, now: number): Doable {
  if (!who.mayReply || message.deleted_at !== null) return NOTHING;
  const own = message.direction === "outbound" && (message.author_id === who.me || who.moderates);
  if (message.kind === "note") return { reply: false, react: true, edit: own, remove: own };
  if (message.kind !== "message" || can === undefined) return NOTHING;
  const out = message.status === null || OUT.has(message.status);
  const unsent = message.status === "queued" || message.status === "failed";
  const age_s = (now - Date.parse(message.occurred_at)) / 1000;
  const within = (limit_s: number): boolean => limit_s === 0 || age_s < limit_s;
  return {
    reply: can.reply && !can.subject && out,
    react: can.react && out,
    edit: own && message.text !== "" && (unsent || (out && can.edit && within(can.edit_within_s))),
    remove: own && (unsent || (out && can.delete && within(can.delete_within_s))),
  };
}

/** What the composer is asked to do with a message. */
export interface TargetDetail {
  readonly what: "reply" | "edit";
  readonly message: Message;
}

export const aim = (detail: TargetDetail): boolean => window.dispatchEvent(new CustomEvent("hub:target", { detail }));

/** One line for whoever quotes or edits a message. */
export function gist(message: Pick<Message, "text" | "deleted_at" | "attachments" | "unreadable">): string {
  if (message.deleted_at !== null) return "Deleted message";
  return message.text.split(/\s+/).join(" ").slice(0, 140) || message.attachments[0]?.filename || message.unreadable || "Message";
}

/** Reactions joined by emoji, in the order first made. */
export function joined(message: Message, me: Uuid): readonly { readonly emoji: string; readonly count: number; readonly mine: boolean; readonly waiting: boolean; readonly authors: Message["reactions"] }[] {
  return [...group(message)].map(([emoji, authors]) => ({
    emoji, authors, count: authors.length,
    mine: authors.some((one) => one.author_id === me && one.author_kind === "member"),
    waiting: authors.some((one) => one.waiting),
  }));
}

function group(message: Message): Map<string, Message["reactions"][number][]> {
  const found = new Map<string, Message["reactions"][number][]>();
  for (const one of message.reactions) found.set(one.emoji, [...(found.get(one.emoji) ?? []), one]);
  return found;
}
