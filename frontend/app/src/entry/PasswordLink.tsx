/** Where a one-time link leads: join a workspace, or choose a new password. */
import { useState } from "react";
import { ApiError, accountApi } from "../api";
import type { SessionAnswer } from "../api";
import { Link, navigate } from "../router";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { SecondFactor, halfDone } from "./SecondFactor";
import type { HalfDone } from "./SecondFactor";
import { useForm } from "./useForm";

interface PasswordLinkProps {
  readonly purpose: "join" | "reset";
  readonly token: string;
  readonly onDone: (session: SessionAnswer) => void;
}

export function PasswordLink({ purpose, token, onDone }: PasswordLinkProps) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const [half, setHalf] = useState<HalfDone | null>(null);
  const joining = purpose === "join";
  const form = useForm(["name", "password"], async () => {
    try {
      onDone(await accountApi.redeemLink({ token, password, ...(joining ? { name } : {}) }));
    } catch (error) {
      const rest = error instanceof ApiError ? halfDone(error) : null;
      if (rest === null) throw error;
      setHalf(rest);
    }
  });
  if (half !== null) return <SecondFactor half={half} onDone={onDone} onBack={() => navigate({ page: "sign-in" })} />;
  if (token === "") return <BadLink />;
  return (
    <EntryPage title={joining ? "Join your team" : "Choose a new password"} text={joining ? "Tell your team who you are and choose a password." : "You will be signed in right away. The link works once."}>
      <form className="form" onSubmit={form.onSubmit}>
        {joining && <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />}
        <TextField label="Password" type="password" name="password" autoComplete="new-password" required help="Three or four words make a good one." value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        <FormFoot form={form} label={joining ? "Join" : "Save and sign in"} />
      </form>
    </EntryPage>
  );
}

/** What a link whose end was cut off gets. */
export function BadLink() {
  return (
    <EntryPage title="This link is not complete" text="Open it again from where you got it, or ask an owner for a new one.">
      <p className="entry-foot"><Link to={{ page: "sign-in" }}>Sign in</Link></p>
    </EntryPage>
  );
}
