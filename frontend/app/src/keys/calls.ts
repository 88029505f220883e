/** Calls of the API about keys of the workspace and personal access tokens: alike but for their address. */
import { call, query } from "../api";
import type { Permission, Timestamp, Uuid } from "../types.gen";

export interface ApiKey {
  readonly id: Uuid;
  readonly kind: "workspace" | "personal";
  readonly name: string;
  readonly hint: string;
  readonly member_id: Uuid;
  readonly scopes: readonly Permission[] | null;
  readonly inbox_ids: readonly Uuid[] | null;
  readonly created_at: Timestamp;
  readonly expires_at: Timestamp | null;
  readonly former_until: Timestamp | null;
  readonly last_used_at: Timestamp | null;
  readonly revoked_at: Timestamp | null;
}

export interface MadeKey {
  readonly key: ApiKey;
  readonly token: string;
  readonly warnings: readonly string[];
}

export interface KeyForm {
  readonly name: string;
  readonly scopes: readonly Permission[];
  readonly inbox_ids: readonly Uuid[] | null;
  readonly expires_at: Timestamp | null;
}

export type KeyCalls = ReturnType<typeof keyCalls>;

export function keyCalls(workspaceId: number, kind: ApiKey["kind"]) {
  const base = `/workspaces/${workspaceId}/${kind === "personal" ? "personal-tokens" : "api-keys"}`;
  return {
    list: (before: string | null) => call<{ keys: readonly ApiKey[]; next: string | null }>("GET", `${base}${query({ before, limit: 50 })}`),
    make: (form: KeyForm) => call<MadeKey>("POST", base, form),
    rotate: (id: Uuid) => call<MadeKey>("POST", `${base}/${id}/rotate`, {}),
    revoke: (id: Uuid) => call<void>("DELETE", `${base}/${id}`),
  };
}
