/** The calls of notices, their settings, and browsers for push (docs/notifications.md). */
import { call, query } from "../api";
import type { Timestamp, Uuid } from "../types.gen";

export const KINDS = ["assigned", "message", "conversation", "channel_sign_in", "security", "export_ready"] as const;
export const WAYS = ["in_app", "email", "push"] as const;
export type Kind = (typeof KINDS)[number];
export type Way = (typeof WAYS)[number];
export type Digest = "off" | "hourly" | "daily";

export interface Notice {
  readonly id: Uuid;
  readonly kind: Kind;
  readonly title: string;
  readonly preview: string;
  readonly amount: number;
  readonly detail: string;
  readonly conversation_id: Uuid | null;
  readonly channel_account_id: Uuid | null;
  readonly inbox_id: Uuid | null;
  readonly actor_id: Uuid | null;
  readonly first_at: Timestamp;
  readonly at: Timestamp;
  readonly seen: boolean;
  readonly read: boolean;
}

export interface NoticePage {
  readonly notices: readonly Notice[];
  readonly unread: number;
  readonly unseen: number;
  readonly next: string | null;
}

/** `at`: the moment that undoing names. */
export interface Marked {
  readonly changed: number;
  readonly unread: number;
  readonly unseen: number;
  readonly at: Timestamp;
}

export interface NoticeSettings {
  readonly kinds: Readonly<Partial<Record<Kind, readonly Way[]>>>;
  /** Minutes of the day in `time_zone`. */
  readonly quiet_from: number | null;
  readonly quiet_until: number | null;
  readonly time_zone: string;
  readonly language: string;
  readonly digest: Digest;
  readonly digest_hour: number;
  readonly shows_text: boolean;
}

export type NoticeApi = ReturnType<typeof noticeApi>;

export function noticeApi(workspaceId: number) {
  const base = `/workspaces/${workspaceId}`;
  return {
    page: (filter: { unread?: boolean; before?: string | null; limit?: number }) =>
      call<NoticePage>("GET", `${base}/notices${query({ ...filter, unread: filter.unread === true ? 1 : null })}`),
    markRead: (wanted: { ids?: readonly Uuid[]; until?: Timestamp }) => call<Marked>("POST", `${base}/notices/read`, wanted),
    markUnread: (wanted: { ids: readonly Uuid[] } | { read_at: Timestamp }) => call<Marked>("POST", `${base}/notices/unread`, wanted),
    markSeen: (until: Timestamp) => call<Marked>("POST", `${base}/notices/seen`, { until }),
    settings: () => call<NoticeSettings>("GET", `${base}/notice-settings`),
    changeSettings: (change: Partial<NoticeSettings>) => call<NoticeSettings>("PATCH", `${base}/notice-settings`, change),
  };
}
