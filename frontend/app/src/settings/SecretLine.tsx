/** A secret the hub made for a channel: never shown again, only renewed. */
import { useState } from "react";
import { useClient } from "../context";
import type { ChannelAccount, Field } from "../types.gen";
import { Button } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { showError } from "../ui/toasts";
import { CopyLine } from "./CopyLine";

export function SecretLine({ account, field }: { readonly account: ChannelAccount; readonly field: Field }) {
  const { api } = useClient();
  const [value, setValue] = useState("");
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const renew = async (): Promise<void> => {
    setBusy(true);
    try {
      setValue((await api.renewSecret(account.id, field.name)).value);
      setAsking(false);
    } catch (error) {
      showError(error);
    }
    setBusy(false);
  };
  if (value !== "") return <CopyLine label={field.label} help="Copy it now: it is shown only this once." text={value} />;
  return (
    <div className="secret">
      <span><span className="field-label">{field.label}</span><span className="field-help">{field.help}</span></span>
      <Button icon="refresh" onClick={() => setAsking(true)}>Renew</Button>
      {asking && (
        <Confirm title={`Renew the ${field.label.toLowerCase()}?`} confirm="Renew" busy={busy} onConfirm={() => void renew()} onClose={() => setAsking(false)}>
          A new one is made and shown once. The one in use now stops working at once.
        </Confirm>
      )}
    </div>
  );
}
