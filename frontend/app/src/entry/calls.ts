/** The calls of the pages before one is signed in. */
import { call } from "../api";
import type { ProofMethod, SessionAnswer } from "../api";
import type { PasskeyAnswer, PasskeyOptions } from "../lib/passkey";
import type { Role } from "../types.gen";

export interface InvitationPreview {
  readonly workspace_name: string;
  readonly inviter_name: string;
  readonly email: string;
  readonly role: Role;
  readonly role_name: string;
  readonly expires_at: string;
  readonly has_login: boolean;
}

type Shown = { readonly method: ProofMethod; readonly code: string } | { readonly method: "passkey"; readonly assertion: PasskeyAnswer };

export const entryApi = {
  mayRegister: () => call<{ is_open: boolean }>("GET", "/registrations"),
  register: (form: { email: string; name: string; locale: string }) => call<{ email: string }>("POST", "/registrations", form),
  verify: (token: string, password: string) => call<SessionAnswer>("POST", "/email-verifications", { token, password }),
  askForReset: (email: string) => call<{ email: string }>("POST", "/password-resets", { email }),
  passkeyOptions: () => call<{ ceremony: string; options: PasskeyOptions }>("POST", "/session/passkey/options"),
  passkeySignIn: (ceremony: string, assertion: PasskeyAnswer) => call<SessionAnswer>("POST", "/session/passkey", { ceremony, assertion }),
  factorOptions: (challenge: string) => call<{ options: PasskeyOptions }>("POST", "/session/second-factor/options", { challenge }),
  showFactor: (challenge: string, shown: Shown) => call<SessionAnswer>("POST", "/session/second-factor", { challenge, ...shown }),
  invitation: (token: string) => call<InvitationPreview>("GET", "/invitation", undefined, { "X-Invitation-Token": token }),
  confirmAddress: (token: string) => call<{ email: string }>("POST", "/address-changes/confirm", { token }),
  stopAddressChange: (token: string) => call<{ email: string }>("POST", "/address-changes/stop", { token }),
  accept: (form: { token: string; name?: string; password?: string }) => call<SessionAnswer>("POST", "/invitations/accept", form),
};
