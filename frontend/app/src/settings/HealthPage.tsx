/** How one channel account does: its state, what waits, its limits, its token, what went wrong. */
import { useCallback, useEffect } from "react";
import { useLoaded } from "../account/useLoaded";
import { useClient } from "../context";
import { useMinute } from "../inbox/useMinute";
import { ago, fullTime } from "../lib/time";
import type { AccountHealth, Trouble, Uuid } from "../types.gen";
import { Button, Problem, Skeleton } from "../ui/basics";
import { readHealth } from "./signIn";
import "./health.css";

const REFRESH_MS = 10_000;

const DOING: Readonly<Record<Trouble["doing"], string>> = {
  send: "Sending", read: "Reading", fetch: "Fetching a file", webhook: "A call from the vendor", renew: "Renewing the sign-in",
};

export function HealthPage({ accountId }: { readonly accountId: Uuid }) {
  const { workspaceId } = useClient();
  const read = useCallback(() => readHealth(workspaceId, accountId), [workspaceId, accountId]);
  const { value, problem, reload } = useLoaded(read);
  useEffect(() => {
    const timer = setInterval(() => void reload(), REFRESH_MS);
    return () => clearInterval(timer);
  }, [reload]);
  if (value === null) return problem === "" ? <Skeleton rows={4} className="skeleton-thread" /> : <Problem message={problem} onRetry={() => void reload()} />;
  return (
    <section className="health" aria-label="How it does">
      <p className="health-headline" role="status">{value.headline}</p>
      <Facts health={value} />
      {value.buckets.length > 0 && <Buckets health={value} />}
      <Troubles troubles={value.troubles} />
      <Button look="ghost" icon="refresh" onClick={() => void reload()}>Look again</Button>
    </section>
  );
}

function Facts({ health }: { readonly health: AccountHealth }) {
  const now = useMinute();
  const when = (moment: string | null, never: string): string => (moment === null ? never : ago(moment, now));
  const rows: readonly (readonly [string, string, string | null])[] = [
    ["Last came in", when(health.last_item_at, "Nothing yet"), health.last_item_at],
    ["Last went out", when(health.last_sent_at, "Nothing yet"), health.last_sent_at],
    ["Waiting to be sent", health.queued === 0 ? "Nothing" : `${health.queued}, the oldest since ${when(health.oldest_queued_at, "a moment")}`, health.oldest_queued_at],
    ...(health.intake_waiting === null ? [] : [["Came in, not stored yet", health.intake_waiting === 0 ? "Nothing" : String(health.intake_waiting), null] as const]),
    ...(health.reading.lag_s === null ? [] : [["Last looked at the vendor", `${Math.round(health.reading.lag_s)} s ago`, null] as const]),
    ...(health.token_expires_at === null ? [] : [["Sign-in is renewed by", fullTime(health.token_expires_at), health.token_expires_at] as const]),
    ...(health.token_renewed_at === null ? [] : [["Last signed in or renewed", when(health.token_renewed_at, ""), health.token_renewed_at] as const]),
  ];
  return (
    <dl className="health-facts">
      {rows.map(([name, text, moment]) => (
        <div key={name}><dt>{name}</dt><dd title={moment === null ? undefined : fullTime(moment)}>{text}</dd></div>
      ))}
    </dl>
  );
}

function Buckets({ health }: { readonly health: AccountHealth }) {
  return (
    <div className="health-part">
      <h2>Limits</h2>
      {health.buckets.map(({ name, free, words }, index) => (
        <div className="health-bucket" key={`${name}-${index}`}>
          <span>{name}</span>
          <meter min={0} max={1} low={0.2} optimum={1} value={free} aria-label={`${name}: ${words}`} />
          <span className="health-words">{words}</span>
        </div>
      ))}
    </div>
  );
}

function Troubles({ troubles }: { readonly troubles: readonly Trouble[] }) {
  const now = useMinute();
  return (
    <div className="health-part">
      <h2>What went wrong</h2>
      {troubles.length === 0 && <p className="health-words">Nothing so far.</p>}
      <ul>
        {troubles.map(({ doing, code, message, times, first_at, last_at }) => (
          <li key={`${doing} ${code}`}>
            <span><strong>{DOING[doing]}</strong>: {message}</span>
            <span className="health-words" title={`${fullTime(first_at)} – ${fullTime(last_at)}`}>{ago(last_at, now)}{times > 1 ? `, ${times.toLocaleString()} times since ${ago(first_at, now)}` : ""} · {code}</span>
          </li>
        ))}
      </ul>
    </div>
  );
}
