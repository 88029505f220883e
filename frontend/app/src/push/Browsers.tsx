/** Push in this browser, switched on by a click, and the list of all browsers of this person. */
import { useCallback, useEffect, useState } from "react";
import { calendarDay } from "../lib/time";
import { Button, Problem } from "../ui/basics";
import { Icon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";
import { agentName } from "./agents";
import { ownId, pushCalls, standing, turnOff, turnOn } from "./device";
import type { Fate, OwnBrowser, Standing } from "./device";

const FATES: Readonly<Record<Fate, string>> = {
  sent: "Sent. It should appear in a moment.",
  gone: "That browser takes no pushes any more. It was removed.",
  later: "The push service did not answer. Try again in a minute.",
  refused: "The push service did not take it.",
};
const ABOUT: Readonly<Record<Standing, string>> = {
  on: "This browser is told.",
  off: "Your browser asks once whether the hub may show notifications.",
  blocked: "Notifications are blocked for this site. Allow them in the browser's settings of this site, then come back.",
  unsupported: "This browser takes no pushes. On an iPhone or iPad, add the hub to the home screen first.",
};

export function Browsers() {
  const [state, setState] = useState<Standing | null>(null);
  const [list, setList] = useState<readonly OwnBrowser[] | null>(null);
  const [failed, setFailed] = useState("");
  const [busy, setBusy] = useState("");

  const load = useCallback(async (): Promise<void> => {
    setFailed("");
    try {
      const [now, { browsers }] = await Promise.all([standing(), pushCalls.list()]);
      setState(now);
      setList(browsers);
    } catch (error) {
      setFailed((error as Error).message);
    }
  }, []);
  useEffect(() => void load(), [load]);

  const act = async (name: string, work: () => Promise<void>): Promise<void> => {
    setBusy(name);
    try {
      await work();
    } catch (error) {
      showError(error instanceof DOMException ? new Error("The browser could not reach its push service. Try again later.") : error);
    } finally {
      await load();
      setBusy("");
    }
  };
  const tryOut = (id: string) => act(id, async () => showToast(FATES[(await pushCalls.tryOut(id)).fate]));
  const remove = (one: OwnBrowser) => act(one.id, () => (one.id === ownId() ? turnOff() : pushCalls.remove(one.id)));

  if (failed !== "") return <Problem message={failed} onRetry={() => void load()} />;
  if (state === null || list === null) return <p role="status" className="field-help">Looking at this browser…</p>;
  const on = state === "on" && list.some((one) => one.id === ownId());
  return (
    <div className="browsers">
      <p className="field-help">{ABOUT[state === "on" && !on ? "off" : state]}</p>
      <div className="browsers-acts">
        {on
          ? <Button busy={busy === "this"} onClick={() => void act("this", turnOff)}>Stop in this browser</Button>
          : <Button look="primary" icon="bell" busy={busy === "this"} disabled={state === "blocked" || state === "unsupported"}
              onClick={() => void act("this", async () => { await turnOn(); })}>Notify me in this browser</Button>}
      </div>
      {list.length > 0 && (
        <ul className="cards-list" aria-label="Browsers that are told">
          {list.map((one) => <Row key={one.id} one={one} busy={busy === one.id} onTry={() => void tryOut(one.id)} onRemove={() => void remove(one)} />)}
        </ul>
      )}
    </div>
  );
}

interface RowProps {
  readonly one: OwnBrowser;
  readonly busy: boolean;
  readonly onTry: () => void;
  readonly onRemove: () => void;
}

function Row({ one, busy, onTry, onRemove }: RowProps) {
  const name = agentName(one.user_agent);
  return (
    <li className="browser">
      <Icon name={/iOS|Android/.test(name) ? "phone" : "bell"} />
      <span className="browser-who"><strong>{name}{one.id === ownId() && " (this one)"}</strong><span>Since {calendarDay(one.created_at)}</span></span>
      <Button busy={busy} onClick={onTry} aria-label={`Send a test to ${name}`}>Send a test</Button>
      <Button look="ghost" icon="trash" disabled={busy} onClick={onRemove} aria-label={`Remove ${name}`}>Remove</Button>
    </li>
  );
}
