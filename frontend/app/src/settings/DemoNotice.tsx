/** Says that customers are made up, and takes them away again. */
import { useState } from "react";
import { useClient } from "../context";
import { Button } from "../ui/basics";
import { Confirm } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { showError, showToast } from "../ui/toasts";

export function DemoNotice() {
  const { api } = useClient();
  const [asking, setAsking] = useState(false);
  const [busy, setBusy] = useState(false);
  const remove = async (): Promise<void> => {
    setBusy(true);
    try {
      await api.removeDemo();
      setAsking(false);
      showToast("The demo was removed.");
    } catch (error) {
      showError(error);
    }
    setBusy(false);
  };
  return (
    <div className="notice notice-demo">
      <Icon name="bolt" size={16} />
      <span>The demo is running: its customers are made up, and nothing it sends leaves this computer.</span>
      <Button icon="trash" onClick={() => setAsking(true)}>Remove the demo</Button>
      {asking && (
        <Confirm title="Remove the demo?" confirm="Remove the demo" danger busy={busy} onConfirm={() => void remove()} onClose={() => setAsking(false)}>
          Its channels, customers and conversations are deleted. Everything of your own stays.
        </Confirm>
      )}
    </div>
  );
}
