/** What a person agreed to and took back: the newest of each purpose is what holds. */
import { useCallback, useState } from "react";
import { useFeed } from "../context";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { calendarDay } from "../lib/time";
import { Select } from "../people/parts";
import { useAct, useAsked } from "../people/useAct";
import { may } from "../sync/state";
import type { Consent, Uuid } from "../types.gen";
import { Button, Problem, Skeleton } from "../ui/basics";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import { usePrivacyCalls } from "./calls";

/** Of GDPR Art. 6(1). */
const BASES: readonly { readonly value: Consent["basis"]; readonly label: string }[] = [
  { value: "consent", label: "They agreed" },
  { value: "contract", label: "A contract needs it" },
  { value: "legal_obligation", label: "The law asks for it" },
  { value: "legitimate_interests", label: "Legitimate interest" },
  { value: "public_task", label: "A public task" },
  { value: "vital_interests", label: "Vital interests" },
];

export function Consents({ contactId }: { readonly contactId: Uuid }) {
  const calls = usePrivacyCalls();
  const read = useCallback(() => calls.consents(contactId), [calls, contactId]);
  const { answer, problem, reload } = useAsked(read);
  const mayWrite = useFeed((state) => may(state, "contacts.write"));
  const [adding, setAdding] = useState(false);
  const holding = newestOfEach(answer?.consents ?? []);
  return (
    <section aria-labelledby="agreed">
      <h3 id="agreed">What they agreed to</h3>
      {problem !== "" && <Problem message={problem} onRetry={reload} />}
      {answer === null && problem === "" && <Skeleton rows={1} className="skeleton-thread" />}
      {answer !== null && holding.length === 0 && <p>Nothing is noted.</p>}
      <ul className="cards-list">{holding.map((one) => <ConsentRow key={one.id} consent={one} mayWrite={mayWrite} onChanged={reload} />)}</ul>
      {mayWrite && !adding && <div className="people-acts"><Button icon="plus" onClick={() => setAdding(true)}>Note a consent</Button></div>}
      {adding && <NewConsentForm contactId={contactId} onClose={() => setAdding(false)} onSaved={reload} />}
    </section>
  );
}

interface RowProps {
  readonly consent: Consent;
  readonly mayWrite: boolean;
  readonly onChanged: () => void;
}

function ConsentRow({ consent, mayWrite, onChanged }: RowProps) {
  const calls = usePrivacyCalls();
  const { busy, act } = useAct();
  const { purpose, channel, basis } = consent;
  const withdraw = async (): Promise<void> => {
    const entry = { purpose, channel, basis, state: "withdrawn", source: "Told a member" } as const;
    if (await act(() => calls.addConsent(consent.contact_id, entry), "It is noted as taken back.")) onChanged();
  };
  return (
    <li className="people-line">
      <span className="people-words">
        <strong>{purpose}{channel === "" ? "" : ` by ${channel}`}</strong>
        <span>{BASES.find((one) => one.value === basis)?.label}, {calendarDay(consent.occurred_at)}: {consent.source}</span>
      </span>
      <span className={consent.state === "given" ? "tag" : "tag tag-warn"}>{consent.state === "given" ? "Holds" : "Taken back"}</span>
      {mayWrite && consent.state === "given" && <Button busy={busy} onClick={() => void withdraw()}>Take back</Button>}
    </li>
  );
}

interface NewConsentProps {
  readonly contactId: Uuid;
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

function NewConsentForm({ contactId, onClose, onSaved }: NewConsentProps) {
  const calls = usePrivacyCalls();
  const [purpose, setPurpose] = useState("");
  const [source, setSource] = useState("");
  const [basis, setBasis] = useState<Consent["basis"]>("consent");
  const form = useForm(["purpose", "source"], async () => {
    await calls.addConsent(contactId, { purpose, source, basis, state: "given" });
    showToast("The consent is noted.");
    onSaved();
    onClose();
  });
  return (
    <form className="form" onSubmit={form.onSubmit}>
      <div className="privacy-two">
        <TextField label="What for" required maxLength={40} placeholder="newsletter" help="Lower-case letters, digits and _." value={purpose} onChange={(event) => setPurpose(event.target.value)} problem={form.problemOf("purpose")} />
        <Select label="Why it may be" value={basis} options={BASES} onChange={(value) => setBasis(BASES.find((one) => one.value === value)?.value ?? "consent")} />
      </div>
      <TextField label="Where it was said" required maxLength={200} placeholder="On the phone, 12 November" value={source} onChange={(event) => setSource(event.target.value)} problem={form.problemOf("source")} />
      <FormFoot form={form} label="Note it" />
    </form>
  );
}

/** The list is newest first. */
function newestOfEach(consents: readonly Consent[]): readonly Consent[] {
  const seen = new Set<string>();
  return consents.filter(({ purpose, channel }) => {
    const key = `${purpose} ${channel}`;
    return !seen.has(key) && seen.add(key);
  });
}
