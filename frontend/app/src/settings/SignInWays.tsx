/** Linked accounts: which issuers open one's own login, adding and removing one. For the account page. */
import { useCallback, useEffect, useState } from "react";
import { ApiError, call } from "../api";
import { issuersApi, readReturned, wordsFor } from "../entry/issuerCalls";
import type { IssuerButton } from "../entry/issuerCalls";
import { calendarDay } from "../lib/time";
import { Button, Problem, Skeleton } from "../ui/basics";
import "./signInWays.css";

interface Identity {
  readonly id: string;
  readonly slug: string;
  readonly name: string;
  readonly email: string;
  readonly created_at: string;
  readonly used_at: string | null;
}

interface Ways {
  readonly issuers: readonly IssuerButton[];
  readonly identities: readonly Identity[];
}

interface SignInWaysProps {
  /** Runs a dangerous call, asking for a proof first where the hub wants one. */
  readonly withProof: <Answer>(run: () => Promise<Answer>) => Promise<Answer>;
  readonly go?: (url: string) => void;
}

const leave = (url: string): void => window.location.assign(url);

async function load(): Promise<Ways> {
  const [offered, own] = await Promise.all([issuersApi.list(), call<{ identities: readonly Identity[] }>("GET", "/identities")]);
  return { issuers: offered.issuers, identities: own.identities };
}

export function SignInWays({ withProof, go = leave }: SignInWaysProps) {
  const [returned] = useState(() => ({ ...readReturned(window.location.hash), linked: new URLSearchParams(window.location.hash.slice(1)).get("linked") }));
  const [ways, setWays] = useState<Ways | null>(null);
  const [failed, setFailed] = useState("");
  const [problem, setProblem] = useState(returned.error === "" ? "" : wordsFor(returned.error));
  const [busy, setBusy] = useState("");
  const read = useCallback(() => {
    setFailed("");
    load().then(setWays, (refusal: unknown) => setFailed(refusal instanceof ApiError ? refusal.message : wordsFor("")));
  }, []);
  useEffect(() => {
    if (returned.error !== "" || returned.linked !== null) window.history.replaceState(null, "", window.location.pathname);
    read();
  }, [read, returned]);
  const run = async (key: string, work: () => Promise<void>): Promise<void> => {
    setBusy(key);
    setProblem("");
    try {
      await withProof(work);
    } catch (refusal) {
      setProblem(refusal instanceof ApiError ? refusal.message : wordsFor(""));
    }
    setBusy("");
  };
  const link = (slug: string) => run(slug, async () => go((await call<{ url: string }>("POST", `/identity-links/${encodeURIComponent(slug)}`)).url));
  const unlink = (id: string) => run(id, async () => {
    await call<undefined>("DELETE", `/identities/${encodeURIComponent(id)}`);
    read();
  });
  if (failed !== "") return <Problem message={failed} onRetry={read} />;
  if (ways === null) return <Skeleton rows={2} className="skeleton-thread" />;
  const free = ways.issuers.filter((one) => !ways.identities.some((linked) => linked.slug === one.slug));
  const linkedName = ways.issuers.find((one) => one.slug === returned.linked)?.name;
  return (
    <section className="sign-in-ways" aria-label="Linked accounts">
      {linkedName !== undefined && <p role="status">{linkedName} opens your account from now on.</p>}
      {problem !== "" && <p className="form-problem" role="alert">{problem}</p>}
      {ways.identities.length === 0 && <p>No other account opens yours.{free.length === 0 && " This hub offers none."}</p>}
      <ul>
        {ways.identities.map((one) => (
          <li key={one.id}>
            <div><strong>{one.name}</strong><span>{one.email}</span><span>{one.used_at === null ? `Linked ${calendarDay(one.created_at)}` : `Last used ${calendarDay(one.used_at)}`}</span></div>
            <Button look="danger" busy={busy === one.id} disabled={busy !== ""} aria-label={`Remove ${one.name} ${one.email}`} onClick={() => void unlink(one.id)}>Remove</Button>
          </li>
        ))}
      </ul>
      <div className="sign-in-ways-add">
        {free.map((one) => <Button key={one.slug} busy={busy === one.slug} disabled={busy !== ""} onClick={() => void link(one.slug)}>Link {one.name}</Button>)}
      </div>
    </section>
  );
}
