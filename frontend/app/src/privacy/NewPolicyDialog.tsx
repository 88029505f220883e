/** A new rule: what it would take today is counted before it is made. */
import { useState } from "react";
import { useFeed } from "../context";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { useStepUp } from "../account/StepUp";
import { Select } from "../people/parts";
import type { Extent } from "../types.gen";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showToast } from "../ui/toasts";
import { usePrivacyCalls } from "./calls";
import type { NewPolicy } from "./calls";
import { extentWords, isNothing } from "./extent";

interface DialogProps {
  readonly onClose: () => void;
  readonly onSaved: () => void;
}

export function NewPolicyDialog({ onClose, onSaved }: DialogProps) {
  const calls = usePrivacyCalls();
  const withProof = useStepUp();
  const inboxes = useFeed((state) => state.inboxes);
  const accounts = useFeed((state) => state.channelAccounts);
  const places = [
    ...Object.values(inboxes).map((one) => ({ value: `inbox:${one.id}`, label: `Inbox ${one.name}` })),
    ...Object.values(accounts).map((one) => ({ value: `account:${one.id}`, label: `Channel ${one.name}` })),
  ];
  const [place, setPlace] = useState(places[0]?.value ?? "");
  const [days, setDays] = useState("365");
  const [closedOnly, setClosedOnly] = useState(true);
  const [seen, setSeen] = useState<Extent | null>(null);
  const [kind, id = ""] = place.split(":");
  const policy: NewPolicy = { days: Number(days), closed_only: closedOnly, ...(kind === "inbox" ? { inbox_id: id } : { channel_account_id: id }) };
  const form = useForm(["days", "inbox_id", "channel_account_id"], async () => {
    if (seen === null) return setSeen((await calls.previewPolicy(policy)).extent);
    await withProof(() => calls.addPolicy(policy));
    showToast("The rule is saved.");
    onSaved();
    onClose();
  });
  const changing = <Value,>(set: (value: Value) => void) => (value: Value): void => {
    setSeen(null);
    set(value);
  };
  return (
    <Dialog title="How long to keep conversations" onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <Select label="Of" value={place} options={places} onChange={changing(setPlace)} problem={form.problemOf("inbox_id") || form.problemOf("channel_account_id")} />
        <TextField label="Days after the last message" type="number" min={1} max={36500} required value={days} onChange={(event) => changing(setDays)(event.target.value)} problem={form.problemOf("days")} />
        <label className="tick"><input type="checkbox" checked={closedOnly} onChange={() => changing(setClosedOnly)(!closedOnly)} /><span>Closed conversations only</span></label>
        {seen !== null && (
          <p className={isNothing(seen) ? "notice" : "notice notice-warn"} role="status">
            {isNothing(seen) ? "Nothing is that old today." : `Within a day this is erased for good: ${extentWords(seen)}`}
          </p>
        )}
        <FormFoot form={form} label={seen === null ? "See what it would take" : "Save the rule"} />
      </form>
    </Dialog>
  );
}
