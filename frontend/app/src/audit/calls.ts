/** Calls of the API about the audit log. */
import { ApiError, call, query } from "../api";
import type { AuditSearch } from "../router";
import type { Timestamp, Uuid } from "../types.gen";

export interface AuditEntry {
  readonly id: Uuid;
  readonly at: Timestamp;
  readonly action: string;
  readonly words: string;
  readonly actor: { readonly kind: "member" | "login" | "key" | "operator" | "system"; readonly id: Uuid | null; readonly name: string };
  readonly target_kind: string;
  readonly target_id: string;
  readonly target_name: string;
  readonly address: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly position: number | null;
  readonly hash: string | null;
}

export interface AuditHead {
  readonly position: number;
  readonly hash: string;
  readonly signed_at: string;
}

const DAY_MS = 86_400_000;

/** Filters as the API takes them: days become moments of the member's own zone, the last day whole. */
export function filtersOf(search: AuditSearch): Readonly<Record<string, string | null>> {
  const moment = (day: string | null, days: number): string | null => {
    if (day === null) return null;
    const at = new Date(`${day}T00:00:00`);
    if (Number.isNaN(at.getTime())) return null;
    if (days > 0) at.setTime(at.getTime() + days * DAY_MS);
    return at.toISOString();
  };
  return {
    actor_id: search.actor, action: search.action, target_kind: search.kind, target_id: search.row,
    since: moment(search.since, 0), until: moment(search.until, 1),
  };
}

export function auditCalls(workspaceId: number) {
  const base = `/workspaces/${workspaceId}/audit`;
  return {
    page: (search: AuditSearch, before: string | null) =>
      call<{ entries: readonly AuditEntry[]; next: string | null }>("GET", `${base}${query({ ...filtersOf(search), before, limit: 50 })}`),
    actions: () => call<{ actions: readonly { action: string; words: string }[] }>("GET", `${base}/actions`),
    newestHead: () => newestHead(base),
    exportFile: (search: AuditSearch, format: "csv" | "jsonl", onBytes: (bytes: number) => void) => download(`/api/v1${base}/export${query({ ...filtersOf(search), format })}`, onBytes),
  };
}

/** Heads come oldest first, one an hour at most. */
async function newestHead(base: string): Promise<AuditHead | null> {
  let after: string | null = null;
  let newest: AuditHead | null = null;
  do {
    const page: { heads: readonly AuditHead[]; next: string | null } = await call("GET", `${base}/heads${query({ after, limit: 200 })}`);
    newest = page.heads.at(-1) ?? newest;
    after = page.next;
  } while (after !== null);
  return newest;
}

async function download(url: string, onBytes: (bytes: number) => void): Promise<Blob> {
  const response = await fetch(url, { credentials: "same-origin" });
  if (!response.ok || response.body === null) {
    const body = (await response.json().catch(() => ({}))) as Partial<ApiError>;
    throw new ApiError(response.status, body.code ?? "unavailable", body.message ?? "The export could not be made.", null, null, body.methods ?? []);
  }
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let bytes = 0;
  const reader = response.body.getReader();
  for (let { done, value } = await reader.read(); !done; { done, value } = await reader.read()) {
    if (value === undefined) continue;
    parts.push(value);
    bytes += value.byteLength;
    onBytes(bytes);
  }
  return new Blob(parts, { type: response.headers.get("content-type") ?? "text/plain" });
}
