/** Asks the member to show that it is them: passkey, code, or password. */
import { useState } from "react";
import type { ProofMethod } from "../api";
import { useForm } from "../entry/useForm";
import { hasPasskeys, signWithPasskey } from "../lib/passkey";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import { ownApi } from "./calls";

interface StepUpDialogProps {
  readonly methods: readonly ProofMethod[];
  readonly onProved: () => void;
  readonly onClose: () => void;
}

export function StepUpDialog({ methods, onProved, onClose }: StepUpDialogProps) {
  const byPassword = methods.includes("password");
  const byPasskey = methods.includes("passkey") && hasPasskeys();
  const byCode = methods.includes("totp") || methods.includes("recovery_code");
  const [typed, setTyped] = useState("");
  const typing = useForm(["password", "code"], async () => {
    await ownApi.prove(byPassword ? { password: typed } : { code: typed.trim() });
    onProved();
  });
  const signing = useForm([], async () => {
    const { options } = await ownApi.proofOptions();
    await ownApi.prove({ assertion: await signWithPasskey(options) });
    onProved();
  });
  return (
    <Dialog title="Is it you?" onClose={onClose}>
      <p className="dialog-text">This changes something important, so we make sure. It holds for ten minutes.</p>
      {byPasskey && (
        <form className="form" onSubmit={signing.onSubmit}>
          {signing.general !== "" && <p className="form-problem" role="alert">{signing.general}</p>}
          <Button type="submit" look={byCode ? "quiet" : "primary"} busy={signing.busy}>Use a passkey</Button>
        </form>
      )}
      {(byPassword || byCode) && (
        <form className="form" onSubmit={typing.onSubmit}>
          {byPassword
            ? <TextField label="Your password" type="password" autoComplete="current-password" required value={typed} problem={typing.problemOf("password")} onChange={(event) => setTyped(event.target.value)} />
            : <TextField label="Code" autoComplete="one-time-code" autoCapitalize="none" spellCheck={false} required maxLength={64} value={typed} problem={typing.problemOf("code")}
                help={methods.includes("totp") ? "Of your authenticator app, or a recovery code." : "One of your recovery codes."} onChange={(event) => setTyped(event.target.value)} />}
          {typing.general !== "" && <p className="form-problem" role="alert">{typing.general}</p>}
          <Button type="submit" look="primary" busy={typing.busy}>Go on</Button>
        </form>
      )}
      {!byPassword && !byCode && !byPasskey && <p className="form-problem" role="alert">This browser cannot use your passkey. Sign in with one that can.</p>}
    </Dialog>
  );
}
