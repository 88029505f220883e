/** The second step of a sign-in, after a password or a link: a passkey, a code of the app, or a recovery code. */
import { useState } from "react";
import type { ApiError, ProofMethod, SessionAnswer } from "../api";
import { hasPasskeys, signWithPasskey } from "../lib/passkey";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

const TITLES: Readonly<Record<"totp" | "recovery_code" | "passkey", readonly [string, string]>> = {
  totp: ["Enter the code", "Your authenticator app shows six digits for this hub."],
  recovery_code: ["Enter a recovery code", "One of the codes you kept when you set up the second factor. Each works once."],
  passkey: ["Use your passkey", "Your device asks for finger, face or PIN."],
};
const OTHER_WAYS: Readonly<Record<string, string>> = { totp: "Use the authenticator app", recovery_code: "Use a recovery code", passkey: "Use a passkey" };

export interface HalfDone {
  readonly challenge: string;
  readonly methods: readonly ProofMethod[];
}

/** What a refusal leaves to be shown; null where it is another refusal. */
export const halfDone = (error: ApiError): HalfDone | null =>
  (error.code === "second_factor_required" && error.challenge !== null ? { challenge: error.challenge, methods: error.methods } : null);

interface SecondFactorProps {
  readonly half: HalfDone;
  readonly onDone: (session: SessionAnswer) => void;
  readonly onBack: () => void;
}

export function SecondFactor({ half, onDone, onBack }: SecondFactorProps) {
  const ways = (["passkey", "totp", "recovery_code"] as const).filter((one) => half.methods.includes(one) && (one !== "passkey" || hasPasskeys()));
  const [way, setWay] = useState(ways[0] ?? "recovery_code");
  const [title, text] = TITLES[way];
  return (
    <EntryPage title={title} text={text}>
      {way === "passkey" ? <ByPasskey half={half} onDone={onDone} /> : <ByCode key={way} method={way} half={half} onDone={onDone} />}
      <div className="entry-others">
        {ways.filter((one) => one !== way).map((one) => <Button key={one} look="ghost" onClick={() => setWay(one)}>{OTHER_WAYS[one]}</Button>)}
        <Button look="ghost" onClick={onBack}>Start again</Button>
      </div>
    </EntryPage>
  );
}

function ByPasskey({ half, onDone }: Omit<SecondFactorProps, "onBack">) {
  const form = useForm([], async () => {
    const { options } = await entryApi.factorOptions(half.challenge);
    onDone(await entryApi.showFactor(half.challenge, { method: "passkey", assertion: await signWithPasskey(options) }));
  });
  return <form className="form" onSubmit={form.onSubmit}><FormFoot form={form} label="Use a passkey" /></form>;
}

function ByCode({ method, half, onDone }: Omit<SecondFactorProps, "onBack"> & { readonly method: "totp" | "recovery_code" }) {
  const [code, setCode] = useState("");
  const form = useForm(["code"], async () => onDone(await entryApi.showFactor(half.challenge, { method, code: code.trim() })));
  return (
    <form className="form" onSubmit={form.onSubmit}>
      {/* The page is this one question. */}
      {/* oxlint-disable-next-line jsx-a11y/no-autofocus */}
      <TextField autoFocus label={method === "totp" ? "Code" : "Recovery code"} name="code" autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} maxLength={64} required
        inputMode={method === "totp" ? "numeric" : "text"} value={code} problem={form.problemOf("code")} onChange={(event) => setCode(event.target.value)} />
      <FormFoot form={form} label="Sign in" />
    </form>
  );
}
