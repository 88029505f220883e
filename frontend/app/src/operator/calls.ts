/** The calls of the operator's panel, and the shapes of their answers. */
import { call, query } from "../api";
import type { Timestamp, Uuid } from "../types.gen";

export interface WorkspaceRow {
  readonly id: number;
  readonly name: string;
  readonly created_at: Timestamp;
  readonly suspended_at: Timestamp | null;
  readonly suspended_why: string;
  readonly deleted_at: Timestamp | null;
  readonly lets_operators_in: boolean;
  readonly members: number;
  readonly sockets: number;
  readonly messages_30_days: number;
  readonly storage_bytes: number;
}

export const LIMITS = ["members", "channel_accounts", "storage_bytes", "sockets", "messages_per_day", "workspace_calls_per_minute"] as const;
export type Limits = Readonly<Record<(typeof LIMITS)[number], number | null>>;
export interface OwnLimits { readonly limits: Limits; readonly version: number }
export interface FlagState { readonly name: string; readonly sentence: string; readonly per_workspace: boolean; readonly is_on: boolean }
export interface Finding { readonly level: "ok" | "warning" | "fault"; readonly title: string; readonly what_to_do: string; readonly detail: string }
export interface Detail {
  readonly workspace: WorkspaceRow;
  readonly limits: { readonly own: OwnLimits; readonly defaults: Limits };
  readonly flags: readonly FlagState[];
  readonly owners: readonly { readonly id: Uuid; readonly name: string }[];
}

const one = (id: number): string => `/operator/workspaces/${id}`;

export const operatorApi = {
  workspaces: (q: string, before: string | null) =>
    call<{ workspaces: readonly WorkspaceRow[]; next: string | null }>("GET", `/operator/workspaces${query({ q, before })}`),
  workspace: (id: number) => call<Detail>("GET", one(id)),
  setLimits: (id: number, limits: Limits, version: number) => call<Detail["limits"]>("PUT", `${one(id)}/limits`, { limits, version }),
  suspend: (id: number, why: string) => call<Detail>("PUT", `${one(id)}/suspension`, { why }),
  resume: (id: number) => call<Detail>("DELETE", `${one(id)}/suspension`),
  enter: (id: number, reason: string, member_id: Uuid | null) => call<unknown>("POST", `${one(id)}/entering`, { reason, member_id }),
  leave: () => call<void>("DELETE", "/entered"),
  flags: () => call<{ flags: readonly FlagState[] }>("GET", "/operator/flags"),
  setFlag: (id: number | null, name: string, is_on: boolean) =>
    call<{ flags: readonly FlagState[] }>("PUT", `${id === null ? "/operator" : one(id)}/flags/${name}`, { is_on }),
  health: () => call<{ findings: readonly Finding[]; schema: string }>("GET", "/operator/health"),
};
