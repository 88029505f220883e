/** What is written and not sent, per conversation and mode, kept on this computer. */
import type { Uuid } from "../types.gen";
import type { WritingKind } from "../sync/frames";

const keyOf = (owner: string, conversation: Uuid, kind: WritingKind): string => `hub.draft.${owner}.${conversation}.${kind}`;

export function loadDraft(owner: string, conversation: Uuid, kind: WritingKind): string {
  try {
    return localStorage.getItem(keyOf(owner, conversation, kind)) ?? "";
  } catch {
    return "";
  }
}

export function saveDraft(owner: string, conversation: Uuid, kind: WritingKind, text: string): void {
  try {
    const key = keyOf(owner, conversation, kind);
    if (text.trim() === "") localStorage.removeItem(key);
    else localStorage.setItem(key, text);
  } catch {
    // Storage full or forbidden: the draft lives as long as the page.
  }
}

/** Forgets what one member wrote here; for signing out of a shared computer. */
export function forgetMember(prefixes: readonly string[] = ["hub.draft.", "hub.outbox."]): void {
  for (const key of Object.keys(localStorage)) {
    if (prefixes.some((prefix) => key.startsWith(prefix))) localStorage.removeItem(key);
  }
}
