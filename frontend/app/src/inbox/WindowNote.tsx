/** How long one may still answer freely; quiet while there is time. */
import type { Window } from "./window";
import { leftWords } from "./window";

const SOON_S = 2 * 3_600;

export function WindowLeft({ window }: { readonly window: Window }) {
  if (window.state !== "open") return null;
  const soon = window.left_s < SOON_S;
  return <span className={soon ? "length length-soon" : "length"} title="The vendor takes free answers only for some time after the contact wrote.">{leftWords(window.left_s)} left to answer</span>;
}

/** Why nothing can be written freely, and what can be done instead. */
export function closedWords(window: Window, templates: boolean): string {
  if (window.state !== "never" && window.state !== "closed") return "";
  const why = window.state === "never" ? "They have not written yet, and the vendor lets us write freely only after they did." : "The time to answer freely is over.";
  return `${why} ${templates ? "You can send a template." : "It opens again when they write."}`;
}
