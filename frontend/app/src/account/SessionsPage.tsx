/** Where one is signed in, and how to end that. */
import { useState } from "react";
import { useMinute } from "../inbox/useMinute";
import { ago, fullTime } from "../lib/time";
import { Button, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { showError, showToast } from "../ui/toasts";
import { ownApi } from "./calls";
import type { SignInRow } from "./calls";
import { isCancelled, useStepUp } from "./StepUp";
import { deviceOf } from "./device";
import { useLoaded } from "./useLoaded";

const read = async (): Promise<readonly SignInRow[]> => (await ownApi.sessions()).sessions;

export function SessionsPage() {
  const { value, problem, reload } = useLoaded(read);
  const [asking, setAsking] = useState(false);
  const now = useMinute();
  const withProof = useStepUp();
  const run = async (send: () => Promise<unknown>, told: string): Promise<void> => {
    setAsking(false);
    try {
      await withProof(send);
      showToast(told);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
    await reload();
  };
  return (
    <div className="own-page">
      <header className="own-head">
        <h1>Sessions</h1>
        <p>The browsers and apps you are signed in with. What you end is signed out within a minute.</p>
      </header>
      {problem !== "" && <Problem message={problem} onRetry={() => void reload()} />}
      {value === null && problem === "" && <Skeleton rows={3} className="own-card" />}
      <ul className="own-list">
        {value?.map((one) => (
          <li key={one.id} className="own-row">
            <span className="own-what">
              <strong>{deviceOf(one.user_agent)}</strong>
              <span>{one.address !== "" && `${one.address} · `}<time dateTime={one.used_at} title={fullTime(one.used_at)}>used {ago(one.used_at, now)}</time></span>
            </span>
            {one.is_this ? <span className="tag">This one</span> : (
              <Button aria-label={`End ${deviceOf(one.user_agent)}, ${one.address}`} onClick={() => void run(() => ownApi.endSession(one.id), "That session is ended.")}>End</Button>
            )}
          </li>
        ))}
      </ul>
      {(value?.length ?? 0) > 1 && <div><Button look="danger" onClick={() => setAsking(true)}>End all others</Button></div>}
      {asking && (
        <Confirm title="End all other sessions?" confirm="End them" danger onClose={() => setAsking(false)} onConfirm={() => void run(ownApi.endOthers, "All other sessions are ended.")}>
          Everywhere but here you will have to sign in again.
        </Confirm>
      )}
    </div>
  );
}
