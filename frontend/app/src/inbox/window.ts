/** Until when a member may answer freely, where the channel has windows. The hub decides; this only says it beforehand. */
import type { Capabilities, Conversation } from "../types.gen";

const MINUTE_S = 60;
const HOUR_S = 3_600;
const DAY_S = 86_400;

type Rules = Pick<Capabilities, "window_s" | "human_window_s">;

/** "free" where there are no windows; else how long it is open, or that it never was or has closed. */
export type Window = { readonly state: "free" } | { readonly state: "open"; readonly left_s: number } | { readonly state: "never" | "closed" };

export function windowOf(conversation: Pick<Conversation, "window_expires_at">, rules: Rules | undefined, now: Date): Window {
  if (rules === undefined || !(rules.window_s > 0)) return { state: "free" };
  if (conversation.window_expires_at === null) return { state: "never" };
  // Members have longer than automations where the channel says so; the conversation's moment is the automations'.
  const longer_s = Math.max(0, rules.human_window_s - rules.window_s);
  const left_s = (new Date(conversation.window_expires_at).getTime() - now.getTime()) / 1_000 + longer_s;
  return left_s > 0 ? { state: "open", left_s } : { state: "closed" };
}

/** "6 days", "23 h", "12 min". */
export function leftWords(left_s: number): string {
  if (left_s >= 2 * DAY_S) return `${Math.floor(left_s / DAY_S)} days`;
  if (left_s >= HOUR_S) return `${Math.floor(left_s / HOUR_S)} h`;
  return `${Math.max(1, Math.floor(left_s / MINUTE_S))} min`;
}
