/** The end of a workspace: deleted by typing its name, and for thirty days taken back. */
import { useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import { calendarDay } from "../lib/time";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { deletedWorkspaces, restoreWorkspace } from "./calls";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

export function Deletion() {
  const name = useFeed((state) => state.workspace.name);
  const [asking, setAsking] = useState(false);
  return (
    <>
      <section className="people-card people-danger" aria-labelledby="deletion">
        <h2 id="deletion">Delete this workspace</h2>
        <p>It closes to everybody at once. For 30 days any of its owners can take it back; after that all of it is erased.</p>
        <div className="people-acts"><Button look="danger" icon="trash" onClick={() => setAsking(true)}>Delete workspace</Button></div>
      </section>
      <DeletedWorkspaces />
      {asking && <DeletionDialog name={name} onClose={() => setAsking(false)} />}
    </>
  );
}

function DeletionDialog({ name, onClose }: { readonly name: string; readonly onClose: () => void }) {
  const calls = usePeopleCalls();
  const withProof = useStepUp();
  const [typed, setTyped] = useState("");
  const form = useForm(["name"], async () => {
    await withProof(() => calls.remove(typed));
    // Its sockets are closed now: begin anew, where the other workspaces are.
    window.location.assign("/");
  });
  return (
    <Dialog title={`Delete ${name}?`} onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label={`Type ${name} to go on`} value={typed} required autoComplete="off" onChange={(event) => setTyped(event.target.value)} problem={form.problemOf("name") || form.general} />
        <footer className="dialog-foot"><Button onClick={onClose}>Cancel</Button><Button type="submit" look="danger" busy={form.busy} disabled={typed !== name}>Delete workspace</Button></footer>
      </form>
    </Dialog>
  );
}

/** Workspaces the signed-in person owns and can still take back; nothing where there is none. Needs no workspace. */
export function DeletedWorkspaces() {
  const { answer, reload } = useAsked(deletedWorkspaces);
  const { busy, act } = useAct();
  if (answer === null || answer.deleted.length === 0) return null;
  const restore = async (id: number, name: string): Promise<void> => {
    if (await act(() => restoreWorkspace(id), `${name} is back. Find it in the switcher.`)) reload();
  };
  return (
    <section className="people-card" aria-labelledby="deleted-workspaces">
      <h2 id="deleted-workspaces">Deleted workspaces of yours</h2>
      <ul className="cards-list">
        {answer.deleted.map((one) => (
          <li key={one.workspace_id} className="people-line">
            <span className="people-words"><strong>{one.workspace_name}</strong><span>Deleted {calendarDay(one.deleted_at)}, erased {calendarDay(one.erased_at)}</span></span>
            <Button icon="refresh" busy={busy} onClick={() => void restore(one.workspace_id, one.workspace_name)}>Take back</Button>
          </li>
        ))}
      </ul>
    </section>
  );
}
