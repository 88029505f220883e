/** Signing in at a channel's vendor, and how an account does (api/connecting.py, api/account_health.py). */
import { call } from "../api";
import type { AccountHealth, AttemptState, SignInView, Uuid } from "../types.gen";

export interface SignInForm {
  readonly channel: string;
  readonly name?: string;
  readonly credentials?: Readonly<Record<string, string>>;
  readonly settings?: Readonly<Record<string, string>>;
  /** The account to sign in again; without it a new one is connected. */
  readonly account_id?: Uuid;
}

/** What the vendor's way back left behind the #: an attempt to ask about, or that there is none. */
export type Returned = { readonly attempt: Uuid; readonly workspace: number } | "expired" | null;

export const EXPIRED = "This sign-in took too long, was used already, or was begun in another browser. Begin again.";

const base = (workspaceId: number): string => `/workspaces/${workspaceId}/channel-accounts`;

export const readHealth = (workspaceId: number, id: Uuid) => call<AccountHealth>("GET", `${base(workspaceId)}/${id}/health`);
export const readAttempt = (workspaceId: number, id: Uuid) => call<AttemptState>("GET", `${base(workspaceId)}/oauth/${id}`);

/** Leaves the app for the vendor's page; comes back by way of the hub. */
export async function goToVendor(workspaceId: number, form: SignInForm): Promise<void> {
  const { authorize_url } = await call<SignInView>("POST", `${base(workspaceId)}/oauth`, form);
  window.location.assign(authorize_url);
}

/** Reads what stands behind the #. */
export function parseReturned(hash: string): Returned {
  const told = new URLSearchParams(hash.slice(1));
  const attempt = told.get("connect");
  if (attempt === null) return null;
  const workspace = Number(told.get("workspace"));
  return /^[0-9a-f-]{36}$/.test(attempt) && workspace > 0 ? { attempt, workspace } : "expired";
}
