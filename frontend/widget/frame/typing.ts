// Both ways of "is typing…": told while the visitor types, lit while the hub repeats it (docs/protocol.md §3, §4).
import type { Environment } from "./environment.ts";

const REPEAT_MS = 3000;
const IDLE_MS = 5000;
const EXPIRY_MS = 6000;

type Switch = (on: boolean) => void;

/** Takes every keystroke; tells the start, repeats it every 3 s, and tells the end. */
export function tellTyping({ now, after }: Environment, tell: Switch): Switch {
  let told_at = 0;
  let cancel = () => {};
  return function input(on) {
    cancel();
    if (on) cancel = after(IDLE_MS, () => input(false));
    if (on ? now() - told_at < REPEAT_MS : !told_at) return;
    told_at = on ? now() : 0;
    tell(on);
  };
}

/** Goes out by itself when "on" is not repeated within 6 s. */
export function typingLamp({ after }: Environment, changed: Switch): Switch {
  let cancel = () => {};
  return function set(on) {
    cancel();
    if (on) cancel = after(EXPIRY_MS, () => set(false));
    changed(on);
  };
}
