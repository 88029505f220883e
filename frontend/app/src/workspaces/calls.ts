/** The calls about a person's workspaces. */
import { call } from "../api";
import type { Membership, Uuid } from "../types.gen";

export interface Joinable {
  readonly workspace_id: number;
  readonly workspace_name: string;
}

export type HandOver = { readonly to: "nobody" } | { readonly to: "member" | "team"; readonly id: Uuid };

export const workspaceCalls = {
  unread: () => call<{ workspaces: readonly { workspace_id: number; unread: number }[] }>("GET", "/workspaces/unread"),
  mine: () => call<{ joinable: readonly Joinable[] }>("GET", "/workspaces"),
  join: (workspaceId: number) => call<{ membership: Membership }>("POST", `/workspaces/${workspaceId}/joining`, {}),
  make: (name: string) => call<{ membership: Membership }>("POST", "/workspaces", { name }),
  leave: (workspaceId: number, hand_over_to: HandOver) => call<void>("POST", `/workspaces/${workspaceId}/leaving`, { hand_over_to }),
};
