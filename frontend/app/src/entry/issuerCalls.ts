/** Signing in by way of an issuer: its calls, what a browser comes back with, and words for what went wrong. */
import { call } from "../api";
import type { ProofMethod, SessionAnswer } from "../api";

export interface IssuerButton {
  readonly slug: string;
  readonly name: string;
}

/** What the hub put behind the # of the sign-in page; empty fields were not told. */
export interface Returned {
  readonly error: string;
  readonly issuer: string;
  /** Waits for the password of the account with the same address. */
  readonly link: string;
  /** Waits for a second factor. */
  readonly challenge: string;
  readonly methods: readonly ProofMethod[];
}

const METHODS: readonly ProofMethod[] = ["passkey", "totp", "recovery_code"];

const WORDS: Readonly<Record<string, string>> = {
  expired: "This sign-in took too long or was begun in another browser. Try again.",
  denied: "You did not agree there, so nobody was signed in.",
  issuer: "What came back could not be believed, so nobody was signed in. Try again, or sign in with your password.",
  unreachable: "The other side does not answer just now. Try again later, or sign in with your password.",
  unverified: "Your e-mail address is not confirmed there. Confirm it there first, then try again.",
  closed: "Nobody here has your address, and you cannot sign up by yourself. Ask for an invitation.",
  taken: "This account opens another login here already.",
};

export const wordsFor = (error: string): string => WORDS[error] ?? "That did not work. Try again.";

/** Reads what a browser came back with; the caller takes it out of the address. */
export function readReturned(hash: string): Returned {
  const told = new URLSearchParams(hash.replace(/^#/, ""));
  const read = (name: string): string => told.get(name) ?? "";
  return {
    error: read("error"), issuer: read("issuer"), link: read("link"), challenge: read("challenge"),
    methods: METHODS.filter((one) => read("methods").split(",").includes(one)),
  };
}

export const issuersApi = {
  list: () => call<{ issuers: readonly IssuerButton[] }>("GET", "/sign-in/issuers"),
  begin: (slug: string) => call<{ url: string }>("POST", `/sign-in/issuers/${encodeURIComponent(slug)}`),
  link: (token: string, password: string) => call<SessionAnswer>("POST", "/sign-in/links", { token, password }),
};
