/** What a workspace uses, and operators in it. */
import { call } from "../api";
import type { Usage } from "../types.gen";

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
