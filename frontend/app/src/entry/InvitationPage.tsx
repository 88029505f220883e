/** Where the link of an invitation leads: who invites to what, and the way in for whoever holds it. */
import { useCallback, useEffect, useState } from "react";
import { ApiError } from "../api";
import type { SessionAnswer } from "../api";
import { Link } from "../router";
import { Button, Problem } from "../ui/basics";
import { TextField } from "../ui/field";
import { EntryPage } from "./EntryPage";
import { FormFoot } from "./FormFoot";
import { BadLink } from "./PasswordLink";
import { entryApi } from "./calls";
import type { InvitationPreview } from "./calls";
import { useForm } from "./useForm";

const ROLES: Readonly<Record<string, string>> = { owner: "an owner", admin: "an admin", agent: "an agent", viewer: "a viewer" };

interface InvitationProps {
  readonly token: string;
  /** The address one is signed in with; null where nobody is. */
  readonly signedInAs: string | null;
  readonly onDone: (session: SessionAnswer) => void;
  readonly onSignIn: () => void;
  readonly onSignOut: () => void;
}

export function InvitationPage(props: InvitationProps) {
  const { token } = props;
  const [found, setFound] = useState<InvitationPreview | ApiError | null>(null);
  const load = useCallback(async (): Promise<void> => {
    setFound(null);
    setFound(await entryApi.invitation(token).catch((error: unknown) => (error instanceof ApiError ? error : new ApiError(0, "internal", "That did not work."))));
  }, [token]);
  useEffect(() => {
    if (token !== "") void load();
  }, [load, token]);
  if (token === "") return <BadLink />;
  if (found === null) return <div className="boot" role="status" aria-label="Loading" />;
  if (found instanceof ApiError) {
    if (found.status === 0 || found.status >= 500 || found.status === 429) return <main className="entry"><Problem message={found.message} onRetry={() => void load()} /></main>;
    return (
      <EntryPage title="This invitation is not open" text={`${found.message} Ask whoever invited you for a new one.`}>
        <p className="entry-foot"><Link to={{ page: "sign-in" }}>Sign in</Link></p>
      </EntryPage>
    );
  }
  return <Open {...props} invitation={found} />;
}

function Open({ invitation, token, signedInAs, onDone, onSignIn, onSignOut }: InvitationProps & { readonly invitation: InvitationPreview }) {
  const { email, workspace_name, inviter_name, role, role_name, has_login } = invitation;
  const text = <>{inviter_name} invites <strong>{email}</strong> to join as {role_name === "" ? ROLES[role] : role_name}.</>;
  const way = () => {
    if (signedInAs !== null && signedInAs.toLowerCase() !== email.toLowerCase()) {
      return (
        <>
          <p className="form-problem" role="alert">You are signed in as {signedInAs}, but this invitation is for {email}.</p>
          <Button look="primary" onClick={onSignOut}>Sign out and go on</Button>
        </>
      );
    }
    if (signedInAs !== null) return <Accept token={token} onDone={onDone} />;
    if (has_login) return <Button look="primary" onClick={onSignIn}>Sign in to accept</Button>;
    return <MakeAccount token={token} onDone={onDone} />;
  };
  return <EntryPage title={`Join ${workspace_name}`} text={text}><div className="entry-way">{way()}</div></EntryPage>;
}

type Way = Pick<InvitationProps, "token" | "onDone">;

function Accept({ token, onDone }: Way) {
  const form = useForm([], async () => onDone(await entryApi.accept({ token })));
  return <form className="form" onSubmit={form.onSubmit}><FormFoot form={form} label="Accept" /></form>;
}

function MakeAccount({ token, onDone }: Way) {
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const form = useForm(["name", "password"], async () => onDone(await entryApi.accept({ token, name, password })));
  return (
    <form className="form" onSubmit={form.onSubmit}>
      <TextField label="Your name" name="name" autoComplete="name" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
      <TextField label="Password" type="password" name="password" autoComplete="new-password" required help="Three or four words make a good one." value={password} problem={form.problemOf("password")} onChange={(event) => setPassword(event.target.value)} />
      <FormFoot form={form} label="Join" />
    </form>
  );
}
