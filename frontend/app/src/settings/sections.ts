/** The pages of settings: one line each. `permission` is who sees the page; null is everybody. */
import type { SettingsRoute } from "../router";
import type { Permission } from "../types.gen";
import type { IconName } from "../ui/icons";

export interface Section {
  readonly to: SettingsRoute;
  readonly label: string;
  readonly icon: IconName;
  readonly permission: Permission | null;
}

export const SECTIONS: readonly Section[] = [
  { to: { page: "channels", connect: null, account: null }, label: "Channels", icon: "plug", permission: null },
  { to: { page: "members" }, label: "Members", icon: "people", permission: null },
  { to: { page: "roles" }, label: "Roles", icon: "tag", permission: "members.manage" },
  { to: { page: "teams" }, label: "Teams", icon: "person", permission: "teams.manage" },
  { to: { page: "access" }, label: "Inboxes", icon: "inbox", permission: "inboxes.manage" },
  { to: { page: "workspace" }, label: "Workspace", icon: "settings", permission: "workspace.manage" },
  { to: { page: "privacy" }, label: "Privacy", icon: "eyeOff", permission: "privacy.manage" },
  { to: { page: "keys" }, label: "Keys and tokens", icon: "key", permission: null },
  { to: { page: "audit", actor: null, action: null, kind: null, row: null, since: null, until: null }, label: "Audit log", icon: "shield", permission: "audit.read" },
  { to: { page: "notifications" }, label: "Notifications", icon: "bell", permission: null },
  { to: { page: "calls" }, label: "Calls", icon: "callIn", permission: "teams.manage" },
  { to: { page: "usage" }, label: "Usage", icon: "bolt", permission: "channels.manage" },
  { to: { page: "dead-letters" }, label: "Unreadable", icon: "alert", permission: "channels.manage" },
];
