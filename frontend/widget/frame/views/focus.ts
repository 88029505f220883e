// Where the keyboard goes when the chat opens: the first thing to fill in, as soon as it is on the page.

let wanted = false;

export function wantFocus(): void {
  // On touch screens focus would raise the keyboard over what the visitor came to read.
  wanted = !matchMedia("(pointer: coarse)").matches;
  giveFocus();
}

/** Called after every drawing. */
export function giveFocus(): void {
  const target = wanted && document.querySelector<HTMLElement>(".prechat input, textarea");
  if (!target) return;
  target.focus();
  wanted = false;
}
