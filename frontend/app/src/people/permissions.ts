/** How the catalogue of permissions is grouped, for roles and for keys. */
import type { Permission } from "../types.gen";
import type { PermissionView } from "./calls";

const CONVERSATIONS: readonly Permission[] = ["inbox.read", "inbox.reply", "inbox.assign", "contacts.write"];
const SET_UP: readonly Permission[] = ["channels.manage", "inboxes.manage"];
const PEOPLE: readonly Permission[] = ["members.manage", "teams.manage", "roles.manage"];

interface Group {
  readonly legend: string;
  readonly words: readonly PermissionView[];
}

export function grouped(words: readonly PermissionView[]): readonly Group[] {
  const known = [...CONVERSATIONS, ...SET_UP, ...PEOPLE];
  const pick = (legend: string, has: (permission: Permission) => boolean): Group => ({ legend, words: words.filter((one) => has(one.permission)) });
  return [
    pick("Conversations and contacts", (one) => CONVERSATIONS.includes(one)),
    pick("Channels and inboxes", (one) => SET_UP.includes(one)),
    pick("People", (one) => PEOPLE.includes(one)),
    pick("Security and the workspace", (one) => !known.includes(one)),
  ].filter((one) => one.words.length > 0);
}
