/** One's passkeys: added on this device, named, removed. */
import { useState } from "react";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { hasPasskeys, makePasskey } from "../lib/passkey";
import { calendarDay } from "../lib/time";
import { Button } from "../ui/basics";
import { Confirm, Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showError, showToast } from "../ui/toasts";
import { isCancelled, useStepUp } from "./StepUp";
import { ownApi } from "./calls";
import type { Passkey } from "./calls";
import { deviceOf } from "./device";

interface PasskeysProps {
  readonly passkeys: readonly Passkey[];
  readonly onChange: (codes: readonly string[]) => void;
}

export function Passkeys({ passkeys, onChange }: PasskeysProps) {
  const withProof = useStepUp();
  const [naming, setNaming] = useState<Passkey | "new" | null>(null);
  const [removing, setRemoving] = useState<Passkey | null>(null);
  const remove = async (one: Passkey): Promise<void> => {
    setRemoving(null);
    try {
      await withProof(() => ownApi.removePasskey(one.id));
      showToast(`${one.name} is removed.`);
      onChange([]);
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
  };
  return (
    <section className="own-card" aria-labelledby="own-passkeys">
      <h2 id="own-passkeys">Passkeys</h2>
      <p>Sign in with finger, face or PIN of a device, without a password.</p>
      {passkeys.length > 0 && (
        <ul className="own-list">
          {passkeys.map((one) => (
            <li key={one.id} className="own-row">
              <span className="own-what">
                <strong>{one.name}</strong>
                <span>Added {calendarDay(one.created_at)}{one.last_used_at !== null && ` · last used ${calendarDay(one.last_used_at)}`}</span>
              </span>
              <Button look="ghost" aria-label={`Rename ${one.name}`} onClick={() => setNaming(one)}>Rename</Button>
              <Button look="ghost" aria-label={`Remove ${one.name}`} onClick={() => setRemoving(one)}>Remove</Button>
            </li>
          ))}
        </ul>
      )}
      <div className="own-acts">
        {hasPasskeys() ? <Button icon="plus" onClick={() => setNaming("new")}>Add a passkey</Button> : <p>This browser has no passkeys.</p>}
      </div>
      {naming !== null && <NameDialog passkey={naming} onClose={() => setNaming(null)} onDone={(codes) => { setNaming(null); onChange(codes); }} />}
      {removing !== null && (
        <Confirm title={`Remove ${removing.name}?`} confirm="Remove" danger onClose={() => setRemoving(null)} onConfirm={() => void remove(removing)}>
          It will not sign you in any more. Delete it on the device too.
        </Confirm>
      )}
    </section>
  );
}

interface NameDialogProps {
  readonly passkey: Passkey | "new";
  readonly onClose: () => void;
  readonly onDone: (codes: readonly string[]) => void;
}

function NameDialog({ passkey, onClose, onDone }: NameDialogProps) {
  const withProof = useStepUp();
  const isNew = passkey === "new";
  const [name, setName] = useState(isNew ? deviceOf(navigator.userAgent) : passkey.name);
  const send = async (): Promise<readonly string[]> => {
    if (!isNew) {
      await ownApi.renamePasskey(passkey.id, name);
      return [];
    }
    const { options } = await withProof(ownApi.passkeyOptions);
    const attestation = await makePasskey(options);
    return (await withProof(() => ownApi.addPasskey(name, attestation))).recovery_codes;
  };
  const form = useForm(["name"], async () => onDone(await send()));
  return (
    <Dialog title={isNew ? "Add a passkey" : "Rename the passkey"} onClose={onClose}>
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Name" required maxLength={100} help="How you tell it from others." value={name} problem={form.problemOf("name")} onChange={(event) => setName(event.target.value)} />
        <FormFoot form={form} label={isNew ? "Go on" : "Save"} />
      </form>
    </Dialog>
  );
}
