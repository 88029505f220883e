/** Chooses one of the account's templates, fills it in, and shows how it will read. */
import { useEffect, useState } from "react";
import { useClient } from "../context";
import { ago } from "../lib/time";
import type { Template, TemplateUse, TemplatesView, Uuid } from "../types.gen";
import { Button, Empty, Problem, Skeleton } from "../ui/basics";
import { Dialog } from "../ui/dialog";
import { TextField } from "../ui/field";
import "./templates.css";

const PLACE = /\{\{\s*([^{}\s]+)\s*\}\}/g;

/** How a template reads with what was put in; what is put in is never read as a place again. */
export const filled = (template: Template, values: Readonly<Record<string, string>>): string =>
  template.text.replace(PLACE, (place, name: string) => values[name] || place);

interface PickerProps {
  readonly accountId: Uuid;
  readonly onClose: () => void;
  readonly onSend: (use: TemplateUse, text: string) => void;
}

export function TemplatePicker({ accountId, onClose, onSend }: PickerProps) {
  const { view, problem, busy, load } = useTemplates(accountId);
  const [wanted, setWanted] = useState("");
  const [chosen, setChosen] = useState<Template | null>(null);
  if (chosen !== null) return <Fill template={chosen} onBack={() => setChosen(null)} onClose={onClose} onSend={onSend} />;
  const approved = view?.templates.filter((one) => one.status === "approved") ?? [];
  const words = wanted.trim().toLowerCase();
  const found = approved.filter((one) => `${one.name} ${one.text} ${one.language}`.toLowerCase().includes(words));
  return (
    <Dialog title="Send a template" wide onClose={onClose}>
      {problem !== "" && <Problem message={problem} onRetry={() => load(false)} />}
      {view === null && problem === "" && <Skeleton rows={3} className="skeleton-thread" />}
      {view !== null && (
        <>
          <TextField label="Find a template" type="search" value={wanted} onChange={(event) => setWanted(event.target.value)} />
          {approved.length === 0 && <Empty icon="note" title="No approved templates">Make them at the vendor; they are listed here once it approves them.</Empty>}
          {approved.length > 0 && found.length === 0 && <p className="dialog-text">None has these words.</p>}
          <ul className="templates" aria-label="Templates">
            {found.map((one) => (
              <li key={`${one.name} ${one.language}`}>
                <button type="button" className="template" onClick={() => setChosen(one)}>
                  <span className="template-head"><strong>{one.name}</strong><span>{one.language}</span></span>
                  <span className="template-text" dir="auto">{one.text}</span>
                </button>
              </li>
            ))}
          </ul>
          <div className="templates-foot">
            <span>As of {ago(view.fetched_at, new Date())}.</span>
            <Button look="ghost" icon="refresh" busy={busy} onClick={() => load(true)}>Ask the vendor again</Button>
          </div>
        </>
      )}
    </Dialog>
  );
}

function useTemplates(accountId: Uuid) {
  const { api } = useClient();
  const [view, setView] = useState<TemplatesView | null>(null);
  const [problem, setProblem] = useState("");
  const [busy, setBusy] = useState(false);
  const load = (anew: boolean): void => {
    setBusy(true);
    setProblem("");
    (anew ? api.refreshTemplates(accountId) : api.templates(accountId)).then(setView, (error: Error) => setProblem(error.message)).finally(() => setBusy(false));
  };
  // Once a dialog: asking again is a button.
  // oxlint-disable-next-line react-hooks/exhaustive-deps
  useEffect(() => load(false), []);
  return { view, problem, busy, load };
}

interface FillProps {
  readonly template: Template;
  readonly onBack: () => void;
  readonly onClose: () => void;
  readonly onSend: (use: TemplateUse, text: string) => void;
}

function Fill({ template, onBack, onClose, onSend }: FillProps) {
  const [values, setValues] = useState<Readonly<Record<string, string>>>({});
  const complete = template.variables.every((name) => (values[name] ?? "").trim() !== "");
  const text = filled(template, values);
  const send = (): void => {
    if (!complete) return;
    onSend({ name: template.name, language: template.language, id: template.id ?? "", variables: values }, text);
    onClose();
  };
  return (
    <Dialog title={template.name} onClose={onClose}>
      <form className="form" onSubmit={(event) => { event.preventDefault(); send(); }}>
        {template.variables.map((name) => (
          <TextField key={name} label={name} required maxLength={1_000} value={values[name] ?? ""} onChange={(event) => setValues({ ...values, [name]: event.target.value })} />
        ))}
        <div className="template-preview" dir="auto" role="status" aria-label="How it reads">{text}</div>
        <div className="dialog-foot">
          <Button onClick={onBack}>Back</Button>
          <Button look="primary" type="submit" icon="send" disabled={!complete}>Send</Button>
        </div>
      </form>
    </Dialog>
  );
}
