/** Settings → Teams: who works on the same things. */
import { useState } from "react";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import { memberName } from "../lib/names";
import { plural } from "../lib/text";
import type { Team } from "../types.gen";
import { Button, Empty } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import { PageHead, Ticks } from "./parts";
import { useAct, usePeopleCalls } from "./useAct";

export function Teams() {
  const teams = useFeed((state) => state.teams);
  const members = useFeed((state) => state.members);
  const calls = usePeopleCalls();
  const { busy, act } = useAct();
  const [edited, setEdited] = useState<Team | "new" | null>(null);
  const [removed, setRemoved] = useState<Team | null>(null);
  const rows = Object.values(teams).sort((left, right) => left.name.localeCompare(right.name));
  const make = <Button look="primary" icon="plus" onClick={() => setEdited("new")}>Make a team</Button>;
  const remove = async (team: Team): Promise<void> => {
    if (await act(() => calls.removeTeam(team.id), `${team.name} is deleted.`)) setRemoved(null);
  };
  return (
    <div className="settings-page">
      <PageHead title="Teams" action={rows.length > 0 && make}>Members who work on the same things. A team can be let into an inbox, and takes over work in turn.</PageHead>
      {rows.length === 0 && <Empty icon="people" title="No teams yet" action={make}>Put members together who answer the same customers.</Empty>}
      <ul className="cards-list">
        {rows.map((team) => {
          const names = team.member_ids.map((id) => members[id]).filter((one) => one?.active === true).map(memberName);
          return (
            <li key={team.id} className="member">
              <span className="member-who"><strong>{team.name}</strong><span>{names.length === 0 ? "Nobody is in it" : `${plural(names.length, "member")}: ${names.join(", ")}`}</span></span>
              <span className="people-acts">
                <Button icon="edit" aria-label={`Change ${team.name}`} onClick={() => setEdited(team)}>Change</Button>
                <Button look="ghost" icon="trash" className="button-remove" aria-label={`Delete ${team.name}`} onClick={() => setRemoved(team)}>Delete</Button>
              </span>
            </li>
          );
        })}
      </ul>
      {edited !== null && <TeamDialog team={edited === "new" ? null : edited} onClose={() => setEdited(null)} />}
      {removed !== null && (
        <Confirm title={`Delete ${removed.name}?`} confirm="Delete team" danger busy={busy} onClose={() => setRemoved(null)} onConfirm={() => void remove(removed)}>
          Its members stay, but no longer see inboxes that only the team was let into.
        </Confirm>
      )}
    </div>
  );
}

function TeamDialog({ team, onClose }: { readonly team: Team | null; readonly onClose: () => void }) {
  const members = useFeed((state) => state.members);
  const calls = usePeopleCalls();
  const [name, setName] = useState(team?.name ?? "");
  const [chosen, setChosen] = useState<readonly string[]>(team?.member_ids ?? []);
  const form = useForm(["name"], async () => {
    await calls.saveTeam(team?.id ?? null, { name, member_ids: chosen });
    showToast(team === null ? `${name} is made.` : `${name} is saved.`);
    onClose();
  });
  const rows = Object.values(members).filter((one) => one.active).map((one) => ({ id: one.id, label: memberName(one), help: one.email }));
  return (
    <Dialog title={team === null ? "Make a team" : `Change ${team.name}`} onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name" value={name} required maxLength={80} onChange={(event) => setName(event.target.value)} problem={form.problemOf("name")} />
        <Ticks legend="Members" rows={rows} chosen={chosen} onChange={setChosen} />
        {form.general !== "" && <p className="form-problem" role="alert">{form.general}</p>}
        <footer className="dialog-foot"><Button onClick={onClose}>Cancel</Button><Button type="submit" look="primary" busy={form.busy}>Save team</Button></footer>
      </form>
    </Dialog>
  );
}
