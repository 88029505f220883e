/** Sign-in with e-mail and password. */
import { useState } from "react";
import { accountApi } from "../api";
import type { SessionAnswer } from "../api";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { useForm } from "./useForm";

export function SignIn({ onDone }: { readonly onDone: (session: SessionAnswer) => void }) {
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(["email", "password"], async () => onDone(await accountApi.signIn(email, password)));
  return (
    <EntryPage title="Sign in">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="E-mail" type="email" name="email" autoComplete="username" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <TextField label="Password" type="password" name="password" autoComplete="current-password" required value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Sign in</Button>
      </form>
      <p className="entry-foot">Forgot your password? Ask an owner for a reset link.</p>
    </EntryPage>
  );
}
