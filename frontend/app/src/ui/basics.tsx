/** Small parts every screen uses: avatar, button, key cap, empty state, error state, skeleton. */
import type { ButtonHTMLAttributes, CSSProperties, ReactNode } from "react";
import { hueOf, initials } from "../lib/text";
import type { ChannelView } from "../types.gen";
import { Icon } from "./icons";
import type { IconName } from "./icons";

/** A channel's own drawing, in the colour of the text around it. */
export function ChannelIcon({ channel, size = 18 }: { readonly channel: ChannelView | undefined; readonly size?: number }) {
  if (channel === undefined || channel.icon === "") return <Icon name="hash" size={size} />;
  // As a mask it takes the text's colour, and a foreign SVG can do nothing but be drawn.
  const maskImage = `url("data:image/svg+xml,${encodeURIComponent(channel.icon)}")`;
  return <span className="channel-icon" style={{ maskImage, width: size, height: size }} aria-hidden="true" />;
}

interface AvatarProps {
  readonly id: string;
  readonly name: string;
  /** A member's or contact's, as in `Member.avatar`; without one their letters are shown. */
  readonly picture?: string | undefined;
  readonly size?: "s" | "m" | "l";
  readonly badge?: ReactNode;
  readonly title?: string;
}

export function Avatar({ id, name, picture = "", size = "m", badge, title }: AvatarProps) {
  // Letters by CSS: they are a picture, not text of the button or row around them.
  const letters = picture === "" ? initials(name) : "";
  return (
    <span className={`avatar avatar-${size}`} data-letters={letters} style={{ "--hue": hueOf(id) } as CSSProperties} title={title} aria-hidden="true">
      {picture !== "" && <img className="avatar-picture" src={`/avatars/${picture}`} alt="" draggable={false} />}
      {letters === "" && picture === "" && <Icon name="person" size={size === "s" ? 11 : 16} />}
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
  /** It is all there is on the page: its title is the page's heading. */
  readonly page?: boolean;
  readonly children?: ReactNode;
  readonly action?: ReactNode;
}

/** Says what happened and what to do next. */
export function Empty({ icon, title, page = false, children, action }: EmptyProps) {
  const Title = page ? "h1" : "p";
  return (
    <div className="empty">
      <span className="empty-mark"><Icon name={icon} size={26} /></span>
      <Title className="empty-title">{title}</Title>
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
