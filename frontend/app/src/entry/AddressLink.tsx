/** Where the two mails about another address lead: one makes the change, one stops it. Opening uses nothing up. */
import { useState } from "react";
import { Link } from "../router";
import { Button } from "../ui/basics";
import { EntryPage } from "./EntryPage";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

const WORDS = {
  "change-address": {
    title: "Use this address from now on?", text: "You will sign in with it. Everybody who is signed in to your account elsewhere is signed out.",
    button: "Use this address", done: "This is your address now", after: "Sign in with",
  },
  "stop-address-change": {
    title: "Keep your old address?", text: "Stop the change, or take it back. Everybody is signed out of your account, whoever asked for it too; choose a new password next.",
    button: "Keep my old address", done: "Your old address stays", after: "If it was not you who asked for the change, choose a new password for",
  },
} as const;

export function AddressLink({ purpose, token }: { readonly purpose: keyof typeof WORDS; readonly token: string }) {
  const [email, setEmail] = useState<string | null>(null);
  const words = WORDS[purpose];
  const form = useForm([], async () => {
    setEmail((await (purpose === "change-address" ? entryApi.confirmAddress(token) : entryApi.stopAddressChange(token))).email);
  });
  if (token === "") return <EntryPage title="This link is not complete" text="Open it again from your mail."><Foot /></EntryPage>;
  if (email !== null) {
    return (
      <EntryPage title={words.done} text={<>{words.after} <strong>{email}</strong>.</>}>
        <p className="entry-foot"><Link to={{ page: purpose === "change-address" ? "sign-in" : "forgot" }}>{purpose === "change-address" ? "Sign in" : "Choose a new password"}</Link></p>
      </EntryPage>
    );
  }
  return (
    <EntryPage title={words.title} text={words.text}>
      <form className="form" onSubmit={form.onSubmit}>
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>{words.button}</Button>
      </form>
      <Foot />
    </EntryPage>
  );
}

const Foot = () => <p className="entry-foot"><Link to={{ page: "sign-in" }}>Go to sign-in</Link></p>;
