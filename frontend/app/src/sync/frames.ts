/** What a member's client adds to the generated frames of the protocol: its version, a name for their kinds, one parser. */
import type { ServerFrame } from "../types.gen";

export type {
  Ack, Bye, ClientFrame, Cursor, ErrorFrame, EventFrame, Hello, PresenceChanged, PresenceShown, Send, ServerFrame, TypingShown,
  ViewingShown, Welcome,
} from "../types.gen";

export const PROTOCOL = 1;

export type WritingKind = "message" | "note";

const KNOWN: ReadonlySet<string> = new Set<ServerFrame["type"]>([
  "welcome", "event", "ack", "error", "head", "gap", "typing", "viewing", "presence", "presence_changed", "notice", "bye",
]);

/**
 * Reads one text frame.
 *
 * @returns the frame, or null for what this version does not know: newer hubs say more.
 */
export function parseFrame(text: string): ServerFrame | null {
  const value: unknown = JSON.parse(text);
  if (typeof value !== "object" || value === null || !("type" in value)) return null;
  return typeof value.type === "string" && KNOWN.has(value.type) ? (value as ServerFrame) : null;
}
