// Made by scripts/gen_types.py from the hub's structs. Do not edit: change the struct and run the script.

/** ISO 8601 in UTC. */
export type Timestamp = string;
/** A day of a calendar, `2026-11-22`. */
export type Day = string;
/** Canonical lower-case UUID. */
export type Uuid = string;

export interface SessionView {
  readonly login: LoginView;
  readonly workspaces: readonly Membership[];
  readonly token?: string | null;
  readonly expires_in_s?: number | null;
  readonly refresh_token?: string | null;
  readonly is_operator?: boolean;
  readonly entered?: EnteredBy | null;
}

export interface LoginView {
  readonly name: string;
  readonly email: string;
  readonly time_zone: string;
}

export interface Membership {
  readonly workspace_id: number;
  readonly workspace_name: string;
  readonly member_id: Uuid;
  readonly role: Role;
  readonly custom_role_id?: Uuid | null;
}

export type Role = "owner" | "admin" | "agent" | "viewer";

export interface EnteredBy {
  readonly workspace_id: number;
  readonly reason: string;
  readonly expires_at: Timestamp;
}

export interface Snapshot {
  readonly epoch: number;
  readonly seq: number;
  readonly workspace: Workspace;
  readonly me: Member;
  readonly permissions: readonly Permission[];
  readonly members: readonly Member[];
  readonly inboxes: readonly Inbox[];
  readonly channel_accounts: readonly ChannelAccount[];
  readonly counts: Counts;
  readonly conversations: readonly Conversation[];
  readonly contacts: readonly Contact[];
  readonly reads: readonly ReadMark[];
  readonly teams: readonly Team[];
  readonly roles: readonly CustomRole[];
  readonly flags: readonly string[];
}

export interface Workspace {
  readonly id: number;
  readonly name: string;
  readonly version: number;
}

export interface Member {
  readonly id: Uuid;
  readonly name: string;
  readonly email: string;
  readonly role: Role;
  readonly active: boolean;
  readonly version: number;
  readonly custom_role_id: Uuid | null;
  readonly avatar: string;
}

export type Permission = "inbox.read" | "inbox.reply" | "inbox.assign" | "contacts.write" | "channels.manage" | "inboxes.manage" | "members.manage" | "teams.manage" | "keys.manage" | "audit.read" | "roles.manage" | "privacy.manage" | "workspace.manage";

export interface Inbox {
  readonly id: Uuid;
  readonly name: string;
  readonly restricted: boolean;
  readonly reopen_days: number;
  readonly version: number;
}

export interface ChannelAccount {
  readonly id: Uuid;
  readonly inbox_id: Uuid;
  readonly channel: string;
  readonly name: string;
  readonly status: AccountStatus;
  readonly status_reason: string;
  readonly settings: Readonly<Record<string, string>>;
  readonly created_at: Timestamp;
  readonly version: number;
  readonly demo: boolean;
}

export type AccountStatus = "connected" | "paused" | "needs_sign_in" | "removed";

export interface Counts {
  readonly open: number;
  readonly pending: number;
  readonly snoozed: number;
  readonly closed: number;
}

export interface Conversation {
  readonly id: Uuid;
  readonly inbox_id: Uuid;
  readonly channel_account_id: Uuid;
  readonly channel: string;
  readonly contact_id: Uuid;
  readonly status: ConversationStatus;
  readonly assignee_id: Uuid | null;
  readonly snoozed_until: Timestamp | null;
  readonly subject: string;
  readonly preview: string;
  readonly preview_author_kind: AuthorKind;
  readonly last_activity_at: Timestamp;
  readonly last_inbound_seq: number;
  readonly last_outbound_seq: number;
  readonly created_at: Timestamp;
  readonly version: number;
  readonly window_expires_at: Timestamp | null;
}

export type ConversationStatus = "open" | "pending" | "snoozed" | "closed";

export type AuthorKind = "contact" | "member" | "ai" | "system";

export interface Contact {
  readonly id: Uuid;
  readonly name: string;
  readonly lifecycle_stage: LifecycleStage;
  readonly identities: readonly ContactIdentity[];
  readonly created_at: Timestamp;
  readonly version: number;
  readonly avatar: string;
}

export type LifecycleStage = "visitor" | "lead" | "qualified" | "opportunity" | "customer" | "former";

export interface ContactIdentity {
  readonly scheme: string;
  readonly value: string;
  readonly scope: string;
  readonly verified: boolean;
}

export interface ReadMark {
  readonly conversation_id: Uuid;
  readonly member_id: Uuid;
  readonly read_seq: number;
}

export interface Team {
  readonly id: Uuid;
  readonly name: string;
  readonly member_ids: readonly Uuid[];
  readonly version: number;
}

export interface CustomRole {
  readonly id: Uuid;
  readonly name: string;
  readonly permissions: readonly Permission[];
  readonly version: number;
}

export interface ChannelView {
  readonly id: string;
  readonly name: string;
  readonly summary: string;
  readonly transport: "own" | "poll" | "socket" | "webhook";
  readonly docs_url: string;
  readonly read_on: string;
  readonly capabilities: Capabilities;
  readonly unknown_policy: "at_least_once" | "at_most_once";
  readonly credentials: readonly Field[];
  readonly settings: readonly Field[];
  readonly limits: Readonly<Record<string, readonly Limit[]>>;
  readonly events: readonly string[];
  readonly needs_public_url: boolean;
  readonly setup_steps: readonly string[];
  readonly presets: readonly Preset[];
  readonly closed: readonly Closed[];
  readonly rank: number;
  readonly webhook_limit_bytes: number;
  readonly proof: "secret" | "signature" | "token";
  readonly retry_after_s: readonly number[];
  readonly softphone: Softphone | null;
  readonly generated: readonly Field[];
  readonly icon: string;
  readonly sign_in: SignInFacts | null;
  readonly can_test: boolean;
}

export interface Capabilities {
  readonly text_limit: number;
  readonly text_limit_unit: "bytes" | "chars" | "utf16";
  readonly segments: boolean;
  readonly receipts: readonly ("delivered" | "read" | "sent")[];
  readonly typing_in: boolean;
  readonly typing_out: boolean;
  readonly reply: boolean;
  readonly react: boolean;
  readonly edit: boolean;
  readonly edit_within_s: number;
  readonly delete: boolean;
  readonly delete_within_s: number;
  readonly mark_read: boolean;
  readonly attachments: boolean;
  readonly attachment_limit_bytes: number;
  readonly attachment_total_bytes: number;
  readonly attachment_limit_count: number;
  readonly attachment_mimes: readonly string[];
  readonly subject: boolean;
  readonly copies: boolean;
  readonly html: boolean;
  readonly visitors: boolean;
  readonly start_conversation: boolean;
  readonly window_s: number;
  readonly human_window_s: number;
  readonly templates: boolean;
  readonly human_only: boolean;
  readonly call: boolean;
}

export interface Field {
  readonly name: string;
  readonly label: string;
  readonly help: string;
  readonly kind: "checkbox" | "color" | "email" | "multiline" | "phone" | "secret" | "select" | "text" | "url";
  readonly required: boolean;
  readonly pattern: string;
  readonly options: readonly string[];
  readonly default: string;
  readonly generated: boolean;
  readonly shape: "token" | "whsec";
}

export interface Limit {
  readonly rate: number;
  readonly per_s: number;
  readonly burst: number;
}

export interface Preset {
  readonly id: string;
  readonly label: string;
  readonly domains: readonly string[];
  readonly values: Readonly<Record<string, string>>;
  readonly help: string;
}

export interface Closed {
  readonly setting: string;
  readonly value: string;
  readonly why: string;
  readonly draft_url: string;
}

export interface Softphone {
  readonly library: "twilio";
  readonly setting: string;
  readonly connect: readonly string[];
  readonly media: readonly string[];
}

export interface SignInFacts {
  readonly redirect_uri: string;
  readonly missing: string;
  readonly takes_own_app: boolean;
}

export interface ConversationPage {
  readonly seq: number;
  readonly conversations: readonly Conversation[];
  readonly contacts: readonly Contact[];
  readonly reads: readonly ReadMark[];
  readonly next: string | null;
}

export interface ConversationView {
  readonly seq: number;
  readonly conversation: Conversation;
  readonly contact: Contact;
  readonly reads: readonly ReadMark[];
}

export interface ConversationChange {
  readonly conversation: Conversation;
  readonly seq: number;
}

export interface MessagePage {
  readonly seq: number;
  readonly messages: readonly Message[];
  readonly lines: readonly Line[];
  readonly next: string | null;
}

export interface Message {
  readonly id: Uuid;
  readonly conversation_id: Uuid;
  readonly seq: number;
  readonly kind: MessageKind;
  readonly direction: "inbound" | "outbound";
  readonly author_kind: AuthorKind;
  readonly author_id: Uuid | null;
  readonly author_name: string;
  readonly text: string;
  readonly attachments: readonly Attachment[];
  readonly status: DeliveryStatus | null;
  readonly error: MessageError | null;
  readonly client_message_id: Uuid | null;
  readonly occurred_at: Timestamp;
  readonly version: number;
  readonly headers: MessageHeaders | null;
  readonly has_html: boolean;
  readonly quoted: string;
  readonly reply_to: Quote | null;
  readonly unreadable: string;
  readonly reactions: readonly Reaction[];
  readonly edited_at: Timestamp | null;
  readonly deleted_at: Timestamp | null;
  readonly change: MessageChange | null;
  readonly call: CallState | null;
}

export type MessageKind = "message" | "note" | "call" | "form";

export interface Attachment {
  readonly id: Uuid;
  readonly kind: string;
  readonly filename: string;
  readonly mime: string;
  readonly size_bytes: number;
  readonly state: "failed" | "pending" | "ready";
  readonly width: number | null;
  readonly height: number | null;
  readonly has_thumbnail: boolean;
  readonly has_preview: boolean;
  readonly inline: boolean;
  readonly error: string | null;
}

export type DeliveryStatus = "queued" | "sending" | "sent" | "delivered" | "read" | "failed" | "unknown";

export interface MessageError {
  readonly code: string;
  readonly message: string;
}

export interface MessageHeaders {
  readonly subject: string;
  readonly sender: Party | null;
  readonly to: readonly Party[];
  readonly cc: readonly Party[];
  readonly bcc: readonly Party[];
}

export interface Party {
  readonly name: string;
  readonly address: string;
}

export interface Quote {
  readonly message_id: Uuid;
  readonly author_kind: string;
  readonly author_name: string;
  readonly text: string;
}

export interface Reaction {
  readonly emoji: string;
  readonly author_kind: "contact" | "member";
  readonly author_id: Uuid | null;
  readonly author_name: string;
  readonly waiting: boolean;
}

export interface MessageChange {
  readonly id: Uuid;
  readonly kind: "delete" | "edit" | "react" | "unreact";
  readonly state: "failed" | "waiting";
  readonly text: string;
  readonly error: string;
}

export interface CallState {
  readonly outcome: "answered" | "asked" | "failed" | "missed" | "ringing" | "waiting";
  readonly member: string;
  readonly answered_at: Timestamp | null;
  readonly ended_at: Timestamp | null;
  readonly talk_s: number | null;
}

export interface Line {
  readonly seq: number;
  readonly type: "conversation_assigned" | "conversation_closed" | "conversation_moved" | "conversation_reopened" | "conversation_snoozed";
  readonly actor_id: Uuid | null;
  readonly at: Timestamp;
  readonly assignee_id: Uuid | null;
  readonly inbox_id: Uuid;
  readonly snoozed_until: Timestamp | null;
}

export interface CallAccepted {
  readonly message_id: Uuid;
  readonly seq: number;
  readonly problem: string;
  readonly connect: string;
}

export interface CallReportView {
  readonly since: Day;
  readonly until: Day;
  readonly time_zone: string;
  readonly total: CallFigures;
  readonly by_member: readonly MemberCalls[];
  readonly by_day: readonly DayCalls[];
  readonly rows: readonly MemberDayCalls[];
}

export interface CallFigures {
  readonly answered: number;
  readonly missed: number;
  readonly made: number;
  readonly reached: number;
  readonly wait_s: number | null;
  readonly longest_wait_s: number | null;
  readonly talk_s: number;
}

export interface MemberCalls {
  readonly member: string;
  readonly figures: CallFigures;
}

export interface DayCalls {
  readonly day: Day;
  readonly figures: CallFigures;
}

export interface MemberDayCalls {
  readonly day: Day;
  readonly member: string;
  readonly figures: CallFigures;
}

export interface SoftphoneView {
  readonly token: string;
  readonly identity: string;
  readonly library: string;
  readonly expires_at: Timestamp;
}

export interface ChangeView {
  readonly message: Message;
  readonly seq: number;
}

export interface VersionsView {
  readonly versions: readonly Version[];
}

export interface Version {
  readonly text: string;
  readonly written_at: Timestamp;
}

export interface ContactView {
  readonly contact: Contact;
  readonly conversations: readonly Conversation[];
}

export interface ContactChange {
  readonly contact: Contact;
  readonly seq: number;
}

export interface MembersView {
  readonly members: readonly Member[];
  readonly next?: string | null;
}

export interface AccountsView {
  readonly channel_accounts: readonly ConnectedView[];
}

export interface ConnectedView {
  readonly id: Uuid;
  readonly webhook_url: string;
  readonly channel_account: ChannelAccount;
  readonly warnings: readonly string[];
  readonly health: Health;
}

export interface Health {
  readonly last_item_at: Timestamp | null;
  readonly progress: Progress | null;
  readonly lag_s: number | null;
  readonly error: string | null;
  readonly unreachable_since: Timestamp | null;
}

export interface Progress {
  readonly done: number;
  readonly total: number;
  readonly what: string;
}

export interface DeadLetterPage {
  readonly dead_letters: readonly DeadLetterView[];
  readonly next: string | null;
}

export interface DeadLetterView {
  readonly id: Uuid;
  readonly channel: string;
  readonly channel_account_id: Uuid;
  readonly error: string;
  readonly received_at: Timestamp;
  readonly created_at: Timestamp;
  readonly state: "dropped" | "new" | "replayed";
  readonly size_bytes: number;
}

export interface DeadLetterDetail {
  readonly dead_letter: DeadLetterView;
  readonly body_text: string;
  readonly is_binary: boolean;
}

export interface ReplayedView {
  readonly replayed: readonly Uuid[];
  readonly skipped: readonly Uuid[];
}

export interface TestedView {
  readonly ok: boolean;
  readonly message: string;
}

export interface AccountHealth {
  readonly status: AccountStatus;
  readonly headline: string;
  readonly last_item_at: Timestamp | null;
  readonly last_sent_at: Timestamp | null;
  readonly intake_waiting: number | null;
  readonly queued: number;
  readonly oldest_queued_at: Timestamp | null;
  readonly reading: Health;
  readonly buckets: readonly BucketView[];
  readonly troubles: readonly Trouble[];
  readonly token_expires_at: Timestamp | null;
  readonly token_renewed_at: Timestamp | null;
  readonly webhook_url: string;
  readonly signs_in: boolean;
  readonly can_test: boolean;
}

export interface BucketView {
  readonly name: string;
  readonly free: number;
  readonly blocked_until: Timestamp | null;
  readonly words: string;
}

export interface Trouble {
  readonly doing: "fetch" | "read" | "renew" | "send" | "webhook";
  readonly code: string;
  readonly message: string;
  readonly times: number;
  readonly first_at: Timestamp;
  readonly last_at: Timestamp;
}

export interface SignInView {
  readonly authorize_url: string;
}

export interface AttemptState {
  readonly id: Uuid;
  readonly channel: string;
  readonly channel_account_id: Uuid;
  readonly outcome: "connected" | "refused" | "waiting";
  readonly message: string;
}

export interface SecretView {
  readonly name: string;
  readonly value: string;
}

export interface ReplyDefaults {
  readonly subject: string | null;
  readonly to: readonly Party[] | null;
  readonly cc: readonly Party[] | null;
}

export interface Offer {
  readonly workspace_name: string;
  readonly inviter_name: string;
  readonly email: string;
  readonly role: Role;
  readonly role_name: string;
  readonly expires_at: Timestamp;
  readonly has_login: boolean;
}

export interface SealingView {
  readonly sealing: Sealing;
}

export interface Sealing {
  readonly state: SealingState;
  readonly done: number;
  readonly total: number;
  readonly started_at: Timestamp | null;
  readonly finished_at: Timestamp | null;
  readonly key_made_at: Timestamp | null;
  readonly search: string;
}

export type SealingState = "open" | "sealing" | "sealed" | "opening";

export interface TemplatesView {
  readonly templates: readonly Template[];
  readonly fetched_at: Timestamp;
}

export interface Template {
  readonly name: string;
  readonly language: string;
  readonly text: string;
  readonly variables: readonly string[];
  readonly id: string;
  readonly status: string;
}

export interface ExportView {
  readonly export: Export;
  readonly url: string | null;
}

export interface Export {
  readonly id: Uuid;
  readonly contact_id: Uuid;
  readonly requested_by: Uuid;
  readonly state: "failed" | "queued" | "ready" | "running";
  readonly done: number;
  readonly total: number;
  readonly size_bytes: number;
  readonly created_at: Timestamp;
  readonly finished_at: Timestamp | null;
  readonly expires_at: Timestamp;
}

export interface ExportPage {
  readonly exports: readonly Export[];
  readonly next: string | null;
}

export interface PreviewView {
  readonly extent: Extent;
  readonly digest: string;
}

export interface Extent {
  readonly conversations: number;
  readonly messages: number;
  readonly files: number;
  readonly shared_conversations: number;
}

export interface ErasurePage {
  readonly erasures: readonly ErasureView[];
  readonly next: string | null;
}

export interface ErasureView {
  readonly id: Uuid;
  readonly kind: string;
  readonly contact_ids: readonly Uuid[];
  readonly policy_id: Uuid | null;
  readonly state: "done" | "queued" | "running";
  readonly phase: "contact" | "conversations" | "done" | "files" | "log" | "shared" | "traces";
  readonly progress: number;
  readonly conversations: number;
  readonly messages: number;
  readonly files: number;
  readonly requested_by: Uuid | null;
  readonly created_at: Timestamp;
  readonly finished_at: Timestamp | null;
}

export interface ConsentView {
  readonly consent: Consent;
}

export interface Consent {
  readonly id: Uuid;
  readonly contact_id: Uuid;
  readonly purpose: string;
  readonly channel: string;
  readonly state: "given" | "withdrawn";
  readonly basis: "consent" | "contract" | "legal_obligation" | "legitimate_interests" | "public_task" | "vital_interests";
  readonly source: string;
  readonly occurred_at: Timestamp;
  readonly recorded_by: Uuid | null;
  readonly recorded_at: Timestamp;
}

export interface ConsentPage {
  readonly consents: readonly Consent[];
  readonly next: string | null;
}

export interface PolicyView {
  readonly policy: RetentionPolicy;
}

export interface RetentionPolicy {
  readonly id: Uuid;
  readonly inbox_id: Uuid | null;
  readonly channel_account_id: Uuid | null;
  readonly days: number;
  readonly closed_only: boolean;
  readonly created_at: Timestamp;
  readonly next_run_at: Timestamp;
}

export interface PolicyPage {
  readonly policies: readonly RetentionPolicy[];
  readonly next: string | null;
}

export interface InvitationsView {
  readonly invitations: readonly Invitation[];
  readonly next?: string | null;
}

export interface Invitation {
  readonly id: Uuid;
  readonly email: string;
  readonly role: Role;
  readonly custom_role_id: Uuid | null;
  readonly team_ids: readonly Uuid[];
  readonly inbox_ids: readonly Uuid[];
  readonly invited_by: Uuid;
  readonly created_at: Timestamp;
  readonly sent_at: Timestamp;
  readonly expires_at: Timestamp;
}

export interface InvitedView {
  readonly results: readonly Invited[];
}

export interface Invited {
  readonly email: string;
  readonly outcome: "already_member" | "deactivated" | "forbidden" | "invalid" | "invited";
  readonly invitation: Invitation | null;
}

export interface CatalogueView {
  readonly permissions: readonly PermissionView[];
}

export interface PermissionView {
  readonly permission: Permission;
  readonly name: string;
  readonly description: string;
  readonly grantable: boolean;
}

export interface RolesView {
  readonly roles: readonly BuiltInRole[];
  readonly custom_roles: readonly CustomRole[];
}

export interface BuiltInRole {
  readonly role: Role;
  readonly permissions: readonly Permission[];
  readonly sees_all: boolean;
}

export interface InboxWithAccess {
  readonly inbox: Inbox;
  readonly access: InboxAccess;
}

export interface InboxAccess {
  readonly member_ids: readonly Uuid[];
  readonly team_ids: readonly Uuid[];
}

export interface SecurityView {
  readonly requires_second_factor: boolean;
  readonly members_without: readonly Uuid[];
}

export interface DomainsView {
  readonly domains: readonly Domain[];
}

export interface Domain {
  readonly domain: string;
  readonly role: Role;
  readonly enabled: boolean;
  readonly version: number;
}

export interface DeletedWorkspace {
  readonly workspace_id: number;
  readonly workspace_name: string;
  readonly member_id: Uuid;
  readonly deleted_at: Timestamp;
  readonly erased_at: Timestamp;
}

export interface WorkspacePage {
  readonly workspaces: readonly WorkspaceRow[];
  readonly next: string | null;
}

export interface WorkspaceRow {
  readonly id: number;
  readonly name: string;
  readonly created_at: Timestamp;
  readonly suspended_at: Timestamp | null;
  readonly suspended_why: string;
  readonly deleted_at: Timestamp | null;
  readonly lets_operators_in: boolean;
  readonly members: number;
  readonly sockets: number;
  readonly messages_30_days: number;
  readonly storage_bytes: number;
}

export interface WorkspaceDetail {
  readonly workspace: WorkspaceRow;
  readonly usage: Usage;
  readonly limits: LimitsView;
  readonly flags: readonly FlagState[];
  readonly entered: readonly EnteredRow[];
  readonly owners: readonly PersonView[];
}

export interface Usage {
  readonly members: number;
  readonly members_invited: number;
  readonly channel_accounts: number;
  readonly storage_bytes: number;
  readonly sockets: number;
  readonly messages_sent_today: number;
  readonly days: readonly UsageDay[];
  readonly limits: Limits;
}

export interface UsageDay {
  readonly day: Day;
  readonly messages_in: number;
  readonly messages_out: number;
  readonly api_calls: number;
  readonly most_sockets: number;
}

export interface Limits {
  readonly members: number | null;
  readonly channel_accounts: number | null;
  readonly storage_bytes: number | null;
  readonly sockets: number | null;
  readonly messages_per_day: number | null;
  readonly workspace_calls_per_minute: number | null;
}

export interface LimitsView {
  readonly own: OwnLimits;
  readonly defaults: Limits;
}

export interface OwnLimits {
  readonly limits: Limits;
  readonly version: number;
}

export interface FlagState {
  readonly name: Flag;
  readonly sentence: string;
  readonly default: boolean;
  readonly per_workspace: boolean;
  readonly installation: boolean | null;
  readonly workspace: boolean | null;
  readonly is_on: boolean;
}

export type Flag = "new_workspaces" | "api_keys" | "personal_tokens";

export interface EnteredRow {
  readonly session_id: Uuid;
  readonly operator_id: Uuid;
  readonly member_id: Uuid;
  readonly reason: string;
  readonly began_at: Timestamp;
  readonly expires_at: Timestamp;
  readonly ended_at: Timestamp | null;
}

export interface PersonView {
  readonly id: Uuid;
  readonly name: string;
}

export interface HealthView {
  readonly findings: readonly Finding[];
  readonly schema: string;
}

export interface Finding {
  readonly level: Level;
  readonly title: string;
  readonly what_to_do: string;
  readonly detail: string;
}

export type Level = "ok" | "warning" | "fault";

export interface HandOver {
  readonly to: "member" | "nobody" | "team";
  readonly id?: Uuid | null;
}

export interface MessageReceived {
  readonly type: "message_received";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly contact: Contact;
  readonly message: Message;
}

export interface MessageEchoed {
  readonly type: "message_echoed";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly contact: Contact;
  readonly message: Message;
}

export interface MessageQueued {
  readonly type: "message_queued";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly message: Message;
}

export interface NoteAdded {
  readonly type: "note_added";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly message: Message;
}

export interface ConversationAssigned {
  readonly type: "conversation_assigned";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly actor_id: Uuid | null;
}

export interface ConversationClosed {
  readonly type: "conversation_closed";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly actor_id: Uuid | null;
}

export interface ConversationReopened {
  readonly type: "conversation_reopened";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly actor_id: Uuid | null;
}

export interface ConversationSnoozed {
  readonly type: "conversation_snoozed";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly actor_id: Uuid | null;
}

export interface ConversationMoved {
  readonly type: "conversation_moved";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly contact: Contact;
  readonly actor_id: Uuid | null;
}

export interface ConversationRemoved {
  readonly type: "conversation_removed";
  readonly conversation_id: Uuid;
  readonly previous_status: ConversationStatus | null;
  readonly removed: true;
}

export interface MessageStatusChanged {
  readonly type: "message_status_changed";
  readonly conversation_id: Uuid;
  readonly message_id: Uuid;
  readonly status: DeliveryStatus;
  readonly error: MessageError | null;
}

export interface MessageAttachmentsChanged {
  readonly type: "message_attachments_changed";
  readonly conversation_id: Uuid;
  readonly message_id: Uuid;
  readonly attachments: readonly Attachment[];
}

export interface MessageEdited {
  readonly type: "message_edited";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly message: Message;
}

export interface MessageDeleted {
  readonly type: "message_deleted";
  readonly conversation: Conversation;
  readonly previous_status: ConversationStatus | null;
  readonly message: Message;
}

export interface ReactionChanged {
  readonly type: "reaction_changed";
  readonly conversation_id: Uuid;
  readonly message_id: Uuid;
  readonly reactions: readonly Reaction[];
}

export interface MessageChangeNoted {
  readonly type: "message_change_noted";
  readonly conversation_id: Uuid;
  readonly message_id: Uuid;
  readonly change: MessageChange | null;
}

export interface ConversationRead {
  readonly type: "conversation_read";
  readonly conversation_id: Uuid;
  readonly member_id: Uuid;
  readonly read_seq: number;
}

export interface ContactsRemoved {
  readonly type: "contacts_removed";
  readonly contact_ids: readonly Uuid[];
}

export interface DemoRemoved {
  readonly type: "demo_removed";
  readonly channel_account_ids: readonly Uuid[];
}

export interface ContactChanged {
  readonly type: "contact_changed";
  readonly contact: Contact;
}

export interface MemberAdded {
  readonly type: "member_added";
  readonly member: Member;
}

export interface MemberChanged {
  readonly type: "member_changed";
  readonly member: Member;
}

export interface WorkspaceChanged {
  readonly type: "workspace_changed";
  readonly workspace: Workspace;
}

export interface TeamChanged {
  readonly type: "team_changed";
  readonly team: Team;
}

export interface TeamRemoved {
  readonly type: "team_removed";
  readonly team_id: Uuid;
}

export interface RoleChanged {
  readonly type: "role_changed";
  readonly role: CustomRole;
}

export interface RoleRemoved {
  readonly type: "role_removed";
  readonly role_id: Uuid;
}

export interface InboxChanged {
  readonly type: "inbox_changed";
  readonly inbox: Inbox;
}

export interface InboxRemoved {
  readonly type: "inbox_removed";
  readonly inbox_id: Uuid;
}

export interface ChannelAccountConnected {
  readonly type: "channel_account_connected";
  readonly channel_account: ChannelAccount;
  readonly inbox: Inbox;
}

export interface ChannelAccountChanged {
  readonly type: "channel_account_changed";
  readonly channel_account: ChannelAccount;
}

export interface Hello {
  readonly type: "hello";
  readonly protocol: number;
  readonly ticket?: string | null;
  readonly bearer?: string | null;
  readonly resume_ticket?: string | null;
  readonly visitor_token?: string | null;
  readonly workspace_id?: number | null;
  readonly cursor?: Cursor | null;
  readonly client?: string;
}

export interface Cursor {
  readonly epoch: number;
  readonly seq: number;
}

export interface Send {
  readonly type: "send";
  readonly client_message_id: Uuid;
  readonly text: string;
  readonly conversation_id?: Uuid | null;
  readonly kind?: "message" | "note";
  readonly attachments?: readonly Uuid[];
  readonly seen_seq?: number | null;
  readonly addressing?: Addressing | null;
  readonly reply_to?: Uuid | null;
  readonly template?: TemplateUse | null;
}

export interface Addressing {
  readonly subject?: string | null;
  readonly to?: readonly Party[];
  readonly cc?: readonly Party[];
  readonly bcc?: readonly Party[];
}

export interface TemplateUse {
  readonly name: string;
  readonly language: string;
  readonly id?: string;
  readonly variables?: Readonly<Record<string, string>>;
}

export interface ReadFrame {
  readonly type: "read";
  readonly seq: number;
  readonly conversation_id?: Uuid | null;
}

export interface Typing {
  readonly type: "typing";
  readonly on: boolean;
  readonly conversation_id?: Uuid | null;
  readonly kind?: "message" | "note";
}

export interface Viewing {
  readonly type: "viewing";
  readonly conversation_id: Uuid | null;
}

export interface PingFrame {
  readonly type: "ping";
  readonly cursor?: number | null;
}

export interface Welcome {
  readonly type: "welcome";
  readonly connection_id: string;
  readonly epoch: number;
  readonly head: number;
  readonly recovered: boolean;
  readonly resume_ticket: string;
  readonly protocol: number;
  readonly heartbeat_s: number;
  readonly member_id: Uuid | null;
  readonly conversation_id: Uuid | null;
}

export interface EventFrame {
  readonly type: "event";
  readonly seq: number;
  readonly prev: number;
  readonly event: HubEvent;
}

export interface Ack {
  readonly type: "ack";
  readonly client_message_id: Uuid;
  readonly message_id: Uuid;
  readonly seq: number;
}

export interface ErrorFrame {
  readonly type: "error";
  readonly code: string;
  readonly message: string;
  readonly field: string | null;
  readonly retry_after_s: number | null;
  readonly client_message_id: Uuid | null;
}

export interface Head {
  readonly type: "head";
  readonly seq: number;
  readonly resume_ticket?: string | null;
}

export interface Gap {
  readonly type: "gap";
  readonly reason: "lost" | "rights" | "slow";
}

export interface TypingShown {
  readonly type: "typing";
  readonly conversation_id: Uuid;
  readonly member_id: Uuid | null;
  readonly on: boolean;
  readonly kind: "message" | "note";
}

export interface ViewingShown {
  readonly type: "viewing";
  readonly conversation_id: Uuid;
  readonly member_ids: readonly Uuid[] | null;
}

export interface PresenceShown {
  readonly type: "presence";
  readonly member_ids: readonly Uuid[] | null;
}

export interface PresenceChanged {
  readonly type: "presence_changed";
  readonly came: readonly Uuid[];
  readonly went: readonly Uuid[];
}

export interface NoticeShown {
  readonly type: "notice";
  readonly notice_id: Uuid | null;
}

export interface Bye {
  readonly type: "bye";
  readonly code: number;
  readonly reason: string;
  readonly retry_after_s: number | null;
}

export type HubEvent =
  | MessageReceived
  | MessageEchoed
  | MessageQueued
  | NoteAdded
  | ConversationAssigned
  | ConversationClosed
  | ConversationReopened
  | ConversationSnoozed
  | ConversationMoved
  | ConversationRemoved
  | MessageStatusChanged
  | MessageAttachmentsChanged
  | MessageEdited
  | MessageDeleted
  | ReactionChanged
  | MessageChangeNoted
  | ConversationRead
  | ContactsRemoved
  | DemoRemoved
  | ContactChanged
  | MemberAdded
  | MemberChanged
  | WorkspaceChanged
  | TeamChanged
  | TeamRemoved
  | RoleChanged
  | RoleRemoved
  | InboxChanged
  | InboxRemoved
  | ChannelAccountConnected
  | ChannelAccountChanged;

export type ClientFrame =
  | Hello
  | Send
  | ReadFrame
  | Typing
  | Viewing
  | PingFrame;

export type ServerFrame =
  | Welcome
  | EventFrame
  | Ack
  | ErrorFrame
  | Head
  | Gap
  | TypingShown
  | ViewingShown
  | PresenceShown
  | PresenceChanged
  | NoticeShown
  | Bye;
