// Keeps the reader's place: at the end while they are there, where they are when older messages come in above.
import type { ChatState } from "../state.ts";

/** Within this of the end, the reader follows along. */
const NEAR_PX = 60;

export interface Follow {
  /** Messages came in below while the reader was further up. */
  readonly behind: boolean;
  scrolled(): void;
  toEnd(): void;
  /** Called after every drawing. */
  drawn(state: ChatState): void;
}

export function follow(redraw: () => void): Follow {
  let near = true;
  let behind = false;
  let height = 0;
  let first = "";
  let last = "";
  let written = 0;
  const box = () => document.querySelector(".log");
  const toEnd = () => box()?.scrollTo(0, 1e9);
  // The frame has no size while closed, and a phone's keyboard changes it.
  addEventListener("resize", () => near && toEnd());
  return {
    get behind() {
      return behind;
    },
    toEnd,
    scrolled() {
      const { scrollHeight, scrollTop, clientHeight } = box()!;
      near = scrollHeight - scrollTop - clientHeight < NEAR_PX;
      if (near && behind) {
        behind = false;
        redraw();
      }
    },
    drawn({ messages, outgoing }) {
      const log = box();
      if (!log) return;
      const newFirst = messages[0]?.id ?? "";
      const newLast = messages.at(-1)?.id ?? "";
      if (near || outgoing.length > written) {
        near = true;
        toEnd();
      } else if (newLast !== last) {
        behind = true;
        queueMicrotask(redraw);
      } else if (newFirst !== first) log.scrollTop += log.scrollHeight - height;
      [height, first, last, written] = [log.scrollHeight, newFirst, newLast, outgoing.length];
    },
  };
}
