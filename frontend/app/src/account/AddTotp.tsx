/** Puts a secret into an authenticator app; it counts once a code of it was typed. */
import { useEffect, useState } from "react";
import { FormFoot } from "../entry/FormFoot";
import { useForm } from "../entry/useForm";
import { CopyLine } from "../settings/CopyLine";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { showError } from "../ui/toasts";
import { QrCode } from "./QrCode";
import { isCancelled, useStepUp } from "./StepUp";
import { ownApi } from "./calls";

interface AddTotpProps {
  readonly onClose: () => void;
  readonly onDone: (recoveryCodes: readonly string[]) => void;
}

export function AddTotp({ onClose, onDone }: AddTotpProps) {
  const withProof = useStepUp();
  const [made, setMade] = useState<{ readonly secret: string; readonly otpauth_url: string } | null>(null);
  const [code, setCode] = useState("");
  useEffect(() => {
    let gone = false;
    withProof(ownApi.beginTotp).then((answer) => { if (!gone) setMade(answer); }, (error: unknown) => {
      if (gone) return;
      if (!isCancelled(error)) showError(error);
      onClose();
    });
    return () => { gone = true; };
    // Once: another secret would void the one already in the app.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  const form = useForm(["code"], async () => onDone((await withProof(() => ownApi.confirmTotp(code.replaceAll(" ", "")))).recovery_codes));
  if (made === null) return null;
  return (
    <Dialog title="Set up an authenticator app" onClose={onClose}>
      <p className="dialog-text">Scan this with your app, or <a href={made.otpauth_url}>open it in an app on this device</a>. Then type the code the app shows.</p>
      <QrCode text={made.otpauth_url} label="QR code for an authenticator app" />
      <CopyLine label="Key" text={made.secret} help="Where an app cannot scan. Kind: time-based, 6 digits." />
      <form className="form" onSubmit={form.onSubmit}>
        <TextField label="Code of the app" inputMode="numeric" autoComplete="one-time-code" required maxLength={10} value={code} problem={form.problemOf("code")} onChange={(event) => setCode(event.target.value)} />
        <FormFoot form={form} label="Confirm" />
      </form>
    </Dialog>
  );
}
