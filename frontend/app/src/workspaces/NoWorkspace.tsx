/** For whoever is signed in and in no workspace: make one, join one, take a deleted one back, or wait to be invited. */
import { useState } from "react";
import { useLoaded } from "../account/useLoaded";
import { EntryPage } from "../entry/EntryPage";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { DeletedWorkspaces } from "../people/Deletion";
import "../people/people.css";
import { ACCOUNT, Link } from "../router";
import { Button } from "../ui/basics";
import { TextField } from "../ui/field";
import { showError } from "../ui/toasts";
import { workspaceCalls } from "./calls";

interface NoWorkspaceProps {
  readonly email: string;
  readonly onJoined: () => Promise<void>;
  readonly signOut: () => void;
}

export function NoWorkspace({ email, onJoined, signOut }: NoWorkspaceProps) {
  const [name, setName] = useState("");
  const { value } = useLoaded(workspaceCalls.mine);
  const form = useForm(["name"], async () => {
    await workspaceCalls.make(name.trim());
    await onJoined();
  });
  const join = (id: number): void => void workspaceCalls.join(id).then(onJoined, showError);
  return (
    <EntryPage title="You are in no workspace yet" text={<>Ask a colleague to invite <strong>{email}</strong>, or make a workspace of your own.</>}>
      {value !== null && value.joinable.length > 0 && (
        <ul className="cards-list" aria-label="Workspaces of your company">
          {value.joinable.map((one) => (
            <li key={one.workspace_id} className="people-line">
              <span className="people-words"><strong>{one.workspace_name}</strong><span>Open to your address</span></span>
              <Button look="primary" onClick={() => join(one.workspace_id)}>Join</Button>
            </li>
          ))}
        </ul>
      )}
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name of the workspace" placeholder="Northwind Support" autoComplete="organization" required maxLength={100} value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
        <FormFoot form={form} label="Make a workspace" />
      </form>
      <DeletedWorkspaces />
      <p className="entry-foot"><Link to={ACCOUNT}>Your account</Link> · <button type="button" className="link" onClick={signOut}>Sign out</button></p>
    </EntryPage>
  );
}
