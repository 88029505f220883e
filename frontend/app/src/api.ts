/** The HTTP API of docs/http-api.md: one function that calls, and the shapes of the answers. */
import type {
  AccountsView, CallAccepted, CallReportView, ChangeView, ChannelView, ConnectedView, ContactChange, ContactView, ConversationChange as ConversationChanged, ConversationPage,
  ConversationView, DeadLetterDetail, DeadLetterPage, MembersView, MessagePage, ReplayedView, ReplyDefaults, SecretView, SessionView, Snapshot, SoftphoneView, TemplatesView, TestedView, Uuid, VersionsView,
} from "./types.gen";

export type ProofMethod = "totp" | "passkey" | "recovery_code" | "password";

/** A refusal in the hub's words; `code` is "offline" when no answer came at all. */
export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly field: string | null = null,
    readonly retry_after_s: number | null = null,
    /** The ways to prove who one is, where that is what is missing. */
    readonly methods: readonly ProofMethod[] = [],
    /** A sign-in half done: goes back with the second factor. */
    readonly challenge: string | null = null,
  ) {
    super(message);
  }
}

export type SessionAnswer = SessionView;
export type AccountAnswer = ConnectedView;

export interface AccountForm {
  readonly channel: string;
  readonly name: string;
  readonly credentials: Readonly<Record<string, string>>;
  readonly settings: Readonly<Record<string, string>>;
}

export type ConversationChange =
  | { readonly status: "open" | "closed" }
  | { readonly status: "snoozed"; readonly snoozed_until: string }
  | { readonly assignee_id: Uuid | null };

type Method = "GET" | "POST" | "PUT" | "PATCH" | "DELETE";

export async function call<Answer>(method: Method, path: string, body?: unknown, more: Readonly<Record<string, string>> = {}): Promise<Answer> {
  const headers: Record<string, string> = method === "GET" ? { ...more } : { "X-Hub-Request": "1", ...more };
  if (body !== undefined) headers["Content-Type"] = body instanceof Blob ? "application/octet-stream" : "application/json";
  let response: Response;
  try {
    const content = body === undefined ? {} : { body: body instanceof Blob ? body : JSON.stringify(body) };
    response = await fetch(`/api/v1${path}`, { method, headers, credentials: "same-origin", keepalive: method === "DELETE", ...content });
  } catch {
    throw new ApiError(0, "offline", "The hub did not answer. Check your connection and try again.");
  }
  if (response.status === 204) return undefined as Answer;
  const answer: unknown = await response.json().catch(() => null);
  if (response.ok && answer !== null) return answer as Answer;
  throw toError(response.status, answer);
}

function toError(status: number, answer: unknown): ApiError {
  const body = (typeof answer === "object" && answer !== null ? answer : {}) as Partial<ApiError>;
  const message = body.message ?? "The hub could not do this. Try again in a moment.";
  return new ApiError(status, body.code ?? "unavailable", message, body.field ?? null, body.retry_after_s ?? null, body.methods ?? [], body.challenge ?? null);
}

export const query = (parameters: Readonly<Record<string, string | number | null | undefined>>): string => {
  const pairs = Object.entries(parameters).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return pairs.length === 0 ? "" : `?${new URLSearchParams(pairs.map(([key, value]) => [key, String(value)])).toString()}`;
};

export const accountApi = {
  needsSetup: () => call<{ needs_setup: boolean }>("GET", "/setup"),
  setUp: (form: { token: string; workspace: string; name: string; email: string; password: string }) =>
    call<{ workspace_id: number; member_id: Uuid }>("POST", "/setup", form),
  session: () => call<SessionAnswer>("GET", "/session"),
  signIn: (email: string, password: string) => call<SessionAnswer>("POST", "/session", { email, password }),
  signOut: () => call<void>("DELETE", "/session"),
  redeemLink: (form: { token: string; name?: string; password: string }) => call<SessionAnswer>("POST", "/password-links", form),
  channels: () => call<{ channels: readonly ChannelView[] }>("GET", "/channels"),
};

export type WorkspaceApi = ReturnType<typeof workspaceApi>;

/** The calls under one workspace. */
export function workspaceApi(workspaceId: number) {
  const base = `/workspaces/${workspaceId}`;
  return {
    snapshot: (limit: number) => call<Snapshot>("GET", `${base}/snapshot${query({ limit })}`),
    conversations: (filter: { status?: string; assignee?: string | null; before?: string | null; limit?: number }) =>
      call<ConversationPage>("GET", `${base}/conversations${query(filter)}`),
    templates: (accountId: Uuid) => call<TemplatesView>("GET", `${base}/channel-accounts/${accountId}/templates`),
    refreshTemplates: (accountId: Uuid) => call<TemplatesView>("POST", `${base}/channel-accounts/${accountId}/templates/refresh`, {}),
    conversation: (id: Uuid) =>
      call<ConversationView>("GET", `${base}/conversations/${id}`),
    change: (id: Uuid, change: ConversationChange) =>
      call<ConversationChanged>("PATCH", `${base}/conversations/${id}`, change),
    messages: (id: Uuid, before: string | null) =>
      call<MessagePage>("GET", `${base}/conversations/${id}/messages${query({ before, limit: 50 })}`),
    callContact: (id: Uuid, callId: Uuid, device: "phone" | "browser") =>
      call<CallAccepted>("POST", `${base}/conversations/${id}/calls`, { client_call_id: callId, device }),
    callReport: (days: { since: string; until: string }, time_zone: string) =>
      call<CallReportView>("GET", `${base}/reports/calls${query({ ...days, time_zone })}`),
    softphone: (accountId: Uuid) => call<SoftphoneView>("POST", `${base}/channel-accounts/${accountId}/softphone`, {}),
    sendAgain: (id: Uuid, messageId: Uuid) =>
      call<{ seq: number }>("POST", `${base}/conversations/${id}/messages/${messageId}/retry`, {}),
    editMessage: (id: Uuid, messageId: Uuid, text: string) =>
      call<ChangeView>("PATCH", `${base}/conversations/${id}/messages/${messageId}`, { text }),
    deleteMessage: (id: Uuid, messageId: Uuid) => call<ChangeView>("DELETE", `${base}/conversations/${id}/messages/${messageId}`),
    react: (id: Uuid, messageId: Uuid, emoji: string, on: boolean) =>
      call<ChangeView>(on ? "PUT" : "DELETE", `${base}/conversations/${id}/messages/${messageId}/reactions/${encodeURIComponent(emoji)}`),
    dismissChange: (id: Uuid, messageId: Uuid) => call<ChangeView>("DELETE", `${base}/conversations/${id}/messages/${messageId}/change`),
    versions: (id: Uuid, messageId: Uuid) => call<VersionsView>("GET", `${base}/conversations/${id}/messages/${messageId}/versions`),
    markRead: (id: Uuid, seq: number) => call<{ seq: number }>("PUT", `${base}/conversations/${id}/read`, { seq }),
    contact: (id: Uuid) => call<ContactView>("GET", `${base}/contacts/${id}`),
    changeContact: (id: Uuid, change: { name?: string; lifecycle_stage?: string }) =>
      call<ContactChange>("PATCH", `${base}/contacts/${id}`, change),
    members: () => call<MembersView>("GET", `${base}/members`),
    accounts: () => call<AccountsView>("GET", `${base}/channel-accounts`),
    connect: (form: AccountForm) => call<AccountAnswer>("POST", `${base}/channel-accounts`, form),
    changeAccount: (id: Uuid, change: Partial<Omit<AccountForm, "channel">> & { status?: "connected" | "paused" }) =>
      call<AccountAnswer>("PATCH", `${base}/channel-accounts/${id}`, change),
    removeAccount: (id: Uuid) => call<void>("DELETE", `${base}/channel-accounts/${id}`),
    testAccount: (id: Uuid) => call<TestedView>("POST", `${base}/channel-accounts/${id}/test`),
    replyDefaults: (id: Uuid) => call<ReplyDefaults>("GET", `${base}/conversations/${id}/reply-defaults`),
    deleteUpload: (id: Uuid) => call<void>("DELETE", `${base}/attachments/${id}`),
    deadLetters: (filter: { state?: string; before?: string | null; limit?: number }) =>
      call<DeadLetterPage>("GET", `${base}/dead-letters${query(filter)}`),
    deadLetter: (id: Uuid) => call<DeadLetterDetail>("GET", `${base}/dead-letters/${id}`),
    replayDeadLetters: (ids: readonly Uuid[]) => call<ReplayedView>("POST", `${base}/dead-letters/replay`, { ids }),
    dropDeadLetter: (id: Uuid) => call<unknown>("POST", `${base}/dead-letters/${id}/drop`, {}),
    removeDemo: () => call<void>("DELETE", `${base}/demo`),
    renewSecret: (id: Uuid, name: string) => call<SecretView>("POST", `${base}/channel-accounts/${id}/secrets/${name}`, {}),
  };
}
