/** Password, authenticator app, passkeys and recovery codes. */
import { useState } from "react";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { calendarDay } from "../lib/time";
import { Button, Problem, Skeleton } from "../ui/basics";
import { SignInWays } from "../settings/SignInWays";
import { Confirm } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { AddTotp } from "./AddTotp";
import { Passkeys } from "./Passkeys";
import { RecoveryCodes } from "./RecoveryCodes";
import { isCancelled, useStepUp } from "./StepUp";
import { ownApi } from "./calls";
import type { Factors } from "./calls";
import { useLoaded } from "./useLoaded";

export function SecurityPage() {
  const { value, problem, reload } = useLoaded(ownApi.factors);
  const [codes, setCodes] = useState<readonly string[]>([]);
  const changed = (fresh: readonly string[]): void => {
    setCodes(fresh);
    void reload();
  };
  return (
    <div className="own-page">
      <header className="own-head"><h1>Security</h1><p>How you prove that it is you.</p></header>
      {problem !== "" && <Problem message={problem} onRetry={() => void reload()} />}
      {value === null && problem === "" && <Skeleton rows={3} className="own-card" />}
      {value !== null && (
        <>
          <App factors={value} onChange={changed} />
          <Passkeys passkeys={value.passkeys} onChange={changed} />
          {(value.totp_since !== null || value.passkeys.length > 0) && <Recovery factors={value} onChange={changed} />}
          <Ways />
          <Password />
          <Address />
        </>
      )}
      {codes.length > 0 && <RecoveryCodes codes={codes} onClose={() => setCodes([])} />}
    </div>
  );
}

interface PartProps {
  readonly factors: Factors;
  readonly onChange: (codes: readonly string[]) => void;
}

function App({ factors, onChange }: PartProps) {
  const withProof = useStepUp();
  const [shows, setShows] = useState<"add" | "remove" | null>(null);
  const remove = async (): Promise<void> => {
    setShows(null);
    try {
      await withProof(ownApi.removeTotp);
      showToast("The authenticator app is removed.");
      onChange([]);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
  };
  return (
    <section className="own-card" aria-labelledby="own-app">
      <h2 id="own-app">Authenticator app</h2>
      <p>{factors.totp_since === null ? "An app on your phone shows a new code every 30 seconds; signing in asks for it." : `In use since ${calendarDay(factors.totp_since)}.`}</p>
      <div className="own-acts">
        {factors.totp_since === null
          ? <Button look="primary" onClick={() => setShows("add")}>Set up an app</Button>
          : <Button onClick={() => setShows("remove")}>Remove</Button>}
      </div>
      {shows === "add" && <AddTotp onClose={() => setShows(null)} onDone={(codes) => { setShows(null); showToast("The authenticator app is set up."); onChange(codes); }} />}
      {shows === "remove" && (
        <Confirm title="Remove the authenticator app?" confirm="Remove" danger onClose={() => setShows(null)} onConfirm={() => void remove()}>
          Its codes will not work any more.
        </Confirm>
      )}
    </section>
  );
}

function Recovery({ factors, onChange }: PartProps) {
  const withProof = useStepUp();
  const [asking, setAsking] = useState(false);
  const left = factors.recovery_codes_left;
  const renew = async (): Promise<void> => {
    setAsking(false);
    try {
      onChange((await withProof(ownApi.renewCodes)).recovery_codes);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
  };
  return (
    <section className="own-card" aria-labelledby="own-codes">
      <h2 id="own-codes">Recovery codes</h2>
      <p>For the day your device is gone. {left === 1 ? "One is" : `${left} are`} left.{left < 4 && " Make new ones soon."}</p>
      <div className="own-acts"><Button onClick={() => setAsking(true)}>Make new codes</Button></div>
      {asking && <Confirm title="Make new recovery codes?" confirm="Make new ones" onClose={() => setAsking(false)} onConfirm={() => void renew()}>The codes you have now stop working.</Confirm>}
    </section>
  );
}

function Password() {
  const [old, setOld] = useState("");
  const [next, setNext] = useState("");
  const form = useForm(["old", "new"], async () => {
    const { ended } = await ownApi.changePassword(old, next);
    setOld("");
    setNext("");
    showToast(ended === 0 ? "Your password is changed." : "Your password is changed; your other sessions are ended.");
  });
  return (
    <section className="own-card" aria-labelledby="own-password">
      <h2 id="own-password">Password</h2>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Password now" type="password" autoComplete="current-password" required value={old} problem={form.problemOf("old")} onChange={(event) => setOld(event.target.value)} />
        <TextField label="New password" type="password" autoComplete="new-password" required help="Three or four words make a good one. Your other sessions end." value={next} problem={form.problemOf("new")} onChange={(event) => setNext(event.target.value)} />
        <FormFoot form={form} label="Change the password" />
      </form>
    </section>
  );
}

function Ways() {
  const withProof = useStepUp();
  return (
    <div className="own-card">
      <h2>Linked accounts</h2>
      <SignInWays withProof={withProof} />
    </div>
  );
}

function Address() {
  const withProof = useStepUp();
  const [email, setEmail] = useState("");
  const [sentTo, setSentTo] = useState("");
  const form = useForm(["email"], async () => {
    setSentTo((await withProof(() => ownApi.changeAddress(email))).email);
    setEmail("");
  });
  return (
    <section className="own-card" aria-labelledby="own-address">
      <h2 id="own-address">E-mail address</h2>
      {sentTo !== "" && <p role="status">A link is on its way to <strong>{sentTo}</strong>. It works once, for 30 minutes; until then nothing changes. Your old address is told, too.</p>}
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="New e-mail address" type="email" autoComplete="email" required value={email} problem={form.problemOf("email")} onChange={(event) => setEmail(event.target.value)} />
        <FormFoot form={form} label="Send the link" look="quiet" />
      </form>
    </section>
  );
}
