/** Single-letter keys of the inbox; never while somebody types in a field. */
export type KeyMap = Readonly<Record<string, () => void>>;

const FIELDS = "input, textarea, select, [contenteditable=''], [contenteditable='true'], [role='textbox']";

export const isApple = /Mac|iP(hone|ad|od)/.test(navigator.platform);
export const MOD = isApple ? "⌘" : "Ctrl";

/** Whether a key press belongs to a field, a dialog or a menu rather than to the inbox. */
export function isTyping(event: KeyboardEvent): boolean {
  const target = event.target instanceof Element ? event.target : null;
  return event.isComposing || target?.closest(FIELDS) != null;
}

/**
 * Listens for the keys of a map.
 *
 * @returns a function that stops listening.
 */
export function listenForKeys(keys: () => KeyMap, root: Document = document): () => void {
  const onKey = (event: KeyboardEvent): void => {
    if (event.defaultPrevented || event.ctrlKey || event.metaKey || event.altKey || event.repeat && event.key !== "j" && event.key !== "k") return;
    if (isTyping(event) || root.querySelector("dialog[open], [role='menu'], [role='listbox']") !== null) return;
    const act = keys()[event.key.length === 1 ? event.key.toLowerCase() : event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  };
  root.addEventListener("keydown", onKey);
  return () => root.removeEventListener("keydown", onKey);
}
