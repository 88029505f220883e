/** Sign-in: with e-mail and password and then a second factor where one has one, or by passkey alone. */
import { useCallback, useEffect, useState } from "react";
import { ApiError, accountApi } from "../api";
import type { ProofMethod, SessionAnswer } from "../api";
import { hasPasskeys, signWithPasskey } from "../lib/passkey";
import { Link } from "../router";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { Issuers } from "./Issuers";
import { SecondFactor, halfDone } from "./SecondFactor";
import type { HalfDone } from "./SecondFactor";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

export function SignIn({ onDone }: { readonly onDone: (session: SessionAnswer) => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [half, setHalf] = useState<HalfDone | null>(null);
  const askForFactor = useCallback((challenge: string, methods: readonly ProofMethod[]) => setHalf({ challenge, methods }), []);
  const [mayRegister, setMayRegister] = useState(false);
  useEffect(() => {
    entryApi.mayRegister().then((answer) => setMayRegister(answer.is_open), () => undefined);
  }, []);
  const form = useForm(["email", "password"], async () => {
    try {
      onDone(await accountApi.signIn(email, password));
    } catch (error) {
      const rest = error instanceof ApiError ? halfDone(error) : null;
      if (rest === null) throw error;
      setHalf(rest);
    }
  });
  if (half !== null) return <SecondFactor half={half} onDone={onDone} onBack={() => { setHalf(null); setPassword(""); }} />;
  return (
    <EntryPage title="Sign in">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="E-mail" type="email" name="email" autoComplete="username webauthn" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <TextField label="Password" type="password" name="password" autoComplete="current-password" required value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        <FormFoot form={form} label="Sign in" />
      </form>
      {hasPasskeys() && <ByPasskey onDone={onDone} />}
      <Issuers onDone={onDone} onChallenge={askForFactor} />
      <p className="entry-foot">
        <Link to={{ page: "forgot" }}>Forgot your password?</Link>
        {mayRegister && <> New here? <Link to={{ page: "sign-up" }}>Make an account</Link></>}
      </p>
    </EntryPage>
  );
}

function ByPasskey({ onDone }: { readonly onDone: (session: SessionAnswer) => void }) {
  const form = useForm([], async () => {
    const { ceremony, options } = await entryApi.passkeyOptions();
    onDone(await entryApi.passkeySignIn(ceremony, await signWithPasskey(options)));
  });
  return <form className="form entry-second" onSubmit={form.onSubmit}><FormFoot form={form} label="Continue with a passkey" look="quiet" /></form>;
}
