/** What a telephone call's row says, in words. Pure. */
import type { CallState, Message } from "../types.gen";

/** A call nobody told us the end of is not shown as going on for ever: Twilio ends calls after four hours. */
const LIVE_MS = 4 * 3_600_000;

export type Tone = "live" | "good" | "bad" | "plain";

export interface CallWords {
  readonly title: string;
  readonly state: string;
  readonly tone: Tone;
  /** Wait and talk time; each only where it is known. */
  readonly times: readonly { readonly label: string; readonly length: string }[];
}

/** Says how a call stands; `left` is whether somebody left a message in the mailbox. */
export function callWords(message: Pick<Message, "direction" | "occurred_at" | "call">, left: boolean, now: Date): CallWords {
  const { call, direction } = message;
  const inbound = direction === "inbound";
  const title = inbound ? "Incoming call" : "Outgoing call";
  if (call === null) return { title, state: "", tone: "plain", times: [] };
  const lives = now.getTime() - Date.parse(message.occurred_at) < LIVE_MS;
  return { title, ...state(call, { inbound, left, lives }), times: times(call, message.occurred_at, inbound) };
}

function state({ outcome, member, talk_s, ended_at }: CallState, { inbound, left, lives }: { inbound: boolean; left: boolean; lives: boolean }): { state: string; tone: Tone } {
  const by = member === "" ? "" : ` by ${member}`;
  const open = (words: string): { state: string; tone: Tone } => (lives ? { state: words, tone: "live" } : { state: "How it ended is not known", tone: "plain" });
  switch (outcome) {
    case "asked": return open("Calling…");
    case "waiting": return open("Waiting in the queue…");
    case "ringing": return open(member === "" ? "Ringing…" : `Ringing ${member}…`);
    case "answered": {
      if (talk_s !== null || ended_at !== null) return { state: inbound ? `Answered${by}` : `Answered, called${by}`, tone: "good" };
      return lives ? { state: inbound ? `${member || "A member"} is talking` : `Talking, called${by}`, tone: "live" } : { state: `Answered${by}`, tone: "good" };
    }
    case "missed": return { state: inbound ? (left ? "Missed, message in the mailbox" : "Missed") : "No answer", tone: inbound ? "bad" : "plain" };
    case "failed": return { state: "Could not be made", tone: "bad" };
  }
}

function times({ outcome, answered_at, ended_at, talk_s }: CallState, from: string, inbound: boolean): CallWords["times"] {
  const until = outcome === "answered" ? answered_at : outcome === "missed" ? ended_at : null;
  const wait_s = until === null ? null : Math.round((Date.parse(until) - Date.parse(from)) / 1000);
  return [
    ...(wait_s === null || wait_s < 0 ? [] : [{ label: inbound ? "Waited" : "Rang", length: lengthText(wait_s) }]),
    ...(talk_s === null || outcome !== "answered" ? [] : [{ label: "Talked", length: lengthText(talk_s) }]),
  ];
}

/** "2:05", "1:02:05". */
export function lengthText(seconds: number): string {
  const two = (value: number): string => String(value).padStart(2, "0");
  const hours = Math.floor(seconds / 3600);
  const minutes = Math.floor((seconds % 3600) / 60);
  return hours > 0 ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

/** What was said into a mailbox, where it was written down; empty while the row says only that there is a message. */
export function spokenWords(part: Pick<Message, "text">): string {
  return /^Voicemail: (.+)$/s.exec(part.text)?.[1] ?? "";
}
