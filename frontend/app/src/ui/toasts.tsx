/** Short messages at the edge of the screen, with Undo or Retry where there is a way back. */
import { useEffect, useState, useSyncExternalStore } from "react";
import { Signal } from "../sync/signal";
import { Button, IconButton } from "./basics";

const SHOWN_MS = 7_000;
const AT_ONCE = 3;

interface Toast {
  readonly id: number;
  readonly text: string;
  readonly tone: "plain" | "bad";
  readonly action: { readonly label: string; readonly run: () => void } | null;
}

/** Those that are shown. */
export const toasts = new Signal<readonly Toast[]>([]);
let lastId = 0;

export function showToast(text: string, options: Partial<Pick<Toast, "tone" | "action">> = {}): void {
  const toast: Toast = { id: ++lastId, text, tone: options.tone ?? "plain", action: options.action ?? null };
  toasts.set([...toasts.get().slice(1 - AT_ONCE), toast]);
}

const dismiss = (id: number): void => toasts.set(toasts.get().filter((toast) => toast.id !== id));

/** Shows a failure in the hub's own words, with a way to try again. */
export function showError(error: unknown, retry?: () => void): void {
  const text = error instanceof Error ? error.message : "That did not work. Try again.";
  showToast(text, { tone: "bad", action: retry === undefined ? null : { label: "Try again", run: retry } });
}

export function Toasts() {
  const shown = useSyncExternalStore(toasts.subscribe, toasts.get);
  return (
    <div className="toasts" role="status" aria-live="polite">
      {shown.map((toast) => <ToastCard key={toast.id} toast={toast} />)}
    </div>
  );
}

function ToastCard({ toast }: { readonly toast: Toast }) {
  const [held, setHeld] = useState(false);
  useEffect(() => {
    if (held) return;
    const timer = setTimeout(() => dismiss(toast.id), SHOWN_MS);
    return () => clearTimeout(timer);
  }, [held, toast.id]);
  const { action } = toast;
  return (
    <div className={`toast toast-${toast.tone}`} onPointerEnter={() => setHeld(true)} onPointerLeave={() => setHeld(false)}
      onFocus={() => setHeld(true)} onBlur={() => setHeld(false)}>
      <span>{toast.text}</span>
      {action !== null && <Button look="ghost" onClick={() => { dismiss(toast.id); action.run(); }}>{action.label}</Button>}
      <IconButton icon="close" label="Dismiss" onClick={() => dismiss(toast.id)} />
    </div>
  );
}
