// What comes after the first load (frame/files): until it is there, these do nothing.
import type { Config, VisitorFile } from "./frames.ts";
import type { Child } from "./views/dom.ts";

export interface Plug {
  /** Files chosen and not sent. */
  count: number;
  /** The button and the files above the field. */
  tray(): Child;
  /** Hands over the files to send; null while they are on their way. */
  take(): readonly VisitorFile[] | null;
  /** A message's files. */
  show(files: readonly VisitorFile[] | undefined): Child;
  /** The sound of a new message. */
  play(): void;
  /** The questions before the chat. */
  form?(config: Config, complaint: string, fill: (form: Record<string, string>) => void): Child;
}

/** What the later part needs of the frame; handed over in a global, because it is a script of its own. */
export interface Host {
  plug: Plug;
  channel: string;
  token(): string | null;
  /** Makes a visitor of somebody who only looked. */
  begin(): void;
  redraw(): void;
}

const nothing = () => null;

export const plug: Plug = { count: 0, tray: nothing, take: () => [], show: nothing, play: nothing };
