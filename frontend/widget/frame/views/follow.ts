// Keeps the reader's place. The style sheet measures the log's scrolling from its end (column-reverse), so the browser
// itself stays at the end, and stays put when older messages come in above; here is only the hint about new ones.
import type { ChatState } from "../state.ts";

/** Within this of the end, the reader sees what comes. */
const NEAR_PX = 60;

export interface Follow {
  /** Messages came in below while the reader was further up. */
  behind(): boolean;
  scrolled(): void;
  toEnd(): void;
  /** Called after every drawing. */
  drawn(state: ChatState): void;
}

export function follow(redraw: () => void): Follow {
  let behind = false;
  let last = "";
  let written = 0;
  const log = () => document.querySelector(".log");
  const away = () => (log()?.scrollTop ?? 0) < -NEAR_PX;

  function set(yes: boolean): void {
    if (behind !== yes) redraw();
    behind = yes;
  }

  return {
    behind: () => behind,
    scrolled: () => away() || set(false),
    toEnd: () => log()?.scrollTo(0, 0),
    drawn({ messages, outgoing }) {
      const newest = messages.at(-1)?.id ?? "";
      if (outgoing.length > written) log()?.scrollTo(0, 0);
      else if (last && newest !== last && away()) set(true);
      last = newest;
      written = outgoing.length;
    },
  };
}
