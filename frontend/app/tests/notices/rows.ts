import type { Notice, NoticePage } from "../../src/notices/calls";

export function notice(over: Partial<Notice> = {}): Notice {
  return {
    id: "n-1", kind: "message", title: "Ana Okafor", preview: "Where is my parcel?", amount: 1, detail: "", conversation_id: "c-1",
    channel_account_id: null, inbox_id: "i-1", actor_id: null, first_at: "2026-01-01T10:00:00Z", at: "2026-01-01T10:00:00Z", seen: false, read: false, ...over,
  };
}

export const page = (notices: readonly Notice[], over: Partial<NoticePage> = {}): NoticePage =>
  ({ notices, unread: notices.filter((one) => !one.read).length, unseen: notices.filter((one) => !one.seen).length, next: null, ...over });
