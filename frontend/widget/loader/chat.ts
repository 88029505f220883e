// The loader's behaviour: open and close, the iframe's life, storage for it, and the messages between the two.
import { unwrap, wrap, type Identity, type Look, type ToFrame, type ToLoader } from "../bridge.ts";
import { openStore } from "./store.ts";
import { buildView, element, followViewport, paint } from "./view.ts";

export interface HubChat {
  open(): void;
  close(): void;
  /** Says who the visitor is, with a proof from your own server. */
  identify(identity: Identity): void;
  /** Forgets the visitor on this device; call it when they sign out of your site. */
  reset(): void;
}

/**
 * Puts the launcher on the page.
 *
 * @param hub origin the script came from; the iframe's and the only one listened to.
 * @param channel channel account id.
 * @param color `#rrggbb` until the hub's own setting is known.
 */
export function startChat(hub: string, channel: string, color?: string): HubChat {
  const prefix = `hub-chat:${channel}:`;
  const store = openStore(prefix, () => localStorage);
  const page = openStore(prefix, () => sessionStorage);
  const view = buildView();
  const { root, launcher, panel } = view;
  let frame: HTMLIFrameElement | null = null;
  let ready = false;
  let opened = false;
  let wantsFocus = false;
  let identity: Identity | null = null;

  const post = (body: ToFrame) => ready && frame?.contentWindow?.postMessage(wrap(body), hub);

  function ensureFrame(): void {
    if (frame) return;
    frame = element("iframe", { title: "Live chat", allow: "" });
    frame.src = `${hub}/widget/${encodeURIComponent(channel)}#${location.origin}`;
    panel.append(frame);
  }

  function dropFrame(): void {
    frame?.remove();
    frame = null;
    ready = false;
    root.classList.remove("ready");
    showUnread(0);
    if (opened) ensureFrame();
  }

  /** `focus`: when opening, the chat gets it; when closing, the launcher. */
  function show(open: boolean, focus: boolean): void {
    if (open === opened) return;
    opened = open;
    wantsFocus = open && focus;
    if (open) ensureFrame();
    panel.hidden = !open;
    root.classList.toggle("open", open);
    launcher.setAttribute("aria-expanded", String(open));
    page.set("open", open ? "1" : null);
    label();
    if (focus) (open ? frame! : launcher).focus();
    post({ type: "shown", open });
  }

  let unread = 0;
  function showUnread(count: number): void {
    unread = count;
    view.badge.hidden = !count;
    view.badge.textContent = count > 9 ? "9+" : String(count);
    label();
  }

  function label(): void {
    const waiting = unread ? `, ${unread} unread` : "";
    launcher.setAttribute("aria-label", opened ? "Close chat" : "Open chat" + waiting);
  }

  function wear(look: Look): void {
    paint(root, look.color, look.ink);
    panel.setAttribute("aria-label", look.title);
    frame?.setAttribute("title", look.title);
  }

  function hear(body: ToLoader): void {
    if (body.type === "ready") {
      ready = true;
      root.classList.add("ready");
      const page_url = location.href.split("#")[0]!;
      post({ type: "init", state: store.all(), identity, page_url, open: opened, focus: wantsFocus });
    } else if (body.type === "set") store.set(body.key, body.value);
    else if (body.type === "close") show(false, true);
    else if (body.type === "unread") showUnread(body.count);
    else if (body.type === "look") {
      store.set("look", JSON.stringify(body.look));
      wear(body.look);
    }
  }

  addEventListener("message", (event) => {
    if (!frame || event.source !== frame.contentWindow || event.origin !== hub) return;
    const body = unwrap<ToLoader>(event.data);
    if (body) hear(body);
  });
  addEventListener("storage", (event) => {
    if (!event.key?.startsWith(prefix)) return;
    const key = event.key.slice(prefix.length);
    store.mirror(key, event.newValue);
    // Another tab forgot the visitor: this one must not go on as them.
    if (key === "token" && event.newValue === null) {
      identity = null;
      dropFrame();
    } else post({ type: "stored", key, value: event.newValue });
  });
  launcher.addEventListener("click", () => show(!opened, true));
  root.addEventListener("keydown", (event) => {
    if (event.key === "Escape" && opened) show(false, true);
  });
  followViewport(panel);

  paint(root, color);
  try {
    wear(JSON.parse(store.get("look") ?? "") as Look);
  } catch {
    // Never opened here before.
  }
  label();
  document.body.append(view.host);
  // A visitor who wrote before gets answers on the badge; everybody else costs the page one request.
  if (store.get("token")) setTimeout(ensureFrame, 1000);
  // Open on the page before this one: open here too, but the focus is this page's business.
  if (page.get("open") && innerWidth > 480) show(true, false);

  return {
    open: () => show(true, true),
    close: () => show(false, document.activeElement === view.host),
    identify(next) {
      identity = next;
      post({ type: "identify", identity: next });
    },
    reset() {
      identity = null;
      const look = store.get("look");
      store.clear();
      store.set("look", look);
      dropFrame();
    },
  };
}
