/** Stays of those who run the installation: when and why they entered, the end of one, and whether they may. */
import { useCallback } from "react";
import { useClient, useFeed } from "../context";
import { fullTime } from "../lib/time";
import { useAct, useAsked } from "../people/useAct";
import { may } from "../sync/state";
import { Button, Problem, Skeleton } from "../ui/basics";
import { staysCalls } from "./calls";

export function Stays() {
  const { workspaceId } = useClient();
  const mayManage = useFeed((state) => may(state, "workspace.manage"));
  const { answer, problem, reload } = useAsked(useCallback(() => staysCalls.read(workspaceId), [workspaceId]));
  const { busy, act } = useAct();
  const change = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    if (await act(what, done)) reload();
  };
  return (
    <section className="people-card" aria-labelledby="stays">
      <h2 id="stays">Operators in this workspace</h2>
      <p>Those who run this installation may enter as one of your members for an hour at most, to help. They write to no customer; each stay is told to the owners and stands in the audit log.</p>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="operator-list" />}
      {answer !== null && (
        <>
          {mayManage && (
            <label className="tick">
              <input type="checkbox" checked={answer.allowed} disabled={busy}
                onChange={() => void change(() => staysCalls.allow(workspaceId, !answer.allowed), answer.allowed ? "Operators can no longer enter." : "Operators may enter.")} />
              <span>Operators may enter</span>
            </label>
          )}
          {answer.entered.length === 0 && <p className="field-help">Nobody has entered yet.</p>}
          <ul className="cards-list">
            {answer.entered.map((one) => {
              const isOver = one.ended_at !== null || new Date(one.expires_at) <= new Date();
              return (
                <li key={one.session_id} className="people-line">
                  <span className="people-words"><strong>{one.reason}</strong><span>{fullTime(one.began_at)}{isOver ? ` to ${fullTime(one.ended_at ?? one.expires_at)}` : `, until ${fullTime(one.expires_at)} at the latest`}</span></span>
                  {!isOver && mayManage && <Button look="danger" busy={busy} onClick={() => void change(() => staysCalls.end(workspaceId, one.session_id), "The stay is over.")}>End it now</Button>}
                </li>
              );
            })}
          </ul>
        </>
      )}
    </section>
  );
}
