/** All that is kept of one entry, and ways to the others like it. */
import { fullTime } from "../lib/time";
import type { AuditSearch } from "../router";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import type { AuditEntry } from "./calls";
import { actorName, kindName, targetName } from "./words";

interface Props {
  readonly entry: AuditEntry;
  readonly onClose: () => void;
  readonly onNarrow: (to: Partial<AuditSearch>) => void;
}

export function EntryDetails({ entry, onClose, onNarrow }: Props) {
  const facts: readonly (readonly [string, string])[] = [
    ["When", fullTime(entry.at)],
    ["Who", `${actorName(entry)} (${entry.actor.kind})`],
    ["Action", entry.action],
    ["Row", entry.target_kind === "" ? "" : `${targetName(entry)} (${kindName(entry.target_kind)} ${entry.target_id})`],
    ["From", entry.address || "the hub itself"],
    ...Object.entries(entry.details).map(([name, value]) => [kindName(name), valueText(value)] as const),
    ["Place in the chain", entry.position === null ? "Not yet: within a second or two" : String(entry.position)],
    ["Hash", entry.hash ?? ""],
  ];
  return (
    <Dialog title={entry.words} wide className="audit-drawer" onClose={onClose}>
      <dl className="audit-facts">
        {facts.filter(([, value]) => value !== "").map(([name, value]) => <div key={name}><dt>{name}</dt><dd>{value}</dd></div>)}
      </dl>
      <div className="people-acts">
        {entry.actor.id !== null && <Button onClick={() => onNarrow({ actor: entry.actor.id })}>More by them</Button>}
        {entry.target_id !== "" && <Button onClick={() => onNarrow({ kind: entry.target_kind, row: entry.target_id })}>More about this row</Button>}
        <Button onClick={() => onNarrow({ action: entry.action })}>More like this</Button>
      </div>
    </Dialog>
  );
}

const valueText = (value: unknown): string => (typeof value === "string" ? value : JSON.stringify(value));
