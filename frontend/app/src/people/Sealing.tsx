/** How the workspace keeps its messages: readable for the database, or sealed; what that costs, and how far a change is. */
import { useEffect, useState } from "react";
import { calendarDay } from "../lib/time";
import type { SealingView } from "../types.gen";
import { Button, Problem, Skeleton } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { useAct, useAsked, usePeopleCalls } from "./useAct";

const LOOK_EVERY_MS = 2_000;
const LOSES = "Search cannot look into sealed messages. It still finds contacts by name, address and number.";

type State = SealingView["sealing"]["state"];

const SAYS: Readonly<Record<State, string>> = {
  open: "Messages are protected by access rules and by the disk's encryption. Whoever reads the database itself, a copy of it or a backup can read them.",
  sealing: "New messages are sealed already. Those that are stored follow; you can keep working.",
  sealed: "The text of messages, notes, subjects and previews is sealed with a key of this workspace. Names, addresses, times and files are not.",
  opening: "New messages are kept unsealed already. Those that are stored follow; you can keep working.",
};

export function Sealing() {
  const calls = usePeopleCalls();
  const { answer, problem, reload } = useAsked(calls.sealing);
  const { busy, act } = useAct();
  const [asking, setAsking] = useState<"seal" | "open" | null>(null);
  const state = answer?.sealing.state;
  const moving = state === "sealing" || state === "opening";
  useEffect(() => {
    if (!moving) return undefined;
    const timer = setTimeout(reload, LOOK_EVERY_MS);
    return () => clearTimeout(timer);
  }, [moving, answer, reload]);
  const run = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    if (!(await act(what, done))) return;
    setAsking(null);
    reload();
  };
  return (
    <section className="people-card" aria-labelledby="sealing">
      <h2 id="sealing">Sealed messages</h2>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      {answer !== null && <Now view={answer} />}
      {answer !== null && !moving && (
        <div className="people-acts">
          {state === "open" && <Button icon="shield" busy={busy} onClick={() => setAsking("seal")}>Seal messages</Button>}
          {state === "sealed" && <Button icon="key" busy={busy} onClick={() => void run(calls.changeSealingKey, "The key is changed.")}>Change the key</Button>}
          {state === "sealed" && <Button busy={busy} onClick={() => setAsking("open")}>Keep them unsealed again</Button>}
        </div>
      )}
      {asking === "seal" && (
        <Confirm title="Seal messages?" confirm="Seal messages" busy={busy} onClose={() => setAsking(null)} onConfirm={() => void run(() => calls.setSealing(true), "New messages are sealed from now on.")}>
          {LOSES} Everybody here reads and writes as before. It can be undone.
        </Confirm>
      )}
      {asking === "open" && (
        <Confirm title="Keep messages unsealed?" confirm="Keep them unsealed" busy={busy} onClose={() => setAsking(null)} onConfirm={() => void run(() => calls.setSealing(false), "New messages are kept unsealed from now on.")}>
          Whoever reads the database itself, a copy of it or a backup can read them then.
        </Confirm>
      )}
    </section>
  );
}

function Now({ view: { sealing } }: { readonly view: SealingView }) {
  const moving = sealing.state === "sealing" || sealing.state === "opening";
  return (
    <>
      <p>{SAYS[sealing.state]}</p>
      {sealing.search !== "" && <p className="notice">{sealing.search}</p>}
      {sealing.state === "sealed" && sealing.key_made_at !== null && <p>The key is of {calendarDay(sealing.key_made_at)}.</p>}
      {moving && (
        <div className="progress-line">
          <progress max={sealing.total || 1} value={sealing.done} aria-label={sealing.state === "sealing" ? "Sealing stored messages" : "Opening stored messages"} />
          <span className="progress-count">{sealing.done.toLocaleString("en")} of about {sealing.total.toLocaleString("en")}</span>
        </div>
      )}
    </>
  );
}
