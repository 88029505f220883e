/** Alt+Shift and a digit: with Ctrl or ⌘ browsers keep the digits for their own tabs. */
import { isApple } from "../lib/keys";

export const SHORTCUT = isApple ? "⌥⇧" : "Alt ⇧";

/** The digit 1-9 of the shortcut; null for any other press. By the key's place: the character differs between layouts. */
export function digitOf({ altKey, shiftKey, ctrlKey, metaKey, code, repeat }: KeyboardEvent): number | null {
  if (!altKey || !shiftKey || ctrlKey || metaKey || repeat) return null;
  const found = /^Digit([1-9])$/.exec(code);
  return found === null ? null : Number(found[1]);
}
