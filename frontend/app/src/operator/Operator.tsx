/** The operator's panel: every workspace of the installation, its health, and its features. */
import { useCallback, useState } from "react";
import { isCancelled, useStepUp } from "../account/StepUp";
import { calendarDay } from "../lib/time";
import { Link } from "../router";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { operatorApi } from "./calls";
import type { FlagState } from "../types.gen";
import { useLoad } from "./useLoad";
import { Detail } from "./Detail";
import { bytes } from "./bytes";
import "./operator.css";

export function Operator({ workspace }: { readonly workspace: number | null }) {
  return (
    <main className="pane pane-lone operator-pane">
      <div className="operator-page">{workspace === null ? <Installation /> : <Detail key={workspace} id={workspace} />}</div>
    </main>
  );
}

function Installation() {
  const [typed, setTyped] = useState("");
  const withProof = useStepUp();
  const read = useCallback(() => withProof(() => operatorApi.workspaces(typed, null)), [typed, withProof]);
  const { value, problem, load, set } = useLoad(read);
  const more = async (): Promise<void> => {
    if (value === null) return;
    try {
      const next = await operatorApi.workspaces(typed, value.next);
      set({ workspaces: [...value.workspaces, ...next.workspaces], next: next.next });
    } catch (error) {
      showError(error);
    }
  };
  return (
    <>
      <header><h1>Installation</h1></header>
      <TextField label="Find a workspace" value={typed} placeholder="Part of its name or its number" onChange={(event) => setTyped(event.target.value)} />
      {problem !== "" && <Problem message={problem} onRetry={load} />}
      {value === null && problem === "" && <Skeleton rows={4} className="operator-list" />}
      {value?.workspaces.length === 0 && <Empty icon="inbox" title="No workspace has that name">Try a shorter part of it.</Empty>}
      <ul className="operator-list">
        {value?.workspaces.map((one) => (
          <li key={one.id}>
            <Link to={{ page: "operator", workspace: one.id }} className="operator-row">
              <span><strong>{one.name}</strong>
                {one.suspended_at !== null && <span className="tag">Suspended</span>}
                {one.deleted_at !== null && <span className="tag">Deleted</span>}</span>
              <span className="operator-figures">
                {one.members} members · {one.sockets} sockets · {one.messages_30_days.toLocaleString()} messages in 30 days · {bytes(one.storage_bytes)} · since {calendarDay(one.created_at)}
              </span>
            </Link>
          </li>
        ))}
      </ul>
      {value !== null && value.next !== null && <Button onClick={() => void more()}>Show more</Button>}
      <h2>Features</h2>
      <InstallationFlags />
      <h2>Health</h2>
      <Health />
    </>
  );
}

function InstallationFlags() {
  const { value, problem, load, set } = useLoad(operatorApi.flags);
  if (problem !== "") return <Problem message={problem} onRetry={load} />;
  if (value === null) return <Skeleton rows={2} className="operator-list" />;
  return <Flags flags={value.flags} onChange={async (name, isOn) => set(await operatorApi.setFlag(null, name, isOn))} />;
}

interface FlagsProps {
  readonly flags: readonly FlagState[];
  readonly onChange: (name: string, isOn: boolean) => Promise<void>;
}

export function Flags({ flags, onChange }: FlagsProps) {
  const withProof = useStepUp();
  const change = (name: string, isOn: boolean): void => {
    withProof(() => onChange(name, isOn)).then(() => showToast("Saved"), (error: unknown) => { if (!isCancelled(error)) showError(error); });
  };
  return (
    <ul className="operator-list">
      {flags.map((one) => (
        <li key={one.name}>
          <label className="operator-flag">
            <input type="checkbox" checked={one.is_on} onChange={(event) => change(one.name, event.target.checked)} />{one.sentence}
          </label>
        </li>
      ))}
    </ul>
  );
}

function Health() {
  const { value, problem, load } = useLoad(operatorApi.health);
  if (problem !== "") return <Problem message={problem} onRetry={load} />;
  if (value === null) return <Skeleton rows={3} className="operator-list" />;
  return (
    <ul className="operator-list">
      {value.findings.map((one, place) => (
        <li key={place} className="operator-finding">
          <span className="tag">{{ ok: "Well", warning: "Warning", fault: "Fault" }[one.level]}</span>
          <span><strong>{one.title}</strong>{one.what_to_do !== "" && <span>{one.what_to_do}</span>}{one.detail !== "" && <span>{one.detail}</span>}</span>
        </li>
      ))}
    </ul>
  );
}
