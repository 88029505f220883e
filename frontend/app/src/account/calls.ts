/** The calls of one's own account: profile, factors, sign-ins, proofs. */
import { call } from "../api";
import type { ProofMethod } from "../api";
import type { PasskeyAnswer, PasskeyOptions } from "../lib/passkey";
import type { Uuid } from "../types.gen";

export interface Profile {
  readonly name: string;
  readonly email: string;
  readonly locale: string;
  readonly time_zone: string;
  readonly avatar: string;
}

export interface Passkey {
  readonly id: Uuid;
  readonly name: string;
  readonly backed_up: boolean;
  readonly created_at: string;
  readonly last_used_at: string | null;
}

export interface Factors {
  readonly totp_since: string | null;
  readonly passkeys: readonly Passkey[];
  readonly recovery_codes_left: number;
  readonly proved_until: string;
  readonly methods: readonly ProofMethod[];
}

export interface SignInRow {
  readonly id: Uuid;
  readonly created_at: string;
  readonly used_at: string;
  readonly expires_at: string;
  readonly user_agent: string;
  readonly address: string;
  readonly is_this: boolean;
}

export type Proof = { readonly password: string } | { readonly code: string } | { readonly assertion: PasskeyAnswer };
type Codes = { readonly recovery_codes: readonly string[] };

export const ownApi = {
  profile: () => call<{ profile: Profile }>("GET", "/profile"),
  changeProfile: (change: Partial<Pick<Profile, "name" | "locale" | "time_zone">>) => call<{ profile: Profile }>("PATCH", "/profile", change),
  setPicture: (picture: Blob) => call<{ profile: Profile }>("PUT", "/profile/avatar", picture),
  removePicture: () => call<{ profile: Profile }>("DELETE", "/profile/avatar"),
  changeAddress: (email: string) => call<{ email: string }>("POST", "/address-changes", { email }),
  changePassword: (old: string, next: string) => call<{ ended: number }>("PUT", "/password", { old, new: next }),
  factors: () => call<Factors>("GET", "/factors"),
  beginTotp: () => call<{ secret: string; otpauth_url: string }>("POST", "/factors/totp"),
  confirmTotp: (code: string) => call<Codes>("POST", "/factors/totp/confirm", { code }),
  removeTotp: () => call<void>("DELETE", "/factors/totp"),
  renewCodes: () => call<Codes>("POST", "/factors/recovery-codes"),
  passkeyOptions: () => call<{ options: PasskeyOptions }>("POST", "/passkeys/options"),
  addPasskey: (name: string, attestation: PasskeyAnswer) => call<Codes & { passkey: Passkey }>("POST", "/passkeys", { name, attestation }),
  renamePasskey: (id: Uuid, name: string) => call<void>("PATCH", `/passkeys/${id}`, { name }),
  removePasskey: (id: Uuid) => call<void>("DELETE", `/passkeys/${id}`),
  sessions: () => call<{ sessions: readonly SignInRow[] }>("GET", "/sessions"),
  endSession: (id: Uuid) => call<void>("DELETE", `/sessions/${id}`),
  endOthers: () => call<{ ended: number }>("DELETE", "/sessions"),
  proofOptions: () => call<{ options: PasskeyOptions }>("POST", "/session/proof/options"),
  prove: (proof: Proof) => call<{ proved_until: string }>("POST", "/session/proof", proof),
};
