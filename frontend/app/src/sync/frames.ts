/** The frames of docs/protocol.md as a member's client sends and receives them. Types and one parser, no behaviour. */
import type { HubEvent, Uuid } from "../types.gen";

export const PROTOCOL = 1;

export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

export type WritingKind = "message" | "note";

export interface Hello {
  readonly type: "hello";
  readonly protocol: typeof PROTOCOL;
  readonly cursor: Cursor | null;
  readonly workspace_id?: number;
  readonly resume_ticket?: string;
  readonly client?: string;
}

export interface Send {
  readonly type: "send";
  readonly client_message_id: Uuid;
  readonly conversation_id: Uuid;
  readonly kind: WritingKind;
  readonly text: string;
  readonly attachments: readonly Uuid[];
  readonly seen_seq: number | null;
}

export type ClientFrame =
  | Hello
  | Send
  | { readonly type: "read"; readonly conversation_id: Uuid; readonly seq: number }
  | { readonly type: "typing"; readonly conversation_id: Uuid; readonly on: boolean; readonly kind: WritingKind }
  | { readonly type: "viewing"; readonly conversation_id: Uuid | null }
  | { readonly type: "ping"; readonly cursor: number };

export interface Welcome {
  readonly type: "welcome";
  readonly protocol: number;
  readonly connection_id: string;
  readonly epoch: number;
  readonly head: number;
  readonly recovered: boolean;
  readonly heartbeat_s: number;
  readonly resume_ticket: string | null;
  readonly member_id: Uuid | null;
}

export interface EventFrame {
  readonly type: "event";
  readonly seq: number;
  readonly prev: number;
  readonly event: HubEvent;
}

export interface Ack {
  readonly type: "ack";
  readonly client_message_id: Uuid;
  readonly message_id: Uuid;
  readonly seq: number;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
  readonly retry_after_s: number | null;
  readonly client_message_id: Uuid | null;
}

export interface TypingFrame {
  readonly type: "typing";
  readonly conversation_id: Uuid;
  readonly member_id: Uuid | null;
  readonly on: boolean;
  readonly kind: WritingKind;
}

export interface ViewingFrame {
  readonly type: "viewing";
  readonly conversation_id: Uuid;
  readonly member_ids: readonly Uuid[] | null;
}

export interface PresenceFrame {
  readonly type: "presence";
  readonly member_ids: readonly Uuid[] | null;
}

export interface Bye {
  readonly type: "bye";
  readonly code: number;
  readonly reason: string;
  readonly retry_after_s: number | null;
}

export type ServerFrame =
  | Welcome
  | EventFrame
  | Ack
  | ErrorFrame
  | { readonly type: "head"; readonly seq: number; readonly resume_ticket?: string | null }
  | { readonly type: "gap"; readonly reason: "slow" | "lost" | "rights" }
  | TypingFrame
  | ViewingFrame
  | PresenceFrame
  | Bye;

const KNOWN: ReadonlySet<string> = new Set<ServerFrame["type"]>([
  "welcome", "event", "ack", "error", "head", "gap", "typing", "viewing", "presence", "bye",
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
