/** One workspace as the operator sees to it: limits, features, suspending, entering. */
import { useCallback, useState } from "react";
import type { FormEvent } from "react";
import { isCancelled, useStepUp } from "../account/StepUp";
import { Link } from "../router";
import { Select } from "../people/parts";
import { Button, Problem, Skeleton } from "../ui/basics";
import { TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { LIMITS, operatorApi } from "./calls";
import type { Limits, WorkspaceDetail as DetailAnswer } from "../types.gen";
import { Flags } from "./Operator";
import { useLoad } from "./useLoad";

const WORDS: Readonly<Record<keyof Limits, string>> = {
  members: "Members", channel_accounts: "Channel accounts", storage_bytes: "Bytes of files", sockets: "Open sockets",
  messages_per_day: "Messages sent a day", workspace_calls_per_minute: "API calls a minute",
};

export function Detail({ id }: { readonly id: number }) {
  const withProof = useStepUp();
  const read = useCallback(() => withProof(() => operatorApi.workspace(id)), [id, withProof]);
  const { value, problem, load, set } = useLoad(read);
  const [reason, setReason] = useState("");
  const [memberId, setMemberId] = useState("");
  if (problem !== "") return <Problem message={problem} onRetry={load} />;
  if (value === null) return <Skeleton rows={4} className="operator-list" />;
  const { workspace } = value;
  const run = async (work: () => Promise<void>): Promise<void> => {
    try {
      await withProof(work);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
  };
  const suspended = workspace.suspended_at !== null;
  return (
    <>
      <header><Link to={{ page: "operator", workspace: null }}>All workspaces</Link><h1>{workspace.name}</h1></header>
      {suspended && <p className="notice notice-warn">Suspended: {workspace.suspended_why}</p>}
      <h2>Limits</h2>
      <LimitsForm key={value.limits.own.version} limits={value.limits} onSave={(limits) => run(async () => {
        set({ ...value, limits: await operatorApi.setLimits(id, limits, value.limits.own.version) });
        showToast("Limits saved");
      })} />
      <h2>Features</h2>
      <Flags flags={value.flags.filter((one) => one.per_workspace)} onChange={async (name, isOn) => set({ ...value, flags: (await operatorApi.setFlag(id, name, isOn)).flags })} />
      <h2>Suspend or enter</h2>
      <div className="operator-card">
        <TextField label="Reason" value={reason} maxLength={500} help="Members read why they are shut out; owners read why you enter." onChange={(event) => setReason(event.target.value)} />
        <Select label="Enter as" value={memberId} onChange={setMemberId} disabled={!workspace.lets_operators_in}
          options={[{ value: "", label: "Whoever has owned it longest" }, ...value.owners.map((one) => ({ value: one.id, label: one.name }))]} />
        <div className="operator-acts">
          {suspended
            ? <Button onClick={() => void run(async () => set(await operatorApi.resume(id)))}>Open again</Button>
            : <Button look="danger" disabled={reason.trim() === ""} onClick={() => void run(async () => set(await operatorApi.suspend(id, reason)))}>Suspend</Button>}
          <Button disabled={reason.trim() === "" || !workspace.lets_operators_in} onClick={() => void run(async () => {
            await operatorApi.enter(id, reason, memberId || null);
            window.location.assign("/");
          })}>Enter for an hour</Button>
        </div>
        {!workspace.lets_operators_in && <p>Its owners let no operator in.</p>}
      </div>
    </>
  );
}

interface LimitsFormProps {
  readonly limits: DetailAnswer["limits"];
  readonly onSave: (limits: Limits) => Promise<void>;
}

function LimitsForm({ limits, onSave }: LimitsFormProps) {
  const [typed, setTyped] = useState<Readonly<Record<string, string>>>(
    () => Object.fromEntries(LIMITS.map((name) => [name, limits.own.limits[name]?.toString() ?? ""])));
  const [busy, setBusy] = useState(false);
  const submit = async (event: FormEvent): Promise<void> => {
    event.preventDefault();
    setBusy(true);
    const wanted = (name: keyof Limits): number | null => (typed[name] === "" ? null : Number(typed[name]));
    await onSave({
      members: wanted("members"), channel_accounts: wanted("channel_accounts"), storage_bytes: wanted("storage_bytes"), sockets: wanted("sockets"),
      messages_per_day: wanted("messages_per_day"), workspace_calls_per_minute: wanted("workspace_calls_per_minute"),
    });
    setBusy(false);
  };
  return (
    <form className="operator-card" onSubmit={(event) => void submit(event)}>
      {LIMITS.map((name) => (
        <TextField key={name} label={WORDS[name]} inputMode="numeric" pattern="[0-9]*" value={typed[name] ?? ""}
          placeholder={limits.defaults[name]?.toString() ?? "No limit"} onChange={(event) => setTyped({ ...typed, [name]: event.target.value })} />
      ))}
      <Button type="submit" look="primary" busy={busy}>Save limits</Button>
    </form>
  );
}
