/** Makes an account, where everybody may: the password is chosen behind the link in the mail. */
import { useEffect, useState } from "react";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { Sent } from "./Sent";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

export function SignUp() {
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [sentTo, setSentTo] = useState<string | null>(null);
  const [closed, setClosed] = useState(false);
  useEffect(() => {
    entryApi.signUpState().then((state) => setClosed(!state.is_open), () => undefined);
  }, []);
  const form = useForm(["name", "email"], async () => {
    setSentTo((await entryApi.signUp({ name, email, locale: navigator.language })).email);
  });
  const foot = <p className="entry-foot">You have an account? <Link to={{ page: "sign-in" }}>Sign in</Link></p>;
  if (sentTo !== null) return <Sent email={sentTo} onAgain={() => setSentTo(null)}>Open the link in it to choose your password.</Sent>;
  if (closed) return <EntryPage title="Nobody can sign up here by themselves" text="Ask somebody who works here for an invitation.">{foot}</EntryPage>;
  return (
    <EntryPage title="Make an account" text="We send a link to your address. With it you choose your password.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
        <TextField label="E-mail" type="email" name="email" autoComplete="username" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>Send the link</Button>
      </form>
      {foot}
    </EntryPage>
  );
}
