/** Where a one-time link leads: join a workspace, or choose a new password. */
import { useState } from "react";
import { accountApi } from "../api";
import type { SessionAnswer } from "../api";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { useForm } from "./useForm";

interface PasswordLinkProps {
  readonly purpose: "join" | "reset";
  readonly token: string;
  readonly onDone: (session: SessionAnswer) => void;
}

export function PasswordLink({ purpose, token, onDone }: PasswordLinkProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const joining = purpose === "join";
  const form = useForm(["name", "password"], async () => {
    onDone(await accountApi.redeemLink({ token, password, ...(joining ? { name } : {}) }));
  });
  if (token === "") {
    return (
      <EntryPage title="This link is not complete" text="Open it again from where you got it, or ask an owner for a new one.">
        <p className="entry-foot"><Link to={{ page: "sign-in" }}>Sign in</Link></p>
      </EntryPage>
    );
  }
  return (
    <EntryPage title={joining ? "Join your team" : "Choose a new password"} text={joining ? "Tell your team who you are and choose a password." : "You will be signed in right away. The link works once."}>
      <form className="form" onSubmit={form.onSubmit}>
        {joining && <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />}
        <TextField label="Password" type="password" name="password" autoComplete="new-password" required minLength={10} help="At least 10 characters." value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>{joining ? "Join" : "Save and sign in"}</Button>
      </form>
    </EntryPage>
  );
}
