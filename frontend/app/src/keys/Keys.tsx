/** Settings → Keys and tokens: what lets programs in. Everybody has personal tokens; the workspace's keys are for who manages them. */
import { useCallback, useEffect, useMemo, useState } from "react";
import { useClient, useFeed } from "../context";
import { readCatalogue } from "../people/calls";
import { PageHead } from "../people/parts";
import { useAct, useAsked } from "../people/useAct";
import { useStepUp, isCancelled } from "../account/StepUp";
import { may } from "../sync/state";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { showError } from "../ui/toasts";
import { keyCalls } from "./calls";
import type { ApiKey, MadeKey } from "./calls";
import { KeyDialog, TokenOnce } from "./KeyDialog";
import { KeyRow } from "./KeyRow";

export function Keys() {
  const mayManage = useFeed((state) => may(state, "keys.manage"));
  return (
    <div className="settings-page">
      <PageHead title="Keys and tokens" action={<a className="button button-quiet" href="/api/docs" target="_blank" rel="noreferrer">How to call the hub</a>}>
        What lets your own programs in. Each is shown once; keep it where you keep passwords.
      </PageHead>
      {mayManage && <KeyList kind="workspace" title="Keys of the workspace" about="They act as themselves: what one writes carries its name. For programs that many rely on." make="Make a key" />}
      <KeyList kind="personal" title="Your personal tokens" about="They act as you, and never may more than you. For your own scripts; only you see them." make="Make a token" />
    </div>
  );
}

interface ListProps {
  readonly kind: ApiKey["kind"];
  readonly title: string;
  readonly about: string;
  readonly make: string;
}

function KeyList({ kind, title, about, make }: ListProps) {
  const { workspaceId } = useClient();
  const calls = useMemo(() => keyCalls(workspaceId, kind), [workspaceId, kind]);
  const withProof = useStepUp();
  const { busy, act } = useAct();
  const { answer: catalogue } = useAsked(readCatalogue);
  const [keys, setKeys] = useState<readonly ApiKey[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const [making, setMaking] = useState(false);
  const [made, setMade] = useState<MadeKey | null>(null);
  const [asked, setAsked] = useState<{ readonly key: ApiKey; readonly what: "rotate" | "revoke" } | null>(null);
  const load = useCallback(async (before: string | null): Promise<void> => {
    try {
      const page = await calls.list(before);
      setKeys((held) => (before === null ? page.keys : [...(held ?? []), ...page.keys]));
      setNext(page.next);
      setProblem("");
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "They could not be loaded.");
    }
  }, [calls]);
  useEffect(() => void load(null), [load]);
  const revoke = async (key: ApiKey): Promise<void> => {
    if (!(await act(() => calls.revoke(key.id), `${key.name} is revoked.`))) return;
    setAsked(null);
    await load(null);
  };
  const rotate = async (key: ApiKey): Promise<void> => {
    try {
      setMade(await withProof(() => calls.rotate(key.id)));
      setAsked(null);
      await load(null);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
  };
  const words = catalogue?.permissions ?? [];
  return (
    <section className="people-section" aria-labelledby={`keys-${kind}`}>
      <div className="people-line">
        <div className="people-words"><h2 className="settings-title" id={`keys-${kind}`}>{title}</h2><span>{about}</span></div>
        <Button icon="plus" disabled={catalogue === null} onClick={() => setMaking(true)}>{make}</Button>
      </div>
      {problem !== "" && <Problem message={problem} onRetry={() => void load(null)} />}
      {keys === null && problem === "" && <Skeleton rows={2} className="skeleton-thread" />}
      {keys?.length === 0 && <Empty icon="key" title="None yet">{kind === "personal" ? "Make one when a script of yours should read or write here." : "Make one when another program should read or write here."}</Empty>}
      {keys !== null && keys.length > 0 && <ul className="cards-list">{keys.map((key) => <KeyRow key={key.id} held={key} words={words} onRotate={() => setAsked({ key, what: "rotate" })} onRevoke={() => setAsked({ key, what: "revoke" })} />)}</ul>}
      {next !== null && <Button className="letters-more" onClick={() => void load(next)}>Show more</Button>}
      {making && <KeyDialog title={make} calls={calls} words={words} onClose={() => setMaking(false)} onMade={(answer) => { setMaking(false); setMade(answer); void load(null); }} />}
      {made !== null && <TokenOnce made={made} onClose={() => setMade(null)} />}
      {asked?.what === "revoke" && (
        <Confirm title={`Revoke ${asked.key.name}?`} confirm="Revoke" danger busy={busy} onClose={() => setAsked(null)} onConfirm={() => void revoke(asked.key)}>
          Programs that use it are refused at once. This cannot be undone.
        </Confirm>
      )}
      {asked?.what === "rotate" && (
        <Confirm title={`Rotate ${asked.key.name}?`} confirm="Rotate" onClose={() => setAsked(null)} onConfirm={() => void rotate(asked.key)}>
          You get a new token. The one before goes on working for 24 hours, so that nothing stops meanwhile.
        </Confirm>
      )}
    </section>
  );
}
