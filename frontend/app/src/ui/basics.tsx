/** Small parts every screen uses: avatar, button, key cap, empty state, error state, skeleton. */
import type { ButtonHTMLAttributes, CSSProperties, ReactNode } from "react";
import { hueOf, initials } from "../lib/text";
import { Icon } from "./icons";
import type { IconName } from "./icons";

const CHANNEL_ICONS: Readonly<Record<string, IconName>> = { phone: "phone", email: "mail", chat: "chat" };

/** What kind of channel it is, by what it can do rather than by its name. */
export function channelIcon(capabilities: { readonly visitors: boolean; readonly segments: boolean } | undefined): IconName {
  if (capabilities === undefined) return "hash";
  if (capabilities.visitors) return CHANNEL_ICONS["chat"] ?? "hash";
  return capabilities.segments ? "phone" : "mail";
}

interface AvatarProps {
  readonly id: string;
  readonly name: string;
  readonly size?: "s" | "m" | "l";
  readonly badge?: ReactNode;
  readonly title?: string;
}

export function Avatar({ id, name, size = "m", badge, title }: AvatarProps) {
  return (
    <span className={`avatar avatar-${size}`} style={{ "--hue": hueOf(id) } as CSSProperties} title={title} aria-hidden="true">
      {initials(name) || <Icon name="person" size={size === "s" ? 11 : 16} />}
      {badge !== undefined && <span className="avatar-badge">{badge}</span>}
    </span>
  );
}

type ButtonProps = ButtonHTMLAttributes<HTMLButtonElement> & {
  readonly look?: "primary" | "quiet" | "ghost" | "danger";
  readonly icon?: IconName;
  readonly busy?: boolean;
};

export function Button({ look = "quiet", icon, busy = false, children, className = "", disabled, ...rest }: ButtonProps) {
  return (
    <button type="button" {...rest} disabled={disabled === true || busy} aria-busy={busy || undefined}
      className={`button button-${look} ${className}`}>
      {busy ? <span className="spinner" aria-hidden="true" /> : icon !== undefined && <Icon name={icon} size={16} />}
      {children}
    </button>
  );
}

interface IconButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  readonly icon: IconName;
  readonly label: string;
}

export function IconButton({ icon, label, className = "", ...rest }: IconButtonProps) {
  return (
    <button type="button" aria-label={label} title={label} {...rest} className={`icon-button ${className}`}>
      <Icon name={icon} />
    </button>
  );
}

export const Kbd = ({ children }: { readonly children: ReactNode }) => <kbd className="kbd">{children}</kbd>;

interface EmptyProps {
  readonly icon: IconName;
  readonly title: string;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** Says what happened and what to do next. */
export function Empty({ icon, title, children, action }: EmptyProps) {
  return (
    <div className="empty">
      <span className="empty-mark"><Icon name={icon} size={26} /></span>
      <p className="empty-title">{title}</p>
      {children !== undefined && <p className="empty-text">{children}</p>}
      {action}
    </div>
  );
}

export function Problem({ message, onRetry }: { readonly message: string; readonly onRetry: () => void }) {
  return (
    <div className="problem" role="alert">
      <Icon name="alert" />
      <p>{message}</p>
      <Button onClick={onRetry} icon="refresh">Try again</Button>
    </div>
  );
}

/** Grey rows where something is on its way. */
export function Skeleton({ rows, className }: { readonly rows: number; readonly className: string }) {
  return (
    <div className={className} role="status" aria-label="Loading">
      {Array.from({ length: rows }, (_, row) => (
        <div className="skeleton-row" key={row}>
          <span className="skeleton skeleton-dot" />
          <span className="skeleton-lines">
            <span className={`skeleton skeleton-w${row % 3}`} />
            <span className={`skeleton skeleton-w${(row + 1) % 3} skeleton-thin`} />
          </span>
        </div>
      ))}
    </div>
  );
}

/** Words that only screen readers get. */
export const Unseen = ({ children }: { readonly children: ReactNode }) => <span className="unseen">{children}</span>;
