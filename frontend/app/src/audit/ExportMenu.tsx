/** All entries that fit as a file; a large one takes a while, so it says how much has come. */
import { useEffect, useState } from "react";
import { isCancelled, useStepUp } from "../account/StepUp";
import { sizeText } from "../files/kinds";
import type { AuditSearch } from "../router";
import { Icon } from "../ui/icons";
import { Menu, MenuItem, useMenu } from "../ui/menu";
import { showError } from "../ui/toasts";
import type { auditCalls } from "./calls";

interface Made {
  readonly url: string;
  readonly name: string;
}

export function ExportMenu({ calls, search }: { readonly calls: ReturnType<typeof auditCalls>; readonly search: AuditSearch }) {
  const withProof = useStepUp();
  const menu = useMenu();
  const [bytes, setBytes] = useState<number | null>(null);
  const [made, setMade] = useState<Made | null>(null);
  useEffect(() => (made === null ? undefined : () => URL.revokeObjectURL(made.url)), [made]);
  const run = async (format: "csv" | "jsonl"): Promise<void> => {
    setBytes(0);
    setMade(null);
    try {
      const file = await withProof(() => calls.exportFile(search, format, setBytes));
      setMade({ url: URL.createObjectURL(file), name: `audit-${new Date().toISOString().slice(0, 10)}.${format}` });
    } catch (error) {
      if (!isCancelled(error)) showError(error);
    }
    setBytes(null);
  };
  return (
    <span className="people-acts" role="status">
      {bytes !== null && <span className="field-help">Exporting… {sizeText(bytes)}</span>}
      {made !== null && <a className="button button-primary" href={made.url} download={made.name}><Icon name="download" size={16} />Save {made.name}</a>}
      <Menu {...menu} label="Export what is filtered" disabled={bytes !== null} button={<><Icon name="download" size={16} />Export</>}>
        <MenuItem onSelect={() => void run("csv")} hint="for spreadsheets">CSV</MenuItem>
        <MenuItem onSelect={() => void run("jsonl")} hint="to check the chain">JSON lines</MenuItem>
      </Menu>
    </span>
  );
}
