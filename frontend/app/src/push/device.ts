/**
 * This browser's side of push: what it can, whether it is subscribed, and how to change that. Permission is asked for in
 * `turnOn` alone, which a click calls.
 */
import { call } from "../api";
import type { Timestamp, Uuid } from "../types.gen";
import { keyBytes } from "./key";
import type { OpenMessage } from "./worker";

export interface OwnBrowser {
  readonly id: Uuid;
  readonly user_agent: string;
  readonly created_at: Timestamp;
  readonly is_this: boolean;
}

export type Fate = "sent" | "gone" | "later" | "refused";
export type Standing = "on" | "off" | "blocked" | "unsupported";

const SCRIPT = "/sw.js";
/** The id the hub keeps this browser under: how its row in the list is found. */
const MINE = "hub.push";

export const pushCalls = {
  list: () => call<{ browsers: readonly OwnBrowser[] }>("GET", "/push-subscriptions"),
  tryOut: (id: Uuid) => call<{ fate: Fate }>("POST", `/push-subscriptions/${id}/test`),
  remove: (id: Uuid) => call<void>("DELETE", `/push-subscriptions/${id}`),
  key: () => call<{ public_key: string }>("GET", "/push-key"),
  keep: (subscription: unknown) => call<{ id: Uuid }>("POST", "/push-subscriptions", subscription),
  drop: (endpoint: string) => call<void>("DELETE", "/push-subscriptions", { endpoint }),
};

export const isSupported = (): boolean => "serviceWorker" in navigator && "PushManager" in window && "Notification" in window;

export async function standing(): Promise<Standing> {
  if (!isSupported()) return "unsupported";
  if (Notification.permission === "denied") return "blocked";
  return Notification.permission === "granted" && (await current()) !== null ? "on" : "off";
}

export const ownId = (): Uuid | null => localStorage.getItem(MINE);

/** Asks for permission, subscribes, and tells the hub; the browser's own refusal is "blocked" or "off". */
export async function turnOn(): Promise<Standing> {
  if (!isSupported()) return "unsupported";
  const permission = await Notification.requestPermission();
  if (permission !== "granted") return permission === "denied" ? "blocked" : "off";
  const registration = await navigator.serviceWorker.register(SCRIPT, { scope: "/", updateViaCache: "none" });
  await navigator.serviceWorker.ready;
  const applicationServerKey = keyBytes((await pushCalls.key()).public_key);
  const subscription = await subscribeAnew(registration, applicationServerKey);
  const { id } = await pushCalls.keep(subscription.toJSON());
  localStorage.setItem(MINE, id);
  return "on";
}

export async function turnOff(): Promise<void> {
  const subscription = await current();
  localStorage.removeItem(MINE);
  if (subscription === null) return;
  await pushCalls.drop(subscription.endpoint);
  await subscription.unsubscribe();
}

/** Calls back when a notification of ours was clicked and this tab is to open what it is about. */
export function onOpen(open: (message: OpenMessage) => void): () => void {
  if (!("serviceWorker" in navigator)) return () => undefined;
  const listen = ({ data }: MessageEvent<Partial<OpenMessage> | null>): void => {
    if (data?.type === "hub:open" && typeof data.path === "string") open(data as OpenMessage);
  };
  navigator.serviceWorker.addEventListener("message", listen);
  return () => navigator.serviceWorker.removeEventListener("message", listen);
}

/** A subscription made for another key, of an installation whose secret was lost, is of no use: it is replaced. */
async function subscribeAnew(registration: ServiceWorkerRegistration, applicationServerKey: Uint8Array<ArrayBuffer>): Promise<PushSubscription> {
  const options = { userVisibleOnly: true, applicationServerKey };
  try {
    return await registration.pushManager.subscribe(options);
  } catch (error) {
    const old = await registration.pushManager.getSubscription();
    if (old === null || !(error instanceof DOMException) || error.name !== "InvalidStateError") throw error;
    await old.unsubscribe();
    return registration.pushManager.subscribe(options);
  }
}

async function current(): Promise<PushSubscription | null> {
  const registration = await navigator.serviceWorker.getRegistration("/");
  return (await registration?.pushManager.getSubscription()) ?? null;
}
