/** Invites several people at once to the same role, teams and inboxes; says what became of each address. */
import { useId, useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import { may } from "../sync/state";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { FieldNote } from "../ui/field";
import { showToast } from "../ui/toasts";
import type { Invited } from "./calls";
import { Select, Ticks, standingOf, useRoleOptions } from "./parts";
import { usePeopleCalls } from "./useAct";

const WORDS: Readonly<Record<Invited["outcome"], string>> = {
  invited: "invited",
  already_member: "works here already",
  deactivated: "worked here before: reactivate them in the list instead",
  invalid: "is not an e-mail address",
  forbidden: "has an open invitation to more than you may give",
};

export function InviteDialog({ onClose, onSent }: { readonly onClose: () => void; readonly onSent: () => void }) {
  const id = useId();
  const calls = usePeopleCalls();
  const withProof = useStepUp();
  const teams = useFeed((state) => state.teams);
  const inboxes = useFeed((state) => state.inboxes);
  const mayTeams = useFeed((state) => may(state, "teams.manage"));
  const options = useRoleOptions();
  const [text, setText] = useState("");
  const [role, setRole] = useState("agent");
  const [teamIds, setTeamIds] = useState<readonly string[]>([]);
  const [inboxIds, setInboxIds] = useState<readonly string[]>([]);
  const [refused, setRefused] = useState<readonly Invited[]>([]);
  const emails = addresses(text);
  const form = useForm(["emails"], async () => {
    const { results } = await withProof(() => calls.invite({ emails, ...standingOf(role), team_ids: teamIds, inbox_ids: inboxIds }));
    const sent = results.filter((one) => one.outcome === "invited");
    const left = results.filter((one) => one.outcome !== "invited");
    if (sent.length > 0) {
      showToast(sent.length === 1 ? `${sent[0]?.email ?? ""} is invited.` : `${sent.length} people are invited.`);
      onSent();
    }
    setRefused(left);
    setText(left.map((one) => one.email).join("\n"));
    if (left.length === 0) onClose();
  });
  const problem = form.problemOf("emails");
  return (
    <Dialog title="Invite people" wide onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <div className="field">
          <label className="field-label" htmlFor={id}>E-mail addresses</label>
          <textarea id={id} className="input" rows={3} required value={text} placeholder="ana@example.com, bo@example.com" aria-describedby={`${id}-help`}
            aria-invalid={problem !== "" || undefined} onChange={(event) => setText(event.target.value)} />
          <FieldNote id={`${id}-help`} help="Up to 50, apart by spaces, commas or lines. Each gets a link that lasts seven days." problem={problem} />
        </div>
        <Select label="Role" value={role} options={options} onChange={setRole} />
        {mayTeams && Object.keys(teams).length > 0 && <Ticks legend="Teams" rows={Object.values(teams).map((one) => ({ id: one.id, label: one.name }))} chosen={teamIds} onChange={setTeamIds} />}
        {Object.values(inboxes).some((one) => one.restricted) && (
          <Ticks legend="Restricted inboxes they see" rows={Object.values(inboxes).filter((one) => one.restricted).map((one) => ({ id: one.id, label: one.name }))} chosen={inboxIds} onChange={setInboxIds} />
        )}
        {refused.length > 0 && <ul className="form-problem" role="alert">{refused.map((one) => <li key={one.email}>{one.email} {WORDS[one.outcome]}</li>)}</ul>}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <footer className="dialog-foot">
          <Button onClick={onClose}>Cancel</Button>
          <Button type="submit" look="primary" icon="send" busy={form.busy} disabled={emails.length === 0}>{emails.length > 1 ? `Invite ${emails.length} people` : "Send invitation"}</Button>
        </footer>
      </form>
    </Dialog>
  );
}

/** Addresses as people paste them: apart by anything, `Ana <ana@example.com>` too, each once. */
export function addresses(text: string): readonly string[] {
  const parts = text.replaceAll(/[^\s,;<>]+\s+(?=<)/g, " ").split(/[\s,;<>]+/).filter((one) => one !== "");
  return [...new Set(parts)];
}
