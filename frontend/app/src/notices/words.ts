/** What a notice says, and what its kind is called. */
import type { Route } from "../router";
import { contactName } from "../lib/names";
import type { State } from "../sync/state";
import type { IconName } from "../ui/icons";
import type { Kind, Notice } from "./calls";

interface KindWords {
  readonly name: string;
  readonly about: string;
  readonly icon: IconName;
}

export const KIND_WORDS: Readonly<Record<Kind, KindWords>> = {
  assigned: { name: "Given to you", about: "A conversation is assigned to you.", icon: "person" },
  message: { name: "New messages", about: "A contact writes in a conversation of yours.", icon: "chat" },
  conversation: { name: "New conversations", about: "A conversation begins that nobody has.", icon: "inbox" },
  channel_sign_in: { name: "Channels", about: "A channel must be connected again. For owners and admins.", icon: "plug" },
  security: { name: "Security", about: "Something changed about your sign-in.", icon: "alert" },
  export_ready: { name: "Exports", about: "An export you asked for is ready.", icon: "download" },
};

/** What happened to one's own account, by the notice's detail. */
const SECURITY_WORDS: Readonly<Record<string, string>> = {
  signed_in: "Somebody signed in to your account with a new device",
  password_changed: "Your password was changed",
  factor_added: "A second factor was added to your account",
  factor_removed: "A second factor was removed from your account",
  address_changed: "Your e-mail address was changed",
  key_made: "An API key was made",
  operator_entered: "An operator of this hub entered the workspace",
};

/** A notice of a contact without a name is told by their address, where this tab knows it. */
export function named(notice: Notice, state: State | null): Notice {
  const row = notice.conversation_id === null ? undefined : state?.conversations[notice.conversation_id];
  const contact = row === undefined ? undefined : state?.contacts[row.contact_id];
  return notice.title !== "" || contact === undefined ? notice : { ...notice, title: contactName(contact) };
}

/** One sentence; an unknown kind of a newer hub still says something. */
export function say({ kind, title, amount, detail }: Notice): string {
  const who = title === "" ? "Somebody" : title;
  switch (kind) {
    case "assigned": return title === "" ? "A conversation was given to you" : `The conversation with ${title} was given to you`;
    case "message": return amount > 1 ? `${who} wrote ${amount} messages` : `${who} wrote`;
    case "conversation": return `${who} began a conversation`;
    case "channel_sign_in": return title === "" ? "A channel must be connected again" : `${title} must be connected again`;
    case "security": return SECURITY_WORDS[detail] ?? "Something changed about your sign-in";
    case "export_ready": return "Your export is ready";
    default: return "Something new";
  }
}

/** Where a notice leads; null where there is nothing to open. */
export function target({ kind, conversation_id, channel_account_id }: Notice): Route | null {
  if (conversation_id !== null) return { page: "inbox", tab: "open", filter: "all", conversation: conversation_id };
  if (kind === "channel_sign_in") return { page: "channels", connect: null, account: channel_account_id };
  return null;
}

export interface Group {
  readonly title: string;
  readonly notices: readonly Notice[];
}

/** Notices under their day, as they come: newest first. */
export function byDay(notices: readonly Notice[], dayOf: (iso: string) => string): readonly Group[] {
  const groups: { title: string; notices: Notice[] }[] = [];
  for (const notice of notices) {
    const title = dayOf(notice.at);
    const last = groups.at(-1);
    if (last?.title === title) last.notices.push(notice);
    else groups.push({ title, notices: [notice] });
  }
  return groups;
}
