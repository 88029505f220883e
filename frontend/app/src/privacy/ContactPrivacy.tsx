/** One person's rights: what they agreed to, everything known of them as a file, and being forgotten. */
import { useCallback, useEffect, useState } from "react";
import { isCancelled, useStepUp } from "../account/StepUp";
import { useFeed } from "../context";
import { contactName } from "../lib/names";
import { ago, calendarDay } from "../lib/time";
import { useAct, useAsked } from "../people/useAct";
import { may } from "../sync/state";
import type { Contact, Export, PreviewView } from "../types.gen";
import { Button, Problem, Skeleton } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { Consents } from "./Consents";
import { usePrivacyCalls } from "./calls";
import { extentWords } from "./extent";
import "../people/people.css";
import "./privacy.css";

const LOOK_EVERY_MS = 2_000;

interface ContactPrivacyProps {
  readonly contact: Contact;
  readonly onClose: () => void;
}

export function ContactPrivacy({ contact, onClose }: ContactPrivacyProps) {
  const manages = useFeed((state) => may(state, "privacy.manage"));
  return (
    <Dialog title={`Privacy of ${contactName(contact)}`} wide onClose={onClose}>
      <div className="privacy-parts">
        <Consents contactId={contact.id} />
        {manages && <Exports contact={contact} />}
        {manages && <Forget contact={contact} onDone={onClose} />}
        {!manages && <p>Files of what is known of somebody, and erasing people, are for those who may manage privacy.</p>}
      </div>
    </Dialog>
  );
}

function Exports({ contact }: { readonly contact: Contact }) {
  const calls = usePrivacyCalls();
  const read = useCallback(() => calls.exports(contact.id), [calls, contact.id]);
  const { answer, problem, reload } = useAsked(read);
  const { busy, act } = useAct();
  const waits = answer?.exports.some((one) => one.state === "queued" || one.state === "running") === true;
  useEffect(() => {
    if (!waits) return undefined;
    const timer = setTimeout(reload, LOOK_EVERY_MS);
    return () => clearTimeout(timer);
  }, [waits, answer, reload]);
  const ask = async (): Promise<void> => {
    if (await act(() => calls.requestExport(contact.id), "The file is being made.")) reload();
  };
  return (
    <section aria-labelledby="known">
      <h3 id="known">Everything known of them</h3>
      <p>A zip with their messages, files and what was noted, to hand over. Only who asked for it can fetch it, for seven days.</p>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      <ul className="cards-list">{answer?.exports.map((one) => <ExportRow key={one.id} made={one} contact={contact} />)}</ul>
      <div className="people-acts"><Button icon="download" busy={busy} disabled={waits} onClick={() => void ask()}>Make a file</Button></div>
    </section>
  );
}

function ExportRow({ made, contact }: { readonly made: Export; readonly contact: Contact }) {
  const calls = usePrivacyCalls();
  const me = useFeed((state) => state.me.id);
  const fetchIt = async (): Promise<void> => {
    try {
      const { url } = await calls.readExport(contact.id, made.id);
      if (url === null) return showToast("The file is not there any more.");
      window.location.assign(url);
    } catch (error) {
      showError(error);
    }
  };
  return (
    <li className="people-line">
      <span className="people-words">
        <strong>Asked for {ago(made.created_at, new Date())}</strong>
        <span>{made.state === "ready" ? `There until ${calendarDay(made.expires_at)}` : made.state === "failed" ? "It could not be made. Ask again." : "Being made"}</span>
      </span>
      {made.state === "ready" && (made.requested_by === me
        ? <Button icon="download" onClick={() => void fetchIt()}>Fetch</Button>
        : <span className="tag">Somebody else’s</span>)}
      {(made.state === "running" || made.state === "queued") && <progress max={made.total || 1} value={made.done} aria-label="Making the file" />}
    </li>
  );
}

function Forget({ contact, onDone }: { readonly contact: Contact; readonly onDone: () => void }) {
  const calls = usePrivacyCalls();
  const withProof = useStepUp();
  const [preview, setPreview] = useState<PreviewView | null>(null);
  const [typed, setTyped] = useState("");
  const [busy, setBusy] = useState(false);
  const name = contactName(contact);
  const run = async (what: () => Promise<void>): Promise<void> => {
    setBusy(true);
    try {
      await what();
    } catch (error) {
      if (!isCancelled(error)) showError(error);
      // More may have come meanwhile: it is counted anew.
      setPreview(null);
    }
    setBusy(false);
  };
  const look = (): Promise<void> => run(async () => setPreview(await calls.previewErasure(contact.id)));
  const erase = (digest: string): Promise<void> => run(async () => {
    await withProof(() => calls.erase(contact.id, digest));
    showToast(`${name} is being erased. Settings → Privacy shows how far it is.`);
    onDone();
  });
  return (
    <section aria-labelledby="forget">
      <h3 id="forget">Being forgotten</h3>
      <p>Takes the person, what they wrote and got, and their files, everywhere, also out of what is kept for others. It cannot be taken back.</p>
      {preview === null
        ? <div className="people-acts"><Button look="danger" icon="trash" busy={busy} onClick={() => void look()}>Erase this person…</Button></div>
        : (
          <form className="form" onSubmit={(event) => { event.preventDefault(); void erase(preview.digest); }}>
            <p className="notice notice-warn" role="status">{extentWords(preview.extent)}</p>
            <TextField label={`Type “${name}” to go on`} value={typed} autoComplete="off" onChange={(event) => setTyped(event.target.value)} />
            <div className="people-acts">
              <Button onClick={() => setPreview(null)}>Cancel</Button>
              <Button type="submit" look="danger" busy={busy} disabled={typed.trim() !== name}>Erase for good</Button>
            </div>
          </form>
        )}
    </section>
  );
}
