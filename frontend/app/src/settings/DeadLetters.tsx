/** Settings → Unreadable: what channels delivered and the hub could not read; read it, try again, or drop it. */
import { useCallback, useEffect, useState } from "react";
import { useClient, useFeed, useSignedIn } from "../context";
import { sizeText } from "../files/kinds";
import { channelName } from "../lib/names";
import { plural } from "../lib/text";
import { fullTime } from "../lib/time";
import type { DeadLetterDetail, DeadLetterView, Uuid } from "../types.gen";
import { Button, ChannelIcon, Empty, Problem, Skeleton } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { showError, showToast } from "../ui/toasts";

const STATES = [["new", "Waiting"], ["replayed", "Tried again"], ["dropped", "Dropped"]] as const;
type LetterState = (typeof STATES)[number][0];

export function DeadLetters() {
  const { api } = useClient();
  const [state, setState] = useState<LetterState>("new");
  const { letters, next, problem, load, reload } = useLetters(state);
  const [shown, setShown] = useState<DeadLetterDetail | null>(null);
  const [dropping, setDropping] = useState<DeadLetterView | null>(null);
  const [busy, setBusy] = useState(false);
  const act = async (what: () => Promise<unknown>, done: string): Promise<void> => {
    setBusy(true);
    try {
      await what();
      showToast(done);
      setShown(null);
      setDropping(null);
      reload();
    } catch (error) {
      showError(error);
    }
    setBusy(false);
  };
  const replay = (ids: readonly Uuid[]): Promise<void> => act(() => api.replayDeadLetters(ids), ids.length === 1 ? "It is being read again." : `${ids.length} are being read again.`);
  const show = (letter: DeadLetterView): void => {
    api.deadLetter(letter.id).then(setShown, showError);
  };
  return (
    <div className="settings-page">
      <header className="settings-head">
        <h1>Unreadable</h1>
        <p>What a channel delivered and the hub could not read is kept here with every byte. Try it again after an update, or drop it.</p>
      </header>
      <div className="letters-head">
        <div className="segments" role="group" aria-label="Which">
          {STATES.map(([value, label]) => <button key={value} type="button" className="segment" aria-pressed={value === state} onClick={() => setState(value)}>{label}</button>)}
        </div>
        {state === "new" && letters !== null && letters.length > 1 && (
          <Button icon="refresh" busy={busy} onClick={() => void replay(letters.map((one) => one.id))}>Try all {letters.length} again</Button>
        )}
      </div>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {letters === null && problem === "" && <Skeleton rows={3} className="skeleton-thread" />}
      {letters?.length === 0 && (
        <Empty icon="check" title={state === "new" ? "Everything could be read" : "Nothing here"}>
          {state === "new" ? "Should a channel ever deliver something the hub does not understand, it waits here instead of getting lost." : "What was tried again or dropped is listed here."}
        </Empty>
      )}
      {letters !== null && letters.length > 0 && (
        <ul className="cards-list">
          {letters.map((letter) => (
            <Letter key={letter.id} letter={letter} busy={busy} onShow={() => show(letter)} onReplay={() => void replay([letter.id])} onDrop={() => setDropping(letter)} />
          ))}
        </ul>
      )}
      {next !== null && <Button className="letters-more" onClick={() => void load(next)}>Show more</Button>}
      {shown !== null && <Content view={shown} onClose={() => setShown(null)} />}
      {dropping !== null && (
        <Confirm title="Drop it?" confirm="Drop" danger busy={busy} onClose={() => setDropping(null)}
          onConfirm={() => void act(() => api.dropDeadLetter(dropping.id), "Dropped.")}>
          Whatever it said will not reach the inbox. It stays in the list of dropped ones.
        </Confirm>
      )}
    </div>
  );
}

interface LetterProps {
  readonly letter: DeadLetterView;
  readonly busy: boolean;
  readonly onShow: () => void;
  readonly onReplay: () => void;
  readonly onDrop: () => void;
}

function Letter({ letter, busy, onShow, onReplay, onDrop }: LetterProps) {
  const { manifests } = useSignedIn();
  const account = useFeed((state) => state.channelAccounts[letter.channel_account_id]);
  const manifest = manifests.find((one) => one.id === letter.channel);
  return (
    <li className="letter">
      <span className="start-icon"><ChannelIcon channel={manifest} size={18} /></span>
      <div className="letter-text">
        <strong>{letter.error}</strong>
        <span>{account?.name ?? channelName(manifest, letter.channel)} · came {fullTime(letter.received_at)} · {sizeText(letter.size_bytes)}</span>
      </div>
      <div className="letter-acts">
        <Button icon="eye" onClick={onShow}>Look</Button>
        {letter.state !== "replayed" && <Button icon="refresh" busy={busy} onClick={onReplay}>Try again</Button>}
        {letter.state === "new" && <Button look="ghost" icon="trash" className="button-remove" onClick={onDrop}>Drop</Button>}
      </div>
    </li>
  );
}

function Content({ view, onClose }: { readonly view: DeadLetterDetail; readonly onClose: () => void }) {
  const { dead_letter: letter, body_text, is_binary } = view;
  return (
    <Dialog title="As it came" wide onClose={onClose}>
      <p className="dialog-text">{letter.error}</p>
      <pre className="letter-body" dir="auto">{body_text}</pre>
      <p className="field-help">{[sizeText(letter.size_bytes), is_binary ? "not text: shown as well as can be" : "", letter.size_bytes > body_text.length ? `first ${plural(body_text.length, "character")}` : ""].filter((part) => part !== "").join(" · ")}</p>
    </Dialog>
  );
}

function useLetters(state: LetterState) {
  const { api } = useClient();
  const [letters, setLetters] = useState<readonly DeadLetterView[] | null>(null);
  const [next, setNext] = useState<string | null>(null);
  const [problem, setProblem] = useState("");
  const [round, setRound] = useState(0);
  const load = useCallback(async (before: string | null): Promise<void> => {
    try {
      const page = await api.deadLetters({ state, before, limit: 50 });
      setLetters((held) => (before === null ? page.dead_letters : [...(held ?? []), ...page.dead_letters]));
      setNext(page.next);
    } catch (error) {
      setProblem(error instanceof Error ? error.message : "They could not be loaded.");
    }
  }, [api, state]);
  useEffect(() => {
    setLetters(null);
    setProblem("");
    void load(null);
  }, [load, round]);
  return { letters, next, problem, load, reload: () => setRound((held) => held + 1) };
}
