/** Where the link of a new account leads. Opening it uses nothing up: the button does. */
import { useState } from "react";
import type { SessionAnswer } from "../api";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { BadLink } from "./PasswordLink";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

export function Verify({ token, onDone }: { readonly token: string; readonly onDone: (session: SessionAnswer) => void }) {
  const [password, setPassword] = useState("");
  const form = useForm(["password"], async () => onDone(await entryApi.verify(token, password)));
  if (token === "") return <BadLink />;
  return (
    <EntryPage title="Choose a password" text="Then your account is made and you are signed in.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Password" type="password" name="password" autoComplete="new-password" required help="Three or four words make a good one." value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        <FormFoot form={form} label="Make my account" />
      </form>
    </EntryPage>
  );
}
