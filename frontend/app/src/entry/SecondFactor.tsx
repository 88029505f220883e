/** The second half of a sign-in: a code of the authenticator app, a recovery code, or a passkey. */
import { useState } from "react";
import { ApiError } from "../api";
import type { SessionAnswer } from "../api";
import { knowsPasskeys, sign } from "../lib/passkey";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

const WAYS = {
  totp: { title: "Enter your code", text: "Open your authenticator app and type the six digits it shows.", label: "Code", other: "Use your authenticator app" },
  recovery_code: { title: "Enter a recovery code", text: "One of the ten codes you kept when you set up your second factor. Each works once.", label: "Recovery code", other: "Use a recovery code" },
  passkey: { title: "Use your passkey", text: "Your device asks for your finger, face or PIN.", label: "", other: "Use a passkey" },
} as const;
type Way = keyof typeof WAYS;

interface SecondFactorProps {
  readonly challenge: string;
  readonly methods: readonly string[];
  readonly onDone: (session: SessionAnswer) => void;
  /** The half sign-in has run out, or they want another account. */
  readonly onBack: (words: string) => void;
}

export function SecondFactor({ challenge, methods, onDone, onBack }: SecondFactorProps) {
  const offered = (Object.keys(WAYS) as Way[]).filter((one) => methods.includes(one) && (one !== "passkey" || knowsPasskeys()));
  const [way, setWay] = useState<Way>(offered.includes("passkey") ? "passkey" : offered[0] ?? "totp");
  const [code, setCode] = useState("");
  const form = useForm(["code"], async () => {
    try {
      if (way === "passkey") {
        const { options } = await entryApi.secondFactorOptions(challenge);
        return onDone(await entryApi.secondFactor({ challenge, method: way, assertion: await sign(options) }));
      }
      onDone(await entryApi.secondFactor({ challenge, method: way, code: code.trim() }));
    } catch (error) {
      if (error instanceof ApiError && error.field === "challenge") return onBack(error.message);
      throw error;
    }
  });
  const { title, text, label } = WAYS[way];
  return (
    <EntryPage title={title} text={text}>
      <form key={way} className="form" onSubmit={form.onSubmit}>
        {way !== "passkey" && (
          // oxlint-disable-next-line jsx-a11y/no-autofocus  the page has this one input, and the person just pressed Enter for it
          <TextField label={label} name="code" autoFocus autoComplete="one-time-code" inputMode={way === "totp" ? "numeric" : "text"} required maxLength={40}
            value={code} problem={form.problemOf("code")} onChange={(event) => setCode(event.target.value)} />
        )}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>{way === "passkey" ? "Continue with passkey" : "Sign in"}</Button>
      </form>
      <ul className="entry-ways">
        {offered.filter((one) => one !== way).map((one) => (
          <li key={one}><button type="button" className="link" onClick={() => { setCode(""); setWay(one); }}>{WAYS[one].other}</button></li>
        ))}
        <li><button type="button" className="link" onClick={() => onBack("")}>Back to sign-in</button></li>
      </ul>
    </EntryPage>
  );
}
