/** Calls of the API about people, roles, teams, inboxes and the workspace itself. */
import { call, query } from "../api";
import type {
  CatalogueView, CustomRole, DeletedWorkspace, Domain, DomainsView, HandOver, InboxWithAccess, Invitation, InvitationsView, InvitedView, Member, Permission, Role, RolesView,
  SealingView, SecurityView, Team, Uuid, Workspace,
} from "../types.gen";

export type { BuiltInRole, DeletedWorkspace, Domain, HandOver, InboxWithAccess, Invitation, Invited, PermissionView, SecurityView } from "../types.gen";

/** As what somebody is a member; neither before one was chosen. */
export interface Standing {
  readonly role: Role | null;
  readonly custom_role_id: Uuid | null;
}

export const deletedWorkspaces = (): Promise<{ deleted: readonly DeletedWorkspace[] }> => call("GET", "/workspaces");
export const restoreWorkspace = (id: number): Promise<void> => call("POST", `/workspaces/${id}/restoration`, {});
export const readCatalogue = (): Promise<CatalogueView> => call("GET", "/permissions");

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
    invitations: (before: string | null) => call<InvitationsView>("GET", `${base}/invitations${query({ before, limit: 50 })}`),
    invite: (form: { emails: readonly string[]; role?: Role; custom_role_id?: Uuid; team_ids: readonly Uuid[]; inbox_ids: readonly Uuid[] }) =>
      call<InvitedView>("POST", `${base}/invitations`, form),
    resend: (id: Uuid) => call<{ invitation: Invitation }>("POST", `${base}/invitations/${id}/resend`, {}),
    withdraw: (id: Uuid) => call<void>("DELETE", `${base}/invitations/${id}`),
    roles: () => call<RolesView>("GET", `${base}/roles`),
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
    security: () => call<SecurityView>("GET", `${base}/security`),
    setSecurity: (on: boolean) => call<SecurityView>("PUT", `${base}/security`, { requires_second_factor: on }),
    sealing: () => call<SealingView>("GET", `${base}/message-sealing`),
    setSealing: (sealed: boolean) => call<SealingView>("PUT", `${base}/message-sealing`, { sealed }),
    changeSealingKey: () => call<SealingView>("POST", `${base}/message-sealing/key-changes`, {}),
    domains: () => call<DomainsView>("GET", `${base}/domains`),
    addDomain: (domain: string) => call<{ domain: Domain }>("POST", `${base}/domains`, { domain }),
    changeDomain: (domain: string, change: { role?: Role; enabled?: boolean }) => call<{ domain: Domain }>("PATCH", `${base}/domains/${encodeURIComponent(domain)}`, change),
    removeDomain: (domain: string) => call<void>("DELETE", `${base}/domains/${encodeURIComponent(domain)}`),
  };
}
