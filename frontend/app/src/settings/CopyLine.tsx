/** A line of text to take elsewhere, with a button that copies it. */
import { useId, useState } from "react";
import { Button } from "../ui/basics";

const TOLD_MS = 2_000;

export function CopyLine({ label, help = "", text }: { readonly label: string; readonly help?: string; readonly text: string }) {
  const id = useId();
  const [copied, setCopied] = useState(false);
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // No permission (plain http): leave it selected for the member to copy.
      const line = document.getElementById(id);
      if (line !== null) window.getSelection()?.selectAllChildren(line);
      return;
    }
    setCopied(true);
    setTimeout(() => setCopied(false), TOLD_MS);
  };
  return (
    <div className="copy">
      <span className="field-label">{label}</span>
      <div className="copy-line">
        {/* Longer than its box: the keyboard must be able to scroll it. */}
        {/* oxlint-disable-next-line jsx-a11y/no-noninteractive-tabindex */}
        <code id={id} tabIndex={0}>{text}</code>
        <Button icon={copied ? "check" : "copy"} onClick={() => void copy()}>{copied ? "Copied" : "Copy"}</Button>
      </div>
      {help !== "" && <span className="field-help">{help}</span>}
    </div>
  );
}
