/** Calls of the API about people, roles, teams, inboxes and the workspace itself. */
import { call, query } from "../api";
import type { CustomRole, Inbox, Member, Permission, Role, SealingView, Team, Timestamp, Uuid, Workspace } from "../types.gen";

export interface Standing {
  readonly role: Role | null;
  readonly custom_role_id: Uuid | null;
}

export interface Invitation {
  readonly id: Uuid;
  readonly email: string;
  readonly role: Role;
  readonly custom_role_id: Uuid | null;
  readonly team_ids: readonly Uuid[];
  readonly inbox_ids: readonly Uuid[];
  readonly invited_by: Uuid;
  readonly sent_at: Timestamp;
  readonly expires_at: Timestamp;
}

export interface Invited {
  readonly email: string;
  readonly outcome: "invited" | "already_member" | "deactivated" | "invalid" | "forbidden";
}

export interface PermissionWords {
  readonly permission: Permission;
  readonly name: string;
  readonly description: string;
  readonly grantable: boolean;
}

export interface BuiltInRole {
  readonly role: Role;
  readonly permissions: readonly Permission[];
  readonly sees_all: boolean;
}

export interface InboxWithAccess {
  readonly inbox: Inbox;
  readonly access: { readonly member_ids: readonly Uuid[]; readonly team_ids: readonly Uuid[] };
}

export interface Domain {
  readonly domain: string;
  readonly role: Role;
  readonly enabled: boolean;
}

export interface Security {
  readonly requires_second_factor: boolean;
  readonly members_without: readonly Uuid[];
}

export interface DeletedWorkspace {
  readonly workspace_id: number;
  readonly workspace_name: string;
  readonly deleted_at: Timestamp;
  readonly erased_at: Timestamp;
}

export interface HandOver {
  readonly to: "nobody" | "member" | "team";
  readonly id: Uuid | null;
}

export const deletedWorkspaces = (): Promise<{ deleted: readonly DeletedWorkspace[] }> => call("GET", "/workspaces");
export const restoreWorkspace = (id: number): Promise<void> => call("POST", `/workspaces/${id}/restoration`, {});
export const readCatalogue = (): Promise<{ permissions: readonly PermissionWords[] }> => call("GET", "/permissions");

/** The calls under one workspace. */
export function peopleCalls(workspaceId: number) {
  const base = `/workspaces/${workspaceId}`;
  return {
    changeMember: (id: Uuid, change: { name?: string; role?: Role; custom_role_id?: Uuid }) => call<{ member: Member }>("PATCH", `${base}/members/${id}`, change),
    deactivate: (id: Uuid, to: HandOver) => call<{ member: Member }>("POST", `${base}/members/${id}/deactivation`, { hand_over_to: to }),
    reactivate: (id: Uuid) => call<{ member: Member }>("POST", `${base}/members/${id}/reactivation`, {}),
    resetFactors: (id: Uuid) => call<void>("DELETE", `${base}/members/${id}/factors`),
    work: (id: Uuid, status: string, before: string | null) =>
      call<{ conversations: readonly unknown[]; next: string | null }>("GET", `${base}/conversations${query({ assignee: id, status, before, limit: 100 })}`),
    invitations: (before: string | null) => call<{ invitations: readonly Invitation[]; next?: string }>("GET", `${base}/invitations${query({ before, limit: 50 })}`),
    invite: (form: { emails: readonly string[]; role?: Role; custom_role_id?: Uuid; team_ids: readonly Uuid[]; inbox_ids: readonly Uuid[] }) =>
      call<{ results: readonly Invited[] }>("POST", `${base}/invitations`, form),
    resend: (id: Uuid) => call<{ invitation: Invitation }>("POST", `${base}/invitations/${id}/resend`, {}),
    withdraw: (id: Uuid) => call<void>("DELETE", `${base}/invitations/${id}`),
    roles: () => call<{ roles: readonly BuiltInRole[]; custom_roles: readonly CustomRole[] }>("GET", `${base}/roles`),
    saveRole: (id: Uuid | null, form: { name: string; permissions: readonly Permission[] }) =>
      call<{ role: CustomRole }>(id === null ? "POST" : "PATCH", id === null ? `${base}/roles` : `${base}/roles/${id}`, form),
    removeRole: (id: Uuid) => call<void>("DELETE", `${base}/roles/${id}`),
    saveTeam: (id: Uuid | null, form: { name: string; member_ids: readonly Uuid[] }) =>
      call<{ team: Team }>(id === null ? "POST" : "PATCH", id === null ? `${base}/teams` : `${base}/teams/${id}`, form),
    removeTeam: (id: Uuid) => call<void>("DELETE", `${base}/teams/${id}`),
    inboxes: () => call<{ inboxes: readonly InboxWithAccess[] }>("GET", `${base}/inboxes`),
    makeInbox: (form: { name: string; restricted: boolean }) => call<InboxWithAccess>("POST", `${base}/inboxes`, form),
    changeInbox: (id: Uuid, change: { name?: string; restricted?: boolean; reopen_days?: number }) => call<InboxWithAccess>("PATCH", `${base}/inboxes/${id}`, change),
    setAccess: (id: Uuid, access: { member_ids: readonly Uuid[]; team_ids: readonly Uuid[] }) => call<InboxWithAccess>("PUT", `${base}/inboxes/${id}/access`, access),
    removeInbox: (id: Uuid) => call<void>("DELETE", `${base}/inboxes/${id}`),
    rename: (name: string) => call<{ workspace: Workspace }>("PATCH", base, { name }),
    remove: (name: string) => call<void>("POST", `${base}/deletion`, { name }),
    security: () => call<Security>("GET", `${base}/security`),
    setSecurity: (on: boolean) => call<Security>("PUT", `${base}/security`, { requires_second_factor: on }),
    sealing: () => call<SealingView>("GET", `${base}/message-sealing`),
    setSealing: (sealed: boolean) => call<SealingView>("PUT", `${base}/message-sealing`, { sealed }),
    changeSealingKey: () => call<SealingView>("POST", `${base}/message-sealing/key-changes`, {}),
    domains: () => call<{ domains: readonly Domain[] }>("GET", `${base}/domains`),
    addDomain: (domain: string) => call<{ domain: Domain }>("POST", `${base}/domains`, { domain }),
    changeDomain: (domain: string, change: { role?: Role; enabled?: boolean }) => call<{ domain: Domain }>("PATCH", `${base}/domains/${encodeURIComponent(domain)}`, change),
    removeDomain: (domain: string) => call<void>("DELETE", `${base}/domains/${encodeURIComponent(domain)}`),
  };
}
