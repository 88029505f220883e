// The loader's behaviour: open and close, the iframe's life, storage for it, and the messages between the two.
import { unwrap, wrap, type Identity, type Look, type ToFrame, type ToLoader } from "../bridge.ts";
import { openStore } from "./store.ts";
import { buildView, followViewport, make } from "./view.ts";

export interface HubChat {
  open(): void;
  close(): void;
  /** Says who the visitor is, with a proof from your own server. */
  identify(identity: Identity): void;
  /** Forgets the visitor on this device; call it when they sign out of your site. */
  reset(): void;
}

const PRELOAD_MS = 1000;

/**
 * Puts the launcher on the page.
 *
 * @param hub origin the script came from; the iframe's and the only one listened to.
 * @param channel channel account id.
 * @param color the launcher's until the hub's own setting is known.
 */
export function startChat(hub: string, channel: string, color?: string): HubChat {
  const prefix = `hub-chat:${channel}:`;
  const store = openStore(prefix, () => localStorage);
  const session = openStore(prefix, () => sessionStorage);
  const { host, root, launcher, panel, badge } = buildView();
  let frame: HTMLIFrameElement | null = null;
  let ready = false;
  let opened = false;
  let wantsFocus = false;
  let identity: Identity | null = null;

  function post(body: ToFrame): void {
    if (ready) frame!.contentWindow!.postMessage(wrap(body), hub);
  }

  function ensureFrame(): void {
    if (frame) return;
    const src = `${hub}/widget/${channel}#${location.origin}`;
    frame = make("iframe", { title: "Live chat", src });
    panel.append(frame);
  }

  function dropFrame(): void {
    frame?.remove();
    frame = identity = null;
    setReady(false);
    showUnread(0);
    if (opened) ensureFrame();
  }

  function setReady(yes: boolean): void {
    ready = yes;
    root.classList.toggle("ready", yes);
  }

  /** `focus`: when opening, the chat gets it; when closing, the launcher. */
  function show(open: boolean, focus: boolean): void {
    if (open === opened) return;
    opened = open;
    wantsFocus = open && focus;
    if (open) ensureFrame();
    panel.hidden = !open;
    root.classList.toggle("open", open);
    session.set("open", open ? "1" : null);
    label();
    if (focus) (open ? frame! : launcher).focus();
    post({ type: "shown", open });
  }

  function showUnread(count: number): void {
    badge.hidden = !count;
    badge.textContent = count > 9 ? "9+" : String(count);
    label();
  }

  function label(): void {
    const unread = badge.hidden ? "" : `, ${badge.textContent} unread`;
    launcher.setAttribute("aria-expanded", opened + "");
    launcher.setAttribute("aria-label", (opened ? "Close chat" : "Open chat") + unread);
  }

  function wear(look: Look): void {
    root.style.setProperty("--c", look.color);
    root.style.setProperty("--i", look.ink);
    panel.setAttribute("aria-label", look.title);
  }

  function hear(body: ToLoader): void {
    if (body.type === "ready") {
      setReady(true);
      // As long as the hub takes it.
      const page_url = location.href.split("#")[0]!.slice(0, 2000);
      post({ type: "init", state: store.all(), identity, page_url, open: opened, focus: wantsFocus });
    } else if (body.type === "set") store.set(body.key, body.value);
    else if (body.type === "close") show(false, true);
    else if (body.type === "unread") showUnread(body.count);
    else if (body.type === "look") {
      store.set("look", JSON.stringify(body.look));
      wear(body.look);
    }
  }

  addEventListener("message", ({ source, origin, data }) => {
    if (!frame || source !== frame.contentWindow || origin !== hub) return;
    const body = unwrap<ToLoader>(data);
    if (body) hear(body);
  });
  addEventListener("storage", ({ key: full, newValue: value }) => {
    if (!full?.startsWith(prefix)) return;
    const key = full.slice(prefix.length);
    // Another tab forgot the visitor: this one must not go on as them.
    if (key === "token" && value === null) dropFrame();
    else post({ type: "stored", key, value });
  });
  launcher.addEventListener("click", () => show(!opened, true));
  root.addEventListener("keydown", ({ key }) => key === "Escape" && show(false, true));
  followViewport(panel);

  if (color) root.style.setProperty("--c", color);
  const { look, token } = store.all();
  if (look) wear(JSON.parse(look) as Look);
  label();
  document.body.append(host);
  // A visitor who wrote before gets answers on the badge; everybody else costs the page one request.
  if (token) setTimeout(ensureFrame, PRELOAD_MS);
  // Open on the page before this one: open here too, but the focus is this page's business.
  if (session.all()["open"] && innerWidth > 480) show(true, false);

  return {
    open: () => show(true, true),
    close: () => show(false, document.activeElement === host),
    identify(next) {
      identity = next;
      post({ type: "identify", identity: next });
    },
    reset() {
      for (const key in store.all()) if (key !== "look") store.set(key, null);
      dropFrame();
    },
  };
}
