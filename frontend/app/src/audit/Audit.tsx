/** Settings → Audit log: who did what to which row, from where; narrowed by the address of the page. */
import { useCallback, useEffect, useMemo, useState } from "react";
import { useClient } from "../context";
import { calendarDay, clockTime } from "../lib/time";
import { PageHead } from "../people/parts";
import { navigate } from "../router";
import type { AuditSearch } from "../router";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Icon } from "../ui/icons";
import { auditCalls } from "./calls";
import type { AuditEntry } from "./calls";
import { Chain } from "./Chain";
import { EntryDetails } from "./EntryDetails";
import { ExportMenu } from "./ExportMenu";
import { AuditFilters } from "./AuditFilters";
import { actorName, targetName } from "./words";
import "./audit.css";

const NOTHING: AuditSearch = { actor: null, action: null, kind: null, row: null, since: null, until: null };

export function Audit({ search }: { readonly search: AuditSearch }) {
  const { workspaceId } = useClient();
  const calls = useMemo(() => auditCalls(workspaceId), [workspaceId]);
  const { actor, action, kind, row, since, until } = search;
  const wanted = useMemo(() => ({ actor, action, kind, row, since, until }), [actor, action, kind, row, since, until]);
  const { entries, next, problem, load } = useEntries(calls, wanted);
  const [shown, setShown] = useState<AuditEntry | null>(null);
  const change = (to: Partial<AuditSearch>): void => navigate({ page: "audit", ...wanted, ...to }, { replace: true });
  const narrowed = Object.values(wanted).some((one) => one !== null);
  return (
    <div className="settings-page">
      <PageHead title="Audit log" action={<ExportMenu calls={calls} search={wanted} />}>Who did what, and from where. Nothing in it can be changed or removed.</PageHead>
      <Chain calls={calls} />
      <AuditFilters calls={calls} search={wanted} onChange={change} />
      {row !== null && <div className="people-acts"><span className="tag">Only {kind ?? "row"} {row}</span><Button look="ghost" icon="close" onClick={() => change({ kind: null, row: null })}>All rows</Button></div>}
      {problem !== "" && <Problem message={problem} onRetry={() => void load(null)} />}
      {entries === null && problem === "" && <Skeleton rows={6} className="skeleton-thread" />}
      {entries?.length === 0 && problem === "" && (
        <Empty icon="shield" title="Nothing fits" action={narrowed && <Button onClick={() => change(NOTHING)}>Clear the filters</Button>}>No entry is like that.</Empty>
      )}
      {entries !== null && entries.length > 0 && (
        <ol className="audit-list" aria-label="Entries, newest first">
          {entries.map((one) => (
            <li key={one.id}>
              <button type="button" className="audit-entry" onClick={() => setShown(one)}>
                <time dateTime={one.at}>{calendarDay(one.at)}<span>{clockTime(one.at)}</span></time>
                <span className="audit-what"><strong>{one.words}</strong><span>{actorName(one)}{targetName(one) !== "" && ` · ${targetName(one)}`}{one.address !== "" && ` · ${one.address}`}</span></span>
                <Icon name="right" size={15} />
              </button>
            </li>
          ))}
        </ol>
      )}
      {next !== null && <Button className="letters-more" onClick={() => void load(next)}>Show older</Button>}
      {shown !== null && <EntryDetails entry={shown} onClose={() => setShown(null)} onNarrow={(to) => { setShown(null); change(to); }} />}
    </div>
  );
}

function useEntries(calls: ReturnType<typeof auditCalls>, search: AuditSearch) {
  const [entries, setEntries] = useState<readonly AuditEntry[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const load = useCallback(async (before: string | null, current: () => boolean = () => true): Promise<void> => {
    try {
      const page = await calls.page(search, before);
      if (!current()) return;
      setEntries((held) => (before === null ? page.entries : [...(held ?? []), ...page.entries]));
      setNext(page.next);
      setProblem("");
    } catch (error) {
      if (current()) setProblem(error instanceof Error ? error.message : "It could not be loaded.");
    }
  }, [calls, search]);
  useEffect(() => {
    let isCurrent = true;
    void load(null, () => isCurrent);
    return () => {
      isCurrent = false;
    };
  }, [load]);
  return { entries, next, problem, load };
}
