/** Where one asks for a mail: a new account, or a new password. The answer is the same whoever asks. */
import { useEffect, useState } from "react";
import { INBOX, Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

const ToSignIn = ({ children }: { readonly children?: string }) => <p className="entry-foot">{children} <Link to={{ page: "sign-in" }}>Sign in</Link></p>;

export function SignUp() {
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  const [sentTo, setSentTo] = useState("");
  const [isOpen, setOpen] = useState(true);
  useEffect(() => {
    entryApi.mayRegister().then((answer) => setOpen(answer.is_open), () => undefined);
  }, []);
  const form = useForm(["name", "email"], async () => setSentTo((await entryApi.register({ email, name, locale: navigator.language })).email));
  if (!isOpen) {
    return <EntryPage title="By invitation only" text="Nobody can sign up here by themselves. Ask somebody of your team to invite you."><ToSignIn>Have an account?</ToSignIn></EntryPage>;
  }
  if (sentTo !== "") return <LookIntoMail email={sentTo} text="Open the link in it to choose a password. It works for a day." onAgain={() => setSentTo("")} />;
  return (
    <EntryPage title="Make an account" text="We send a link to your mailbox; there you choose a password.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
        <TextField label="E-mail" type="email" name="email" autoComplete="username" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <FormFoot form={form} label="Send the link" />
      </form>
      <ToSignIn>Have an account?</ToSignIn>
    </EntryPage>
  );
}

export function Forgot() {
  const [email, setEmail] = useState("");
  const [sentTo, setSentTo] = useState("");
  const form = useForm(["email"], async () => setSentTo((await entryApi.askForReset(email)).email));
  if (sentTo !== "") return <LookIntoMail email={sentTo} text="If there is an account at this address, the mail has a link to choose a new password. It works once, for half an hour." onAgain={() => setSentTo("")} />;
  return (
    <EntryPage title="Forgot your password?" text="We send you a link to choose a new one.">
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="E-mail" type="email" name="email" autoComplete="username" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <FormFoot form={form} label="Send the link" />
      </form>
      <ToSignIn>Remembered it?</ToSignIn>
    </EntryPage>
  );
}

/** For somebody who comes to a page of the signed-out while they are signed in: an old link, or a shared computer. */
export function SignedInAlready({ email, onSignOut }: { readonly email: string; readonly onSignOut: () => void }) {
  return (
    <EntryPage title="You are signed in" text={<>As <strong>{email}</strong>. To sign in as somebody else, or to make another account, sign out first.</>}>
      <div className="entry-way"><Button look="primary" onClick={onSignOut}>Sign out and go on</Button></div>
      <p className="entry-foot"><Link to={INBOX}>Go to the inbox</Link></p>
    </EntryPage>
  );
}

function LookIntoMail({ email, text, onAgain }: { readonly email: string; readonly text: string; readonly onAgain: () => void }) {
  return (
    <EntryPage title="Look into your mail" text={<>We wrote to <strong>{email}</strong>. {text}</>}>
      <div className="entry-others"><Button look="ghost" onClick={onAgain}>Nothing came? Try again</Button></div>
      <ToSignIn />
    </EntryPage>
  );
}
