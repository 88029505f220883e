/** Sign-in: e-mail and password, then the second factor of whoever has one; or a passkey alone. */
import { useEffect, useState } from "react";
import { ApiError, accountApi } from "../api";
import type { SessionAnswer } from "../api";
import { knowsPasskeys, sign } from "../lib/passkey";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { SecondFactor } from "./SecondFactor";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

interface Half {
  readonly challenge: string;
  readonly methods: readonly string[];
}

export function SignIn({ onDone }: { readonly onDone: (session: SessionAnswer) => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const [half, setHalf] = useState<Half | null>(null);
  const [ranOut, setRanOut] = useState("");
  const isOpen = useSignUpState();

  const form = useForm(["email", "password"], async () => {
    setRanOut("");
    try {
      onDone(await accountApi.signIn(email, password));
    } catch (error) {
      if (!(error instanceof ApiError) || error.challenge === null) throw error;
      setHalf({ challenge: error.challenge, methods: error.methods });
    }
  });
  const passkey = useForm([], async () => {
    setRanOut("");
    const { ceremony, options } = await entryApi.passkeyOptions();
    onDone(await entryApi.passkey(ceremony, await sign(options)));
  });

  if (half !== null) {
    const back = (words: string): void => {
      setHalf(null);
      setPassword("");
      setRanOut(words);
    };
    return <SecondFactor {...half} onDone={onDone} onBack={back} />;
  }
  const general = form.general || passkey.general || ranOut;
  return (
    <EntryPage title="Sign in">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="E-mail" type="email" name="email" autoComplete="username webauthn" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <TextField label="Password" type="password" name="password" autoComplete="current-password" required value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        {general !== "" && <p className="form-problem" role="alert">{general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Sign in</Button>
      </form>
      {knowsPasskeys() && (
        <form className="entry-else" onSubmit={passkey.onSubmit}><Button type="submit" busy={passkey.busy}>Use a passkey</Button></form>
      )}
      <p className="entry-foot">
        <Link to={{ page: "forgot" }}>Forgot your password?</Link>
        {isOpen && <> · <Link to={{ page: "sign-up" }}>Make an account</Link></>}
      </p>
    </EntryPage>
  );
}

function useSignUpState(): boolean {
  const [isOpen, setIsOpen] = useState(false);
  useEffect(() => {
    entryApi.signUpState().then((state) => setIsOpen(state.is_open), () => undefined);
  }, []);
  return isOpen;
}
