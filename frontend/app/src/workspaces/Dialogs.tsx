/** Making a workspace, and leaving one with one's open conversations handed over. */
import { useState } from "react";
import { ApiError } from "../api";
import { useFeed, useSignedIn } from "../context";
import { memberName } from "../lib/names";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { FieldNote, TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import { workspaceCalls } from "./calls";
import type { HandOver } from "./calls";
import type { Asking } from "./Switcher";

interface DialogsProps {
  readonly asking: Exclude<Asking, null>;
  readonly onClose: () => void;
}

export const Dialogs = ({ asking, onClose }: DialogsProps) => (asking === "new" ? <NewWorkspace onClose={onClose} /> : <Leave onClose={onClose} />);

/** Keeps what the hub said to a refused form. */
function useAsk(): { busy: boolean; refusal: string; ask: (work: () => Promise<void>) => void } {
  const [busy, setBusy] = useState(false);
  const [refusal, setRefusal] = useState("");
  const ask = (work: () => Promise<void>): void => {
    setBusy(true);
    setRefusal("");
    work().catch((error: unknown) => {
      setRefusal(error instanceof ApiError ? error.message : "That did not work. Try again.");
      setBusy(false);
    });
  };
  return { busy, refusal, ask };
}

function NewWorkspace({ onClose }: { readonly onClose: () => void }) {
  const { reloadSession, switchWorkspace } = useSignedIn();
  const [name, setName] = useState("");
  const { busy, refusal, ask } = useAsk();
  const make = (): void => ask(async () => {
    const { membership } = await workspaceCalls.make(name.trim());
    await reloadSession();
    onClose();
    switchWorkspace(membership.workspace_id);
  });
  return (
    <Dialog title="New workspace" onClose={onClose}>
      <form className="form" onSubmit={(event) => { event.preventDefault(); make(); }}>
        <TextField label="Name" value={name} maxLength={200} required autoComplete="organization" problem={refusal}
          help="With inboxes, members and channels of its own. You own it." onChange={(event) => setName(event.target.value)} />
        <footer className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button look="primary" type="submit" busy={busy} disabled={name.trim() === ""}>Make workspace</Button>
        </footer>
      </form>
    </Dialog>
  );
}

function Leave({ onClose }: { readonly onClose: () => void }) {
  const { client, session, reloadSession, switchWorkspace } = useSignedIn();
  const { name, members, teams, me } = { name: useFeed((state) => state.workspace.name), members: useFeed((state) => state.members), teams: useFeed((state) => state.teams), me: useFeed((state) => state.me) };
  const [heir, setHeir] = useState("nobody");
  const { busy, refusal, ask } = useAsk();
  const leave = (): void => ask(async () => {
    // The hub closes the sockets of who left as it does of who was signed out: ours must not take it for that.
    client.stop();
    await workspaceCalls.leave(client.workspaceId, toHandOver(heir)).catch((error: unknown) => {
      client.start();
      throw error;
    });
    const next = session.workspaces.find((one) => one.workspace_id !== client.workspaceId);
    await reloadSession();
    onClose();
    if (next !== undefined) switchWorkspace(next.workspace_id);
    showToast(`You left ${name}`);
  });
  return (
    <Dialog title={`Leave ${name}`} onClose={onClose} footer={<><Button onClick={onClose}>Cancel</Button><Button look="danger" busy={busy} onClick={leave}>Leave workspace</Button></>}>
      <div className="form">
        <p className="dialog-text">You see nothing of it any more, until somebody invites you again. What you wrote stays.</p>
        <div className="field">
          <label className="field-label" htmlFor="leave-heir">Your open conversations go to</label>
          <select id="leave-heir" className="input" value={heir} onChange={(event) => setHeir(event.target.value)} aria-describedby="leave-note">
            <option value="nobody">Nobody: they become unassigned</option>
            {Object.values(teams).map((team) => <option key={team.id} value={`team/${team.id}`}>Team {team.name}</option>)}
            {Object.values(members).filter((one) => one.active && one.id !== me.id).map((one) => <option key={one.id} value={`member/${one.id}`}>{memberName(one)}</option>)}
          </select>
          <FieldNote id="leave-note" help="" problem={refusal} />
        </div>
      </div>
    </Dialog>
  );
}

function toHandOver(heir: string): HandOver {
  const [to = "", id = ""] = heir.split("/");
  return to === "member" || to === "team" ? { to, id } : { to: "nobody" };
}
