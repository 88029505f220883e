/** Settings → Workspace: its name, second factors, sealed messages, domains that may join, and its end. For owners. */
import { useState } from "react";
import { useFeed } from "../context";
import { useForm } from "../entry/useForm";
import { memberName } from "../lib/names";
import { Button, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import { Deletion } from "./Deletion";
import { Domains } from "./Domains";
import { PageHead } from "./parts";
import { Sealing } from "./Sealing";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

export function WorkspaceSettings() {
  const held = useFeed((state) => state.workspace.name);
  const [name, setName] = useState(held);
  const calls = usePeopleCalls();
  const form = useForm(["name"], async () => {
    await calls.rename(name);
    showToast("The name is saved.");
  });
  return (
    <div className="settings-page">
      <PageHead title="Workspace">What holds for everybody in {held}.</PageHead>
      <section className="people-card" aria-labelledby="name-of">
        <h2 id="name-of">Name</h2>
        <form className="form" onSubmit={form.onSubmit}>
          <TextField label="Name of the workspace" value={name} required maxLength={80} onChange={(event) => setName(event.target.value)} problem={form.problemOf("name") || form.general} />
          <div className="people-acts"><Button type="submit" look="primary" busy={form.busy} disabled={name.trim() === held}>Save name</Button></div>
        </form>
      </section>
      <SecondFactor />
      <Sealing />
      <Domains />
      <Deletion />
    </div>
  );
}

function SecondFactor() {
  const calls = usePeopleCalls();
  const members = useFeed((state) => state.members);
  const { answer, problem, reload } = useAsked(calls.security);
  const { busy, act } = useAct();
  const [asking, setAsking] = useState(false);
  const set = async (on: boolean): Promise<void> => {
    if (!(await act(() => calls.setSecurity(on), on ? "Everybody needs a second factor now." : "A second factor is up to each member."))) return;
    setAsking(false);
    reload();
  };
  const without = (answer?.members_without ?? []).map((id) => memberName(members[id]));
  return (
    <section className="people-card" aria-labelledby="second-factor">
      <h2 id="second-factor">Second factor</h2>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      {answer !== null && (
        <>
          <p>{answer.requires_second_factor ? "Everybody needs a passkey or a code from an app to work here." : "Each member decides for themselves whether to use a passkey or a code from an app."}</p>
          {without.length > 0 && <p className={answer.requires_second_factor ? "notice notice-warn" : "notice"}>{answer.requires_second_factor ? "Shut out until they set one up" : "Without one"}: {without.join(", ")}</p>}
          <div className="people-acts">
            {answer.requires_second_factor
              ? <Button busy={busy} onClick={() => void set(false)}>Stop requiring it</Button>
              : <Button icon="shield" busy={busy} onClick={() => setAsking(true)}>Require it of everybody</Button>}
          </div>
        </>
      )}
      {asking && (
        <Confirm title="Require a second factor?" confirm="Require it" busy={busy} onClose={() => setAsking(false)} onConfirm={() => void set(true)}>
          {without.length === 0 ? "Everybody has one already." : `${without.join(", ")} cannot work here until they set one up.`}
        </Confirm>
      )}
    </section>
  );
}
