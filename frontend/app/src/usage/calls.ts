/** What a workspace uses, and operators in it. */
import { call } from "../api";
import type { Limits } from "../operator/calls";

export interface Usage {
  readonly members: number;
  readonly members_invited: number;
  readonly channel_accounts: number;
  readonly storage_bytes: number;
  readonly sockets: number;
  readonly messages_sent_today: number;
  readonly days: readonly { readonly day: string; readonly messages_in: number; readonly messages_out: number; readonly api_calls: number; readonly most_sockets: number }[];
  readonly limits: Limits;
}

export const readUsage = (workspaceId: number) => call<Usage>("GET", `/workspaces/${workspaceId}/usage`);

/** A stay of somebody who runs the installation, as one of the members. */
export interface Stay {
  readonly session_id: string;
  readonly reason: string;
  readonly began_at: string;
  readonly expires_at: string;
  readonly ended_at: string | null;
}

export interface Stays {
  readonly allowed: boolean;
  readonly entered: readonly Stay[];
}

export const staysCalls = {
  read: (workspaceId: number) => call<Stays>("GET", `/workspaces/${workspaceId}/operators`),
  allow: (workspaceId: number, allowed: boolean) => call<Stays>("PUT", `/workspaces/${workspaceId}/operators`, { allowed }),
  end: (workspaceId: number, sessionId: string) => call<void>("DELETE", `/workspaces/${workspaceId}/operators/entered/${sessionId}`),
};
