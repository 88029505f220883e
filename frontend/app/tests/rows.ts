/** Rows and events for tests, each with the few fields a test cares about. */
import type { Attachment, Contact, Conversation, HubEvent, Member, Message, Snapshot } from "../src/types.gen";
import type { EventFrame } from "../src/sync/frames";

export const ME = "m-1";

export function member(over: Partial<Member> = {}): Member {
  return { id: ME, name: "Priya Raman", email: "priya@example.com", role: "owner", active: true, version: 0, custom_role_id: null, avatar: "", ...over };
}

export function conversation(over: Partial<Conversation> = {}): Conversation {
  return {
    id: "c-1", inbox_id: "i-1", channel_account_id: "a-1", channel: "livechat", contact_id: "p-1", status: "open", assignee_id: null,
    snoozed_until: null, subject: "", preview: "Hello", preview_author_kind: "contact", last_activity_at: "2026-01-01T10:00:00Z",
    last_inbound_seq: 1, last_outbound_seq: 0, created_at: "2026-01-01T09:00:00Z", version: 1, window_expires_at: null, ...over,
  };
}

export function contact(over: Partial<Contact> = {}): Contact {
  return { id: "p-1", name: "Ana Okafor", lifecycle_stage: "visitor", identities: [], created_at: "2026-01-01T09:00:00Z", version: 1, avatar: "", ...over };
}

export function message(over: Partial<Message> = {}): Message {
  return {
    id: "x-1", conversation_id: "c-1", seq: 1, kind: "message", direction: "inbound", author_kind: "contact", author_id: "p-1", author_name: "",
    text: "Hello", attachments: [], status: null, error: null, client_message_id: null, occurred_at: "2026-01-01T10:00:00Z", version: 1,
    headers: null, has_html: false, quoted: "", reply_to: null, unreadable: "", reactions: [], edited_at: null, deleted_at: null, change: null, call: null, ...over,
  };
}

export function snapshot(over: Partial<Snapshot> = {}): Snapshot {
  return {
    epoch: 1, seq: 0, workspace: { id: 1, name: "Northwind", version: 0 }, me: member(),
    permissions: ["inbox.read", "inbox.reply", "inbox.assign", "contacts.write", "channels.manage"],
    members: [member(), member({ id: "m-2", name: "Hugo Laurent", email: "hugo@example.com", role: "agent" })],
    inboxes: [], channel_accounts: [{ id: "a-1", inbox_id: "i-1", channel: "livechat", name: "Website chat", status: "connected", status_reason: "", settings: {}, created_at: "2026-01-01T09:00:00Z", version: 0, demo: false }],
    counts: { open: 0, pending: 0, snoozed: 0, closed: 0 }, conversations: [], contacts: [], reads: [], teams: [], roles: [], flags: [], ...over,
  };
}

export function attachment(over: Partial<Attachment> = {}): Attachment {
  return {
    id: "f-1", kind: "file", filename: "invoice.pdf", mime: "application/pdf", size_bytes: 82_000, state: "ready", width: null, height: null,
    has_thumbnail: false, has_preview: false, inline: false, error: null, ...over,
  };
}

/** An inbound message of conversation `id` at `seq`. */
export function received(seq: number, id = "c-1", over: Partial<Message> = {}): HubEvent {
  return {
    type: "message_received", previous_status: null, contact: contact({ version: seq }),
    conversation: conversation({ id, version: seq, last_inbound_seq: seq }),
    message: message({ id: `x-${seq}`, conversation_id: id, seq, version: seq, text: `text ${seq}`, ...over }),
  };
}

export const frame = (seq: number, event: HubEvent = received(seq), prev = seq - 1): EventFrame => ({ type: "event", seq, prev, event });
