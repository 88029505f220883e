/** Where the link of an invitation leads: who invites to what, then one button, or a password for whoever is new. */
import { useEffect, useState } from "react";
import { ApiError } from "../api";
import type { SessionAnswer } from "../api";
import { Link } from "../router";
import type { Offer } from "../types.gen";
import { Button, Problem } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { SignIn } from "./SignIn";
import { entryApi } from "./calls";
import { useForm } from "./useForm";

interface InvitationProps {
  readonly token: string;
  readonly signedInAs: string | null;
  readonly onDone: (session: SessionAnswer) => void;
  readonly signOut: () => Promise<void>;
}

type Found = Offer | "looking" | { readonly problem: string; readonly passing: boolean };

export function Invitation({ token, signedInAs, onDone, signOut }: InvitationProps) {
  const [found, setFound] = useState<Found>(token === "" ? { problem: "Open the link again from your mail: it is not complete.", passing: false } : "looking");
  const [asked, setAsked] = useState(0);
  useEffect(() => {
    if (token === "") return;
    entryApi.preview(token).then(setFound, (error: unknown) => {
      const passing = !(error instanceof ApiError) || error.status === 0 || error.status >= 429;
      setFound({ problem: error instanceof Error ? error.message : "The invitation could not be read.", passing });
    });
  }, [token, asked]);

  if (found === "looking") return <div className="boot" role="status" aria-label="Loading" />;
  if ("problem" in found) {
    return (
      <EntryPage title="This invitation cannot be opened" text={found.passing ? undefined : found.problem}>
        {found.passing && <Problem message={found.problem} onRetry={() => { setFound("looking"); setAsked(asked + 1); }} />}
        <p className="entry-foot"><Link to={{ page: "sign-in" }}>Go to sign-in</Link></p>
      </EntryPage>
    );
  }
  return <Accepting token={token} offer={found} signedInAs={signedInAs} onDone={onDone} signOut={signOut} />;
}

function Accepting({ token, offer, signedInAs, onDone, signOut }: InvitationProps & { readonly offer: Offer }) {
  const [signingIn, setSigningIn] = useState(false);
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const isNew = !offer.has_login;
  const form = useForm(["name", "password"], async () => onDone(await entryApi.accept({ token, ...(isNew && signedInAs === null ? { password, name } : {}) })));
  const role = offer.role_name === "" ? offer.role : offer.role_name;
  const text = <>{offer.inviter_name} invites <strong>{offer.email}</strong> to work there as {role}.</>;

  // Accepting again after the sign-in: the link is still unused.
  if (signingIn && signedInAs === null) return <SignIn onDone={async () => onDone(await entryApi.accept({ token }))} />;
  if (signedInAs !== null && signedInAs.toLowerCase() !== offer.email.toLowerCase()) {
    return (
      <EntryPage title={`Join ${offer.workspace_name}`} text={<>{text} You are signed in as <strong>{signedInAs}</strong>.</>}>
        <div className="form"><Button look="primary" onClick={() => void signOut()}>Sign out, then accept</Button></div>
      </EntryPage>
    );
  }
  const asksPassword = signedInAs === null && isNew;
  return (
    <EntryPage title={`Join ${offer.workspace_name}`} text={text}>
      <form className="form" onSubmit={signedInAs === null && !isNew ? (event) => { event.preventDefault(); setSigningIn(true); } : form.onSubmit}>
        {asksPassword && (
          <>
            <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
            <TextField label="Password" type="password" name="password" autoComplete="new-password" required help="Long is good: a few words that do not belong together."
              value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
          </>
        )}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <Button type="submit" look="primary" busy={form.busy}>{signedInAs === null && !isNew ? "Sign in to accept" : "Accept and join"}</Button>
      </form>
    </EntryPage>
  );
}
