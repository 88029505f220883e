/** What narrows the audit log: who, what, which kind of row, when. */
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { Select } from "../people/parts";
import { useAsked } from "../people/useAct";
import type { AuditSearch } from "../router";
import { TextField } from "../ui/field";
import type { auditCalls } from "./calls";
import { kindName } from "./words";

interface Props {
  readonly calls: ReturnType<typeof auditCalls>;
  readonly search: AuditSearch;
  readonly onChange: (to: Partial<AuditSearch>) => void;
}

export function AuditFilters({ calls, search, onChange }: Props) {
  const members = useFeed((state) => state.members);
  const { answer } = useAsked(calls.actions);
  const actions = answer?.actions ?? [];
  const nouns = [...new Set(actions.map((one) => one.action.split(".")[0] ?? ""))].sort();
  const known = [...nouns.map((noun) => ({ value: `${noun}.`, label: `Anything about: ${kindName(noun)}` })), ...actions.map((one) => ({ value: one.action, label: one.words }))];
  const people = Object.values(members).map((one) => ({ value: one.id, label: memberName(one) }));
  return (
    <div className="audit-filters" role="search" aria-label="Audit log">
      <Select label="Who" value={search.actor ?? ""} options={[{ value: "", label: "Anybody" }, ...withChosen(people, search.actor)]} onChange={(actor) => onChange({ actor: actor || null })} />
      <Select label="Action" value={search.action ?? ""} options={[{ value: "", label: "Anything" }, ...withChosen(known, search.action)]} onChange={(action) => onChange({ action: action || null })} />
      <TextField label="From" type="date" value={search.since ?? ""} max={search.until ?? undefined} onChange={(event) => onChange({ since: event.target.value || null })} />
      <TextField label="To" type="date" value={search.until ?? ""} min={search.since ?? undefined} onChange={(event) => onChange({ until: event.target.value || null })} />
    </div>
  );
}

/** The address may name what the lists do not know. */
const withChosen = (options: readonly { value: string; label: string }[], chosen: string | null): readonly { value: string; label: string }[] =>
  chosen === null || options.some((one) => one.value === chosen) ? options : [...options, { value: chosen, label: chosen }];
