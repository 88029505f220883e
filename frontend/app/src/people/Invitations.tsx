/** Open invitations: sent again, or taken back. Their links are in the mails alone: the hub keeps only hashes. */
import { useCallback, useEffect, useState } from "react";
import { useFeed } from "../context";
import { memberName } from "../lib/names";
import { ago, untilTime } from "../lib/time";
import { Button, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import type { Invitation } from "./calls";
import { useRoleName } from "./parts";
import { useAct, usePeopleCalls } from "./useAct";

export function Invitations({ round }: { readonly round: number }) {
  const calls = usePeopleCalls();
  const members = useFeed((state) => state.members);
  const { busy, act } = useAct();
  const roleName = useRoleName();
  const [rows, setRows] = useState<readonly Invitation[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const [withdrawing, setWithdrawing] = useState<Invitation | null>(null);
  const load = useCallback(async (before: string | null): Promise<void> => {
    try {
      const page = await calls.invitations(before);
      setRows((held) => (before === null ? page.invitations : [...(held ?? []), ...page.invitations]));
      setNext(page.next ?? null);
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "They could not be loaded.");
    }
  }, [calls]);
  // Whoever accepts becomes a member: their invitation is gone then.
  useEffect(() => void load(null), [load, round, members]);
  const run = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    if (!(await act(what, done))) return;
    setWithdrawing(null);
    await load(null);
  };
  const now = new Date();
  return (
    <section className="people-section" aria-labelledby="invited">
      <h2 className="settings-title" id="invited">Invited</h2>
      {problem !== "" && <Problem message={problem} onRetry={() => void load(null)} />}
      {rows === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      {rows?.length === 0 && <p className="field-help">No invitation is open.</p>}
      {rows !== null && rows.length > 0 && (
        <ul className="cards-list">
          {rows.map((one) => (
            <li key={one.id} className="member">
              <span className="member-who">
                <strong>{one.email}</strong>
                <span>By {memberName(members[one.invited_by])}, sent {ago(one.sent_at, now)} · {new Date(one.expires_at) < now ? "ran out: send it again" : `until ${untilTime(one.expires_at, now)}`}</span>
              </span>
              <span className="tag">{roleName(one)}</span>
              <span className="people-acts">
                <Button icon="refresh" busy={busy} aria-label={`Send again to ${one.email}`} onClick={() => void run(() => calls.resend(one.id), `Sent again to ${one.email}. The link before it is void.`)}>Send again</Button>
                <Button look="ghost" className="button-remove" aria-label={`Withdraw the invitation of ${one.email}`} onClick={() => setWithdrawing(one)}>Withdraw</Button>
              </span>
            </li>
          ))}
        </ul>
      )}
      {next !== null && <Button className="letters-more" onClick={() => void load(next)}>Show more</Button>}
      {withdrawing !== null && (
        <Confirm title="Withdraw the invitation?" confirm="Withdraw" danger busy={busy} onClose={() => setWithdrawing(null)}
          onConfirm={() => void run(() => calls.withdraw(withdrawing.id), `The invitation of ${withdrawing.email} is void.`)}>
          The link in {withdrawing.email}’s mail stops working.
        </Confirm>
      )}
    </section>
  );
}
