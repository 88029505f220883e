/** The service worker, served as /sw.js: ties the browser's events to worker.ts. No fetch handler: pages load as without it. */
import { onClick, onPush, onSubscriptionChange } from "./worker";
import type { Surroundings, Tab } from "./worker";
import { keyBytes } from "./key";

/** What is needed of the worker's global scope; the project's types are those of pages. */
interface WorkerEvent extends Event {
  waitUntil(work: Promise<unknown>): void;
  readonly data?: { text(): string } | null;
  readonly notification?: { readonly data: unknown; close(): void };
  readonly oldSubscription?: { readonly endpoint: string } | null;
}
interface WorkerScope {
  readonly location: Location;
  readonly registration: ServiceWorkerRegistration;
  readonly clients: { matchAll(options: object): Promise<readonly Tab[]>; openWindow(url: string): Promise<unknown>; claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener(type: string, listener: (event: WorkerEvent) => void): void;
}

const scope = self as unknown as WorkerScope;
const around: Surroundings = {
  origin: scope.location.origin,
  showNotification: (title, options) => scope.registration.showNotification(title, options),
  tabs: () => scope.clients.matchAll({ type: "window", includeUncontrolled: true }),
  openWindow: (url) => scope.clients.openWindow(url),
  subscribe: (key) => scope.registration.pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: keyBytes(key) }),
  fetch: (url, init) => fetch(url, init),
};

// It holds no state and answers no page, so a new one may take over at once.
scope.addEventListener("install", (event) => event.waitUntil(scope.skipWaiting()));
scope.addEventListener("activate", (event) => event.waitUntil(scope.clients.claim()));
scope.addEventListener("push", (event) => event.waitUntil(onPush(around, event.data?.text() ?? null)));
scope.addEventListener("notificationclick", (event) => {
  event.notification?.close();
  event.waitUntil(onClick(around, event.notification?.data));
});
scope.addEventListener("pushsubscriptionchange", (event) => event.waitUntil(onSubscriptionChange(around, event.oldSubscription?.endpoint ?? null)));
