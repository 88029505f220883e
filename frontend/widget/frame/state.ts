// What the frame shows, and the pure changes to it.
import type { Config, MessagePage, VisitorMessage } from "./frames.ts";
import type { NoticeKind } from "./notice.ts";
import type { Outgoing } from "./outbox.ts";

export type Stage = "loading" | "unreachable" | "identity" | "form" | "chat" | "stopped";

export interface ChatState {
  readonly stage: Stage;
  readonly config: Config | null;
  readonly messages: readonly VisitorMessage[];
  readonly outgoing: readonly Outgoing[];
  /** Asks for the messages before the first one shown; null when there are none. */
  readonly earlier: string | null;
  readonly closed: boolean;
  readonly typing: boolean;
  /** What the hub does not like about the pre-chat answers. */
  readonly complaint: string;
  readonly notice: NoticeKind;
  readonly unread: number;
}

export const START: ChatState = {
  stage: "loading",
  config: null,
  messages: [],
  outgoing: [],
  earlier: null,
  closed: false,
  typing: false,
  complaint: "",
  notice: null,
  unread: 0,
};

/** Adds one message at the end, unless it is there. */
export function withMessage(messages: readonly VisitorMessage[], message: VisitorMessage): readonly VisitorMessage[] {
  return messages.some(({ id }) => id === message.id) ? messages : [...messages, message];
}

/** Changes what one message says; null takes it away. */
export function withChange(messages: readonly VisitorMessage[], id: string, text: string | null): readonly VisitorMessage[] {
  return messages.flatMap((message) => (message.id !== id ? message : text === null ? [] : { ...message, text }));
}

/** Puts older messages in front, without those shown already. */
export function withEarlier(
  messages: readonly VisitorMessage[],
  older: readonly VisitorMessage[],
): readonly VisitorMessage[] {
  const shown = new Set(messages.map(({ id }) => id));
  return [...older.filter(({ id }) => !shown.has(id)), ...messages];
}

/** Takes a fresh read of the newest messages; older ones already loaded stay when the two join. */
export function withSnapshot(
  state: Pick<ChatState, "messages" | "earlier">,
  { messages: fresh, next }: MessagePage,
): Pick<ChatState, "messages" | "earlier"> {
  const at = state.messages.findIndex(({ id }) => id === fresh[0]?.id);
  if (at >= 0) return { messages: [...state.messages.slice(0, at), ...fresh], earlier: state.earlier };
  return { messages: fresh, earlier: next };
}

/** Answers after the last one the visitor saw. */
export function countUnread(messages: readonly VisitorMessage[], read_id: string | null): number {
  const after = messages.findIndex(({ id }) => id === read_id) + 1;
  return messages.slice(after).filter(({ author_kind }) => author_kind !== "contact").length;
}
