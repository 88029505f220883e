/** The telephone in this browser: on and off in the rail, and a card while it rings or somebody talks. */
import { useEffect, useMemo, useState } from "react";
import { createPortal } from "react-dom";
import { useClient, useFeed, useSignal } from "../../context";
import { contactName } from "../../lib/names";
import type { State } from "../../sync/state";
import type { Contact, SoftphoneView, Uuid } from "../../types.gen";
import { Button, IconButton } from "../../ui/basics";
import { Icon } from "../../ui/icons";
import { lengthText } from "../words";
import type { OpenLine } from "./line";
import { Telephone } from "./telephone";
import "./telephone.css";

interface TelephoneRailProps {
  readonly accountId: Uuid;
  /** Loads the vendor's library; tests give their own. */
  readonly open?: (library: SoftphoneView["library"]) => Promise<OpenLine>;
}

const openLibrary = async (): Promise<OpenLine> => (await import("./twilio")).openTwilioLine;

export function TelephoneRail({ accountId, open = openLibrary }: TelephoneRailProps) {
  const { api } = useClient();
  const phone = useMemo(() => new Telephone(accountId, () => api.softphone(accountId), open), [api, accountId, open]);
  useEffect(() => () => phone.turnOff(), [phone]);
  const { phase, problem } = useSignal(phone.state);
  const on = phase !== "off" && phase !== "opening";
  return (
    <>
      <IconButton className={`rail-item telephone-switch${on ? " telephone-on" : ""}`} icon="callIn" aria-pressed={on} disabled={phase === "opening"}
        label={on ? "Take no more calls in this browser" : "Take calls in this browser"} onClick={() => (on ? phone.turnOff() : void phone.turnOn())} />
      {(phase === "ringing" || phase === "calling" || phase === "talking" || problem !== "")
        // Not in the rail: phones hide that beside an open conversation.
        && createPortal(<TelephoneCard phone={phone} />, document.body)}
    </>
  );
}

const contactOf = (state: State, number: string): Contact | undefined =>
  Object.values(state.contacts).find((one) => one.identities.some(({ scheme, value }) => scheme === "phone" && value === number));

function TelephoneCard({ phone }: { readonly phone: Telephone }) {
  const { phase, who, since_ms, muted, problem } = useSignal(phone.state);
  const caller = useFeed((state) => contactOf(state, who));
  const name = caller === undefined ? who || "Withheld number" : contactName(caller);
  if (phase === "off" || phase === "ready" || phase === "opening") {
    return <section className="telephone" aria-label="Telephone"><p className="telephone-problem" role="alert"><Icon name="alert" size={14} /> {problem}</p></section>;
  }
  return (
    <section className="telephone" aria-label="Telephone">
      <div className="telephone-who" role={phase === "ringing" ? "alert" : "status"}>
        <strong>{name}</strong>
        <span>{phase === "ringing" ? "calls" : phase === "calling" ? "Ringing…" : <Since from_ms={since_ms} />}</span>
      </div>
      <div className="telephone-acts">
        {phase === "ringing" ? (
          <>
            <Button look="primary" icon="callIn" onClick={() => phone.accept()}>Take the call</Button>
            <Button look="quiet" onClick={() => phone.reject()}>Not now</Button>
          </>
        ) : (
          <>
            {phase === "talking" && <Button look="quiet" aria-pressed={muted} onClick={() => phone.mute(!muted)}>{muted ? "Unmute" : "Mute"}</Button>}
            <Button look="danger" onClick={() => phone.hangUp()}>Hang up</Button>
          </>
        )}
      </div>
    </section>
  );
}

function Since({ from_ms }: { readonly from_ms: number | null }) {
  const [now_ms, setNow] = useState(Date.now);
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), 1_000);
    return () => clearInterval(timer);
  }, []);
  return <>{lengthText(from_ms === null ? 0 : Math.max(0, Math.round((now_ms - from_ms) / 1000)))}</>;
}
