/** In words: what an erasure would take. */
import { plural } from "../lib/text";
import type { Extent } from "../types.gen";

export const isNothing = (extent: Extent): boolean => extent.conversations + extent.shared_conversations === 0;

export function extentWords(extent: Extent): string {
  if (isNothing(extent)) return "No conversations.";
  const shared = extent.shared_conversations === 0 ? "" : ` In ${plural(extent.shared_conversations, "conversation")} with others, what names them is taken out.`;
  return `${plural(extent.conversations, "conversation")} with ${plural(extent.messages, "message")} and ${plural(extent.files, "file")}.${shared}`;
}
