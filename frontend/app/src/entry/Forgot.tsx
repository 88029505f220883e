/** Asks for a link to choose a new password; the answer never tells whether an address is known. */
import { useState } from "react";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { Sent } from "./Sent";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

export function Forgot() {
  const [email, setEmail] = useState("");
  const [sentTo, setSentTo] = useState<string | null>(null);
  const form = useForm(["email"], async () => setSentTo((await entryApi.askForReset(email)).email));
  if (sentTo !== null) {
    return <Sent email={sentTo} onAgain={() => setSentTo(null)}>If there is an account at this address, a link to choose a new password is on its way. It works once, for 30 minutes.</Sent>;
  }
  return (
    <EntryPage title="Forgot your password?" text="Tell us your address. We send a link with which you choose a new one.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="E-mail" type="email" name="email" autoComplete="username" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Send the link</Button>
      </form>
      <p className="entry-foot"><Link to={{ page: "sign-in" }}>Back to sign-in</Link></p>
    </EntryPage>
  );
}
