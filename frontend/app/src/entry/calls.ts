/** Calls of the screens before the inbox: accounts, links, second factors. */
import { call } from "../api";
import type { SessionAnswer } from "../api";
import type { Offer } from "../types.gen";

type Json = Readonly<Record<string, unknown>>;

export const entryApi = {
  signUpState: () => call<{ is_open: boolean }>("GET", "/registrations"),
  signUp: (form: { email: string; name: string; locale: string }) => call<{ email: string }>("POST", "/registrations", form),
  verify: (form: { token: string; password: string }) => call<SessionAnswer>("POST", "/email-verifications", form),
  askForReset: (email: string) => call<{ email: string }>("POST", "/password-resets", { email }),
  preview: (token: string) => call<Offer>("GET", "/invitation", undefined, { "X-Invitation-Token": token }),
  accept: (form: { token: string; password?: string; name?: string }) => call<SessionAnswer>("POST", "/invitations/accept", form),
  secondFactor: (form: { challenge: string; method: string; code?: string; assertion?: Json }) =>
    call<SessionAnswer>("POST", "/session/second-factor", form),
  secondFactorOptions: (challenge: string) => call<{ options: Json }>("POST", "/session/second-factor/options", { challenge }),
  passkeyOptions: () => call<{ ceremony: string; options: Json }>("POST", "/session/passkey/options", {}),
  passkey: (ceremony: string, assertion: Json) => call<SessionAnswer>("POST", "/session/passkey", { ceremony, assertion }),
};
