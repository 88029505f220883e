/** Ten recovery codes, shown this once, to be copied or kept as a file. */
import { useState } from "react";
import { Button } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { showToast } from "../ui/toasts";

export function RecoveryCodes({ codes, onClose }: { readonly codes: readonly string[]; readonly onClose: () => void }) {
  const [kept, setKept] = useState(false);
  const text = `${codes.join("\n")}\n`;
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      showToast("The codes are copied.");
    } catch {
      showToast("This browser does not let us copy. Select the codes, or download them.", { tone: "bad" });
    }
  };
  const download = (): void => {
    const link = document.createElement("a");
    link.href = URL.createObjectURL(new Blob([text], { type: "text/plain" }));
    link.download = "recovery-codes.txt";
    link.click();
    URL.revokeObjectURL(link.href);
  };
  return (
    // Only the last button closes: they are never shown again.
    <Dialog title="Keep your recovery codes" onClose={() => kept && onClose()}>
      <p className="dialog-text">Each signs you in once when your device is gone. They are shown only now; keep them where you keep passwords.</p>
      <ul className="own-codes">{codes.map((one) => <li key={one}><code>{one}</code></li>)}</ul>
      <div className="own-acts">
        <Button icon="copy" onClick={() => void copy()}>Copy</Button>
        <Button icon="download" onClick={download}>Download</Button>
      </div>
      <label className="own-kept"><input type="checkbox" checked={kept} onChange={(event) => setKept(event.target.checked)} /> I have kept them</label>
      <footer className="dialog-foot"><Button look="primary" disabled={!kept} onClick={onClose}>Done</Button></footer>
    </Dialog>
  );
}
