/** The call of the home page (api/home.py). */
import { call } from "../api";
import type { Timestamp, Uuid } from "../types.gen";

export interface WaitingRow {
  readonly conversation_id: Uuid;
  readonly contact_id: Uuid;
  readonly contact_name: string;
  readonly subject: string;
  readonly channel: string;
  readonly preview: string;
  readonly assignee_id: Uuid | null;
  readonly since: Timestamp;
}

export interface FailedRow {
  readonly conversation_id: Uuid;
  readonly contact_id: Uuid;
  readonly contact_name: string;
  readonly subject: string;
  readonly error: string;
  readonly at: Timestamp;
}

export interface ChannelRow {
  readonly id: Uuid;
  readonly name: string;
  readonly channel: string;
  readonly status: "needs_sign_in" | "paused";
}

export interface Home {
  readonly waiting: number;
  readonly mine_waiting: number;
  readonly unassigned: number;
  /** Every number is "at least". */
  readonly is_partial: boolean;
  readonly longest: readonly WaitingRow[];
  readonly snoozed_due: number;
  readonly failed: readonly FailedRow[];
  readonly failed_amount: number;
  readonly channels: readonly ChannelRow[];
  readonly unreadable: number | null;
  readonly invited: number | null;
  readonly beginnings: { readonly channel_connected: boolean; readonly colleague_invited: boolean; readonly contact_answered: boolean } | null;
}

export const readHome = (workspaceId: number) => call<Home>("GET", `/workspaces/${workspaceId}/home`);
