// The page around the frame: its loader keeps what must outlive the page, and opens and closes us.
import { unwrap, wrap, type ToFrame, type ToLoader } from "../bridge.ts";
import type { Keep } from "./environment.ts";

export interface Parent {
  readonly keep: Keep;
  say(body: ToLoader): void;
}

/**
 * Listens to the page the frame was made for: its origin stands after `#` in our address, and both the browser's own
 * account of our ancestors and each message's origin and source must agree with it.
 *
 * @param hear called with each message that passed, beginning with `init`.
 * @returns null when we are not where our address says.
 */
export function joinParent(page: Window, hear: (body: ToFrame) => void): Parent | null {
  const { parent, location } = page;
  const origin = location.hash.slice(1);
  if (parent === page || !origin || (location.ancestorOrigins?.[0] ?? origin) !== origin) return null;

  const texts = new Map<string, string>();
  const put = (key: string, value: string | null) => {
    if (value === null) texts.delete(key);
    else texts.set(key, value);
  };
  const say = (body: ToLoader) => parent.postMessage(wrap(body), origin);
  page.addEventListener("message", (event) => {
    const body = event.source === parent && event.origin === origin && unwrap<ToFrame>(event.data);
    if (!body) return;
    if (body.type === "init") Object.entries(body.state).forEach(([key, value]) => put(key, value));
    if (body.type === "stored") put(body.key, body.value);
    hear(body);
  });
  say({ type: "ready" });
  return {
    say,
    keep: {
      get: (key) => texts.get(key) ?? null,
      keys: () => [...texts.keys()],
      set(key, value) {
        if ((texts.get(key) ?? null) === value) return;
        put(key, value);
        say({ type: "set", key, value });
      },
    },
  };
}
