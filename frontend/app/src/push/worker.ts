/**
 * What the service worker does with a push, a click and a changed subscription. It shows what the hub sent and nothing
 * else, keeps nothing, answers no request of a page. `sw.ts` ties it to the browser's events; tests to fakes.
 */

/** What `hub/notices/pushing.py` sends. */
export interface PushPayload {
  readonly title: string;
  readonly body: string;
  /** What a click opens, a path of ours. */
  readonly path: string;
  readonly tag: string;
  readonly workspace_id: number;
}

/** Told to an open tab when a notification was clicked. */
export interface OpenMessage {
  readonly type: "hub:open";
  readonly path: string;
  readonly workspace_id: number;
}

/** What is needed of a window of ours. */
export interface Tab {
  readonly url: string;
  readonly focused: boolean;
  readonly visibilityState: string;
  focus(): Promise<unknown>;
  postMessage(message: OpenMessage): void;
}

/** What is needed of `ServiceWorkerGlobalScope`. */
export interface Surroundings {
  readonly origin: string;
  showNotification(title: string, options: NotificationOptions): Promise<void>;
  tabs(): Promise<readonly Tab[]>;
  openWindow(url: string): Promise<unknown>;
  subscribe(key: string): Promise<{ toJSON(): unknown }>;
  fetch(url: string, init?: RequestInit): Promise<Response>;
}

const ICON = "/icon-192.png";
/** Shown where a push cannot be read: browsers take the right to push from those who show nothing. */
const UNREADABLE: PushPayload = { title: "Something new", body: "", path: "/notices", tag: "unreadable", workspace_id: 0 };

export async function onPush(around: Surroundings, text: string | null): Promise<void> {
  const { title, body, path, tag, workspace_id } = readPayload(text, around.origin);
  await around.showNotification(title, { body, tag, icon: ICON, badge: ICON, data: { path, workspace_id } });
}

/** Comes to a tab of ours, the one looked at last first, and opens the path there; else in a new window. */
export async function onClick(around: Surroundings, data: unknown): Promise<void> {
  const { path, workspace_id } = readTarget(data, around.origin);
  const tabs = (await around.tabs()).filter((tab) => new URL(tab.url).origin === around.origin);
  const tab = tabs.find((one) => one.focused) ?? tabs.find((one) => one.visibilityState === "visible") ?? tabs[0];
  if (tab === undefined) {
    await around.openWindow(withWorkspace(path, workspace_id));
    return;
  }
  // A worker's client, not a window: the browser has no origin to ask for here.
  // oxlint-disable-next-line unicorn/require-post-message-target-origin
  tab.postMessage({ type: "hub:open", path, workspace_id });
  // A browser may refuse the focus when the click is long ago; the page is right all the same.
  await tab.focus().catch(() => undefined);
}

/**
 * The push service gave this browser another address: the hub is told with the session's cookie.
 *
 * @returns whether the hub took it; a session that has ended gets no pushes, and its browser no address.
 */
export async function onSubscriptionChange(around: Surroundings, old: string | null): Promise<boolean> {
  const headers = { "Content-Type": "application/json", "X-Hub-Request": "1" };
  const answer = await around.fetch("/api/v1/push-key", { credentials: "same-origin" });
  if (!answer.ok) return false;
  const { public_key } = (await answer.json()) as { public_key: string };
  const fresh = await around.subscribe(public_key);
  const kept = await around.fetch("/api/v1/push-subscriptions", { method: "POST", headers, credentials: "same-origin", body: JSON.stringify(fresh.toJSON()) });
  if (kept.ok && old !== null) {
    await around.fetch("/api/v1/push-subscriptions", { method: "DELETE", headers, credentials: "same-origin", body: JSON.stringify({ endpoint: old }) });
  }
  return kept.ok;
}

function readPayload(text: string | null, origin: string): PushPayload {
  try {
    const value = JSON.parse(text ?? "") as Partial<PushPayload> | null;
    if (value === null || typeof value.title !== "string" || value.title === "") return UNREADABLE;
    const tag = typeof value.tag === "string" && value.tag !== "" ? value.tag : UNREADABLE.tag;
    return { title: value.title, body: typeof value.body === "string" ? value.body : "", tag, ...readTarget(value, origin) };
  } catch {
    return UNREADABLE;
  }
}

/** A path of ours whatever the data says: nothing that arrives by push leads to another site. */
function readTarget(data: unknown, origin: string): { path: string; workspace_id: number } {
  const { path, workspace_id } = (typeof data === "object" && data !== null ? data : {}) as Partial<PushPayload>;
  const id = typeof workspace_id === "number" && Number.isSafeInteger(workspace_id) ? workspace_id : 0;
  if (typeof path !== "string" || !path.startsWith("/")) return { path: UNREADABLE.path, workspace_id: id };
  const url = new URL(path, origin);
  return { path: url.origin === origin ? url.pathname + url.search : UNREADABLE.path, workspace_id: id };
}

function withWorkspace(path: string, workspaceId: number): string {
  if (workspaceId === 0) return path;
  return `${path}${path.includes("?") ? "&" : "?"}workspace=${workspaceId}`;
}
