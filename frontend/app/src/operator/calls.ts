/** The calls of the operator's panel, and the shapes of their answers. */
import { call, query } from "../api";
import type { FlagState, HealthView, Limits, LimitsView, Uuid, WorkspaceDetail, WorkspacePage } from "../types.gen";

export const LIMITS = ["members", "channel_accounts", "storage_bytes", "sockets", "messages_per_day", "workspace_calls_per_minute"] as const satisfies readonly (keyof Limits)[];

const one = (id: number): string => `/operator/workspaces/${id}`;

export const operatorApi = {
  workspaces: (q: string, before: string | null) =>
    call<WorkspacePage>("GET", `/operator/workspaces${query({ q, before })}`),
  workspace: (id: number) => call<WorkspaceDetail>("GET", one(id)),
  setLimits: (id: number, limits: Limits, version: number) => call<LimitsView>("PUT", `${one(id)}/limits`, { limits, version }),
  suspend: (id: number, why: string) => call<WorkspaceDetail>("PUT", `${one(id)}/suspension`, { why }),
  resume: (id: number) => call<WorkspaceDetail>("DELETE", `${one(id)}/suspension`),
  enter: (id: number, reason: string, member_id: Uuid | null) => call<unknown>("POST", `${one(id)}/entering`, { reason, member_id }),
  leave: () => call<void>("DELETE", "/entered"),
  flags: () => call<{ flags: readonly FlagState[] }>("GET", "/operator/flags"),
  setFlag: (id: number | null, name: string, is_on: boolean) =>
    call<{ flags: readonly FlagState[] }>("PUT", `${id === null ? "/operator" : one(id)}/flags/${name}`, { is_on }),
  health: () => call<HealthView>("GET", "/operator/health"),
};
