// The visitor's part of the socket protocol (docs/protocol.md, §3, §4, §6) and of the live chat HTTP API.
// A visitor has one conversation, so their frames leave `conversation_id` out.
// Unknown frame and event types are ignored by whoever reads them: newer hubs say more.

export type Cursor = { epoch: number; seq: number };

export type VisitorMessage = {
  id: string;
  author_kind: "contact" | "member" | "ai" | "system";
  author_name: string | null;
  text: string;
  occurred_at: string;
  client_message_id: string | null;
  attachments: readonly VisitorFile[];
};

export type VisitorFile = {
  id: string;
  kind: string;
  filename: string;
  size_bytes: number;
  state: "pending" | "ready" | "failed";
  width: number | null;
  height: number | null;
  error: string | null;
};

// Client → hub

export type Hello = { type: "hello"; protocol: 1; visitor_token?: string; client?: string; cursor: Cursor | null };
export type Send = {
  type: "send";
  client_message_id: string;
  kind: "message";
  text: string;
  attachments: string[];
  seen_seq: number | null;
};
export type Read = { type: "read"; seq: number };
export type Typing = { type: "typing"; on: boolean };
export type Ping = { type: "ping"; cursor: number };
export type ClientFrame = Hello | Send | Read | Typing | Ping;

// Hub → client

export type Welcome = {
  type: "welcome";
  epoch: number;
  head: number;
  recovered: boolean;
  heartbeat_s: number;
};
export type VisitorEvent =
  | { type: "message_added"; message: VisitorMessage }
  | { type: "message_changed"; message_id: string; text: string | null }
  | { type: "conversation_closed" };
export type EventFrame = { type: "event"; seq: number; prev: number; event: VisitorEvent };
export type Ack = { type: "ack"; client_message_id: string; message_id: string; seq: number };
export type ErrorFrame = {
  type: "error";
  code: string;
  message: string;
  retry_after_s: number | null;
  client_message_id: string | null;
};
export type Head = { type: "head"; seq: number };
export type Gap = { type: "gap"; reason: "slow" | "lost" | "rights" };
export type TypingNotice = { type: "typing"; member_id: string | null; on: boolean };
export type Bye = { type: "bye"; code: number; reason: string; retry_after_s: number | null };
export type HubFrame = Welcome | EventFrame | Ack | ErrorFrame | Head | Gap | TypingNotice | Bye;

// HTTP

export type FormField = { name: string; label: string; required: boolean };

export type Config = {
  title: string;
  greeting: string;
  color: string;
  pre_chat: FormField[];
  identity_required: boolean;
  online: boolean | null;
};

/** What `POST …/visitors` answers: the visitor and everything they see, read at one moment. */
export type Visit = MessagePage & { visitor_token: string; cursor: Cursor };

/** Oldest first; `next` asks for the page before, null at the start. */
export type MessagePage = { messages: VisitorMessage[]; next: string | null };
