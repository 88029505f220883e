/** Settings → Inboxes: which there are, and who sees each. */
import { useEffect, useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import { memberName } from "../lib/names";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import type { InboxWithAccess } from "./calls";
import { PageHead, Ticks } from "./parts";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

export function Access() {
  const calls = usePeopleCalls();
  const live = useFeed((state) => state.inboxes);
  const teams = useFeed((state) => state.teams);
  const members = useFeed((state) => state.members);
  const { answer, problem, reload } = useAsked(calls.inboxes);
  const { busy, act } = useAct();
  const [edited, setEdited] = useState<InboxWithAccess | "new" | null>(null);
  const [removed, setRemoved] = useState<InboxWithAccess | null>(null);
  // Who sees what is told over HTTP only: an event about an inbox is the hint to ask again.
  useEffect(reload, [live, reload]);
  const sees = ({ inbox, access }: InboxWithAccess): string => {
    if (!inbox.restricted) return "Open to every member";
    const names = [...access.team_ids.map((id) => (teams[id] === undefined ? "a team" : `team ${teams[id].name}`)), ...access.member_ids.map((id) => memberName(members[id]))];
    return `Restricted to owners, admins${names.length === 0 ? "" : `, ${names.join(", ")}`}`;
  };
  const remove = async (one: InboxWithAccess): Promise<void> => {
    if (!(await act(() => calls.removeInbox(one.inbox.id), `${one.inbox.name} is deleted.`))) return;
    setRemoved(null);
    reload();
  };
  return (
    <div className="settings-page">
      <PageHead title="Inboxes" action={<Button look="primary" icon="plus" onClick={() => setEdited("new")}>Make an inbox</Button>}>Which inboxes there are, and who sees their conversations.</PageHead>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={3} className="skeleton-thread" />}
      {answer?.inboxes.length === 0 && <Empty icon="inbox" title="No inboxes yet">Connecting a channel makes one.</Empty>}
      <ul className="cards-list">
        {answer?.inboxes.map((one) => (
          <li key={one.inbox.id} className="member">
            <span className="member-who"><strong>{one.inbox.name}</strong><span>{sees(one)}</span></span>
            <span className={one.inbox.restricted ? "tag tag-warn" : "tag"}>{one.inbox.restricted ? "Restricted" : "Open"}</span>
            <span className="people-acts">
              <Button icon="edit" aria-label={`Change ${one.inbox.name}`} onClick={() => setEdited(one)}>Change</Button>
              <Button look="ghost" icon="trash" className="button-remove" aria-label={`Delete ${one.inbox.name}`} onClick={() => setRemoved(one)}>Delete</Button>
            </span>
          </li>
        ))}
      </ul>
      {edited !== null && <InboxDialog held={edited === "new" ? null : edited} onClose={() => setEdited(null)} onSaved={reload} />}
      {removed !== null && (
        <Confirm title={`Delete ${removed.inbox.name}?`} confirm="Delete inbox" danger busy={busy} onClose={() => setRemoved(null)} onConfirm={() => void remove(removed)}>
          Only an empty inbox can be deleted: move its conversations and channels first.
        </Confirm>
      )}
    </div>
  );
}

interface DialogProps {
  readonly held: InboxWithAccess | null;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

function InboxDialog({ held, onClose, onSaved }: DialogProps) {
  const members = useFeed((state) => state.members);
  const teams = useFeed((state) => state.teams);
  const calls = usePeopleCalls();
  const withProof = useStepUp();
  const [name, setName] = useState(held?.inbox.name ?? "");
  const [days, setDays] = useState(String(held?.inbox.reopen_days ?? ""));
  const [restricted, setRestricted] = useState(held?.inbox.restricted ?? false);
  const [memberIds, setMemberIds] = useState<readonly string[]>(held?.access.member_ids ?? []);
  const [teamIds, setTeamIds] = useState<readonly string[]>(held?.access.team_ids ?? []);
  const form = useForm(["name", "reopen_days"], async () => {
    // Closed first, then opened to those listed: nobody else sees it in between.
    const saved = held === null
      ? await calls.makeInbox({ name, restricted })
      : await calls.changeInbox(held.inbox.id, { name, restricted, reopen_days: Number(days) });
    if (restricted) await withProof(() => calls.setAccess(saved.inbox.id, { member_ids: memberIds, team_ids: teamIds }));
    showToast(`${name} is saved.`);
    onSaved();
    onClose();
  });
  return (
    <Dialog title={held === null ? "Make an inbox" : `Change ${held.inbox.name}`} wide onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name" value={name} required maxLength={80} onChange={(event) => setName(event.target.value)} problem={form.problemOf("name")} />
        {held !== null && <TextField label="Reopen within (days)" type="number" min={0} value={days} onChange={(event) => setDays(event.target.value)} problem={form.problemOf("reopen_days")} help="A message this soon after closing reopens the conversation; later it starts a new one." />}
        <Ticks legend="Who sees it" rows={[{ id: "restricted", label: "Only some members", help: "Owners and admins see every inbox." }]} chosen={restricted ? ["restricted"] : []} onChange={(chosen) => setRestricted(chosen.length > 0)} />
        {restricted && (
          <div className="people-two">
            <Ticks legend="Teams" rows={Object.values(teams).map((one) => ({ id: one.id, label: one.name }))} chosen={teamIds} onChange={setTeamIds} empty="There are no teams yet." />
            <Ticks legend="Members" rows={Object.values(members).filter((one) => one.active).map((one) => ({ id: one.id, label: memberName(one) }))} chosen={memberIds} onChange={setMemberIds} />
          </div>
        )}
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <footer className="dialog-foot"><Button onClick={onClose}>Cancel</Button><Button type="submit" look="primary" busy={form.busy}>Save inbox</Button></footer>
      </form>
    </Dialog>
  );
}
