/** Settings → Privacy: how long conversations are kept, and what was erased. For who may manage privacy. */
import { useCallback, useEffect, useState } from "react";
import { useFeed } from "../context";
import { ago } from "../lib/time";
import { memberName } from "../lib/names";
import { plural } from "../lib/text";
import { PageHead } from "../people/parts";
import { useAct, useAsked } from "../people/useAct";
import type { ErasureView, RetentionPolicy } from "../types.gen";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { NewPolicyDialog } from "./NewPolicyDialog";
import { usePrivacyCalls } from "./calls";
import "../people/people.css";
import "./privacy.css";

const LOOK_EVERY_MS = 3_000;
const PHASES = 6;
/** As many as the hub lists at once. */
const MOST = 200;

export function Privacy() {
  return (
    <div className="settings-page">
      <PageHead title="Privacy">How long conversations are kept, and what was erased. What one person has a right to is next to their conversations: open one, then “Privacy” under the contact.</PageHead>
      <Policies />
      <Erasures />
    </div>
  );
}

function Policies() {
  const calls = usePrivacyCalls();
  const { answer, problem, reload } = useAsked(calls.policies);
  const { busy, act } = useAct();
  const [adding, setAdding] = useState(false);
  const [removed, setRemoved] = useState<RetentionPolicy | null>(null);
  const placeOf = usePlaceOf();
  const remove = async (policy: RetentionPolicy): Promise<void> => {
    if (!(await act(() => calls.removePolicy(policy.id), "Conversations are kept for ever again."))) return;
    setRemoved(null);
    reload();
  };
  return (
    <section className="people-card" aria-labelledby="kept">
      <h2 id="kept">How long conversations are kept</h2>
      <p>Whatever no rule names is kept for ever. A rule runs once a day.</p>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      <ul className="cards-list">
        {answer?.policies.map((one) => (
          <li key={one.id} className="people-line">
            <span className="people-words"><strong>{placeOf(one)}</strong><span>{one.closed_only ? "Closed conversations" : "All conversations, open ones too"}, {plural(one.days, "day")} after the last message</span></span>
            <Button look="ghost" icon="trash" className="button-remove" aria-label={`Remove the rule for ${placeOf(one)}`} onClick={() => setRemoved(one)}>Remove</Button>
          </li>
        ))}
      </ul>
      <div className="people-acts"><Button icon="plus" onClick={() => setAdding(true)}>Add a rule</Button></div>
      {adding && <NewPolicyDialog onClose={() => setAdding(false)} onSaved={reload} />}
      {removed !== null && (
        <Confirm title={`Keep everything in ${placeOf(removed)}?`} confirm="Remove the rule" busy={busy} onClose={() => setRemoved(null)} onConfirm={() => void remove(removed)}>
          What the rule erased so far stays erased.
        </Confirm>
      )}
    </section>
  );
}

function usePlaceOf(): (policy: RetentionPolicy) => string {
  const inboxes = useFeed((state) => state.inboxes);
  const accounts = useFeed((state) => state.channelAccounts);
  return ({ inbox_id, channel_account_id }) => (
    (inbox_id === null ? accounts[channel_account_id ?? ""]?.name : inboxes[inbox_id]?.name) ?? "an inbox that is gone"
  );
}

function Erasures() {
  const calls = usePrivacyCalls();
  const [limit, setLimit] = useState(20);
  const read = useCallback(() => calls.erasures(limit), [calls, limit]);
  const { answer, problem, reload } = useAsked(read);
  const running = answer?.erasures.some((one) => one.state !== "done") === true;
  useEffect(() => {
    if (!running) return undefined;
    const timer = setTimeout(reload, LOOK_EVERY_MS);
    return () => clearTimeout(timer);
  }, [running, answer, reload]);
  return (
    <section className="people-card" aria-labelledby="erased">
      <h2 id="erased">What was erased</h2>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      {answer?.erasures.length === 0 && <Empty icon="shield" title="Nothing so far">People you erase and what rules take are counted here, without names.</Empty>}
      <ul className="cards-list">{answer?.erasures.map((one) => <ErasureRow key={one.id} erasure={one} />)}</ul>
      {answer !== null && answer.next !== null && (
        limit < MOST
          ? <div className="people-acts"><Button onClick={() => setLimit(MOST)}>Show older ones</Button></div>
          : <p>These are the newest {MOST}. The audit log has all of them.</p>
      )}
    </section>
  );
}

function ErasureRow({ erasure }: { readonly erasure: ErasureView }) {
  const members = useFeed((state) => state.members);
  const who = erasure.requested_by === null ? "" : ` by ${memberName(members[erasure.requested_by])}`;
  const what = erasure.kind === "contact" ? `A person${who}` : "By a rule";
  return (
    <li className="people-line">
      <span className="people-words">
        <strong>{what}, {ago(erasure.created_at, new Date())}</strong>
        <span>{plural(erasure.conversations, "conversation")}, {plural(erasure.messages, "message")}, {plural(erasure.files, "file")}</span>
      </span>
      {erasure.state === "done"
        ? <span className="tag">Done</span>
        : <progress max={PHASES} value={erasure.progress} aria-label={`Erasing: step ${erasure.progress + 1} of ${PHASES}`} />}
    </li>
  );
}
