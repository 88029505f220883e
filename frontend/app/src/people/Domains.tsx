/** Domains whose people may join without an invitation; proved by the caller's own, confirmed address. */
import { useState } from "react";
import { useStepUp } from "../account/StepUp";
import { useSignedIn } from "../context";
import { useForm } from "../entry/useForm";
import { Button, Problem, Skeleton } from "../ui/basics";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import type { Domain } from "./calls";
import { Select } from "./parts";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

const ROLES = [{ value: "agent", label: "Agent" }, { value: "viewer", label: "Viewer" }];

export function Domains() {
  const calls = usePeopleCalls();
  const withProof = useStepUp();
  const { session } = useSignedIn();
  const { answer, problem, reload } = useAsked(calls.domains);
  const [domain, setDomain] = useState(session.login.email.split("@")[1] ?? "");
  const form = useForm(["domain"], async () => {
    await withProof(() => calls.addDomain(domain));
    showToast(`${domain} is added. Nobody joins by it before you switch it on.`);
    reload();
  });
  return (
    <section className="people-card" aria-labelledby="domains">
      <h2 id="domains">Joining by domain</h2>
      <p>Whoever has a confirmed address of a domain can join without an invitation. You prove a domain by being signed in with a confirmed address of it; public mail providers are refused.</p>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      <ul className="cards-list">{answer?.domains.map((one) => <DomainRow key={one.domain} domain={one} onChanged={reload} />)}</ul>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Domain" value={domain} required placeholder="example.com" onChange={(event) => setDomain(event.target.value)} problem={form.problemOf("domain") || form.general} />
        <div className="people-acts"><Button type="submit" icon="plus" busy={form.busy}>Add domain</Button></div>
      </form>
    </section>
  );
}

function DomainRow({ domain, onChanged }: { readonly domain: Domain; readonly onChanged: () => void }) {
  const calls = usePeopleCalls();
  const { busy, act } = useAct();
  const run = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    if (await act(what, done)) onChanged();
  };
  return (
    <li className="people-line">
      <span className="people-words"><strong>{domain.domain}</strong><span>{domain.enabled ? "People of this domain may join" : "Off: nobody joins by it"}</span></span>
      <Select label="They become" value={domain.role} options={ROLES} disabled={busy} onChange={(role) => void run(() => calls.changeDomain(domain.domain, { role: role === "viewer" ? "viewer" : "agent" }), "The role is saved.")} />
      <span className="people-acts">
        <Button busy={busy} onClick={() => void run(() => calls.changeDomain(domain.domain, { enabled: !domain.enabled }), domain.enabled ? "It is off." : "It is on.")}>{domain.enabled ? "Switch off" : "Switch on"}</Button>
        <Button look="ghost" icon="trash" className="button-remove" busy={busy} onClick={() => void run(() => calls.removeDomain(domain.domain), `${domain.domain} is removed. Who joined by it stays.`)}>Remove</Button>
      </span>
    </li>
  );
}
