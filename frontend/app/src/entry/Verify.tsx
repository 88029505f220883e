/** Where the link of a sign-up leads. Opening the page uses nothing up: mail scanners open links, too. */
import { useState } from "react";
import type { SessionAnswer } from "../api";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

export function Verify({ token, onDone }: { readonly token: string; readonly onDone: (session: SessionAnswer) => void }) {
  const [password, setPassword] = useState("");
  const form = useForm(["password"], async () => onDone(await entryApi.verify({ token, password })));
  if (token === "") {
    return (
      <EntryPage title="This link is not complete" text="Open it again from your mail, or sign up once more.">
        <p className="entry-foot"><Link to={{ page: "sign-up" }}>Sign up</Link></p>
      </EntryPage>
    );
  }
  return (
    <EntryPage title="Choose your password" text="This is your address, then. One more step, and your account is made.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Password" type="password" name="password" autoComplete="new-password" required help="Long is good: a few words that do not belong together."
          value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Make my account</Button>
      </form>
      <p className="entry-foot"><Link to={{ page: "sign-in" }}>Back to sign-in</Link></p>
    </EntryPage>
  );
}
