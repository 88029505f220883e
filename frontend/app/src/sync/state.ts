/** What a member's client knows: tables of rows by id. Types and readers; only store.ts makes new states. */
import type {
  ChannelAccount, Contact, Conversation, Counts, Inbox, Line as WireLine, Member, Message,
  Permission, ReadMark, Uuid, Workspace, CustomRole, Team,
} from "../types.gen";
import type { Cursor } from "./frames";

export type Table<Row> = Readonly<Record<Uuid, Row>>;
export type { Counts };

/** A read mark and the seq that set it, so that an older HTTP answer cannot move it back. */
export interface Mark {
  readonly read_seq: number;
  readonly version: number;
}

/** Something that happened to a conversation beside its messages; drawn as a line in the thread. Live ones come without a time. */
export interface Line extends Omit<WireLine, "at"> {
  readonly at: string | null;
}

/** What events said of a message we do not hold yet; joined when an HTTP page brings it. */
export type MessageNews = Partial<Message> & { readonly version: number };

export interface State {
  readonly cursor: Cursor;
  readonly workspace: Workspace;
  readonly me: Member;
  readonly permissions: readonly Permission[];
  readonly counts: Counts;
  readonly members: Table<Member>;
  readonly inboxes: Table<Inbox>;
  readonly teams: Table<Team>;
  readonly roles: Table<CustomRole>;
  readonly channelAccounts: Table<ChannelAccount>;
  readonly contacts: Table<Contact>;
  readonly conversations: Table<Conversation>;
  /** Messages by conversation, then by id. */
  readonly messages: Table<Table<Message>>;
  /** Read marks by conversation, then by member. */
  readonly reads: Table<Table<Mark>>;
  readonly lines: Table<readonly Line[]>;
  readonly messageNews: Table<MessageNews>;
  /** Conversations that left our inboxes, with the seq at which they did. */
  readonly removed: Table<number>;
}

/** Rows of any HTTP answer; `seq` says how fresh they are. */
export interface Rows {
  readonly seq?: number;
  readonly conversations?: readonly Conversation[];
  readonly contacts?: readonly Contact[];
  readonly reads?: readonly ReadMark[];
  /** Lines of one conversation, `linesOf`. */
  readonly lines?: readonly WireLine[];
  readonly linesOf?: Uuid;
  readonly messages?: readonly Message[];
  readonly channelAccounts?: readonly ChannelAccount[];
  readonly members?: readonly Member[];
}

/** The seq up to which I have read a conversation. */
export function readSeq(state: State, conversationId: Uuid): number {
  return state.reads[conversationId]?.[state.me.id]?.read_seq ?? 0;
}

/** Whether a conversation holds a contact's message I have not read. */
export function isUnread(state: State, conversation: Conversation): boolean {
  return conversation.last_inbound_seq > readSeq(state, conversation.id);
}

/** Whether I may do this; the hub asks again. */
export function may(state: State, permission: Permission): boolean {
  return state.permissions.includes(permission);
}
