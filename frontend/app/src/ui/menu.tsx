/** A menu under a button: arrow keys, Home, End, Escape, focus back to the button; a sheet from below on phones. */
import { useEffect, useId, useRef, useState } from "react";
import type { KeyboardEvent, ReactNode } from "react";

interface MenuProps {
  readonly label: string;
  readonly open: boolean;
  readonly onOpen: (open: boolean) => void;
  readonly button: ReactNode;
  readonly buttonClass?: string;
  readonly disabled?: boolean;
  readonly align?: "start" | "end";
  readonly children: ReactNode;
}

export function Menu({ label, open, onOpen, button, buttonClass = "button button-quiet", disabled = false, align = "end", children }: MenuProps) {
  const id = useId();
  const trigger = useRef<HTMLButtonElement>(null);
  const panel = useRef<HTMLDivElement>(null);

  useEffect(() => {
    if (!open) return;
    items(panel.current)[0]?.focus();
    const away = (event: PointerEvent): void => {
      const target = event.target as Node;
      if (panel.current?.contains(target) !== true && trigger.current?.contains(target) !== true) onOpen(false);
    };
    document.addEventListener("pointerdown", away);
    return () => document.removeEventListener("pointerdown", away);
  }, [open, onOpen]);

  const close = (): void => {
    onOpen(false);
    trigger.current?.focus();
  };

  const onKeyDown = (event: KeyboardEvent): void => {
    const all = items(panel.current);
    const at = all.indexOf(document.activeElement as HTMLElement);
    const next: Record<string, number> = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: -1 };
    const target = next[event.key];
    if (event.key === "Escape" || event.key === "Tab") close();
    if (target !== undefined) all.at(target % all.length)?.focus();
    if (event.key === "Escape" || target !== undefined) {
      event.preventDefault();
      event.stopPropagation();
    }
  };

  return (
    <span className="menu-anchor">
      <button ref={trigger} type="button" className={buttonClass} aria-haspopup="menu" aria-expanded={open} aria-controls={id}
        title={label} disabled={disabled} onClick={() => onOpen(!open)}>
        {button}
      </button>
      {open && (
        <>
          <span className="menu-veil" aria-hidden="true" />
          <div ref={panel} id={id} role="menu" tabIndex={-1} aria-label={label} className={`menu menu-${align}`} onKeyDown={onKeyDown}
            onClick={(event) => (event.target as Element).closest("[role^='menuitem']") !== null && close()}>
            {children}
          </div>
        </>
      )}
    </span>
  );
}

interface ItemProps {
  readonly onSelect: () => void;
  readonly checked?: boolean;
  readonly hint?: ReactNode;
  readonly icon?: ReactNode;
  readonly danger?: boolean;
  readonly children: ReactNode;
}

export function MenuItem({ onSelect, checked, hint, icon, danger = false, children }: ItemProps) {
  const state = checked === undefined ? { role: "menuitem" } : { role: "menuitemradio", "aria-checked": checked };
  return (
    <button type="button" tabIndex={-1} {...state} className={danger ? "menu-item menu-danger" : "menu-item"} onClick={onSelect}>
      {icon}
      <span className="menu-text">{children}</span>
      {hint !== undefined && <span className="menu-hint">{hint}</span>}
    </button>
  );
}

/** For menus nobody opens from elsewhere. */
export function useMenu(): { open: boolean; onOpen: (open: boolean) => void } {
  const [open, onOpen] = useState(false);
  return { open, onOpen };
}

function items(panel: HTMLElement | null): HTMLElement[] {
  return panel === null ? [] : Array.from(panel.querySelectorAll<HTMLElement>("[role^='menuitem']:not([disabled])"));
}
