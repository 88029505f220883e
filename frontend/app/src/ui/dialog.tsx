/** A modal dialog on the browser's own <dialog>: focus stays inside, Escape closes. */
import { useEffect, useId, useRef } from "react";
import type { ReactNode } from "react";
import { Button, IconButton } from "./basics";

interface DialogProps {
  readonly title: string;
  readonly onClose: () => void;
  readonly children: ReactNode;
  readonly footer?: ReactNode;
  readonly wide?: boolean;
  readonly className?: string;
}

export function Dialog({ title, onClose, children, footer, wide = false, className = "" }: DialogProps) {
  const element = useRef<HTMLDialogElement>(null);
  const id = useId();
  useEffect(() => {
    const dialog = element.current;
    dialog?.showModal();
    return () => dialog?.close();
  }, []);
  return (
    // The keyboard's way to the same is Escape, which <dialog> handles itself.
    // oxlint-disable-next-line jsx-a11y/click-events-have-key-events, jsx-a11y/no-noninteractive-element-interactions
    <dialog ref={element} className={`dialog${wide ? " dialog-wide" : ""} ${className}`} aria-labelledby={id} onCancel={(event) => { event.preventDefault(); onClose(); }}
      onClick={(event) => event.target === element.current && onClose()}>
      <div className="dialog-body">
        <header className="dialog-head">
          <h2 id={id}>{title}</h2>
          <IconButton icon="close" label="Close" onClick={onClose} />
        </header>
        {children}
        {footer !== undefined && <footer className="dialog-foot">{footer}</footer>}
      </div>
    </dialog>
  );
}

interface ConfirmProps {
  readonly title: string;
  readonly children: ReactNode;
  readonly confirm: string;
  readonly danger?: boolean;
  readonly busy?: boolean;
  readonly onConfirm: () => void;
  readonly onClose: () => void;
}

export function Confirm({ title, children, confirm, danger = false, busy = false, onConfirm, onClose }: ConfirmProps) {
  const footer = (
    <>
      <Button onClick={onClose}>Cancel</Button>
      <Button look={danger ? "danger" : "primary"} busy={busy} onClick={onConfirm}>{confirm}</Button>
    </>
  );
  return <Dialog title={title} onClose={onClose} footer={footer}><div className="dialog-text">{children}</div></Dialog>;
}
