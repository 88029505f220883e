// The page around the frame. Its loader keeps what must outlive the page and opens and closes us; without one (the
// frame opened as a page of its own) the frame is first party and keeps things itself.
import { unwrap, wrap, type Look, type ToFrame, type ToLoader } from "../bridge.ts";
import type { Keep } from "./environment.ts";

export interface Parent {
  readonly framed: boolean;
  readonly keep: Keep;
  /** Tells the loader something; without one nobody hears. */
  say(body: ToLoader): void;
}

/**
 * Listens to the page the frame was made for: its origin stands after `#` in our address, and both the browser's own
 * account of our ancestors and each message's origin and source must agree with it.
 *
 * @param hear called with each message that passed, beginning with `init`.
 */
export function joinParent(page: Window, hear: (body: ToFrame) => void): Parent | null {
  const origin = page.location.hash.slice(1);
  if (page.parent === page) return standAlone(page, hear);
  const ancestor = page.location.ancestorOrigins?.[0];
  if (!origin || (ancestor !== undefined && ancestor !== origin)) return null;

  const texts = new Map<string, string>();
  const say = (body: ToLoader) => page.parent.postMessage(wrap(body), origin);
  page.addEventListener("message", (event) => {
    if (event.source !== page.parent || event.origin !== origin) return;
    const body = unwrap<ToFrame>(event.data);
    if (!body) return;
    if (body.type === "init") for (const key in body.state) texts.set(key, body.state[key]!);
    if (body.type === "stored") put(texts, body.key, body.value);
    hear(body);
  });
  const keep: Keep = {
    get: (key) => texts.get(key) ?? null,
    keys: () => [...texts.keys()],
    set(key, value) {
      put(texts, key, value);
      say({ type: "set", key, value });
    },
  };
  say({ type: "ready" });
  return { framed: true, keep, say };
}

export function lookOf(title: string, look: Omit<Look, "title">): ToLoader {
  return { type: "look", look: { ...look, title } };
}

function standAlone(page: Window, hear: (body: ToFrame) => void): Parent {
  const prefix = `hub-chat:${page.location.pathname}:`;
  const storage = page.localStorage;
  const keep: Keep = {
    get: (key) => storage.getItem(prefix + key),
    keys: () =>
      Object.keys(storage)
        .filter((key) => key.startsWith(prefix))
        .map((key) => key.slice(prefix.length)),
    set: (key, value) => (value === null ? storage.removeItem(prefix + key) : storage.setItem(prefix + key, value)),
  };
  queueMicrotask(() => hear({ type: "init", state: {}, identity: null, page_url: "", open: true, focus: true }));
  return { framed: false, keep, say: () => {} };
}

function put(texts: Map<string, string>, key: string, value: string | null): void {
  if (value === null) texts.delete(key);
  else texts.set(key, value);
}
