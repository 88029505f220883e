// Entry of the page inside the iframe: joins the page around it, then the chat to the hub, then the views to the chat.
import type { ToFrame } from "../bridge.ts";
import { applyAccent } from "./accent.ts";
import { openApi } from "./api.ts";
import { openChat, type Chat } from "./chat.ts";
import { openChime } from "./chime.ts";
import { browserEnvironment } from "./environment.ts";
import type { Config } from "./frames.ts";
import { joinParent } from "./parent.ts";
import { plug, type Host } from "./plug.ts";
import { mount } from "./views/app.ts";
import { wantFocus } from "./views/focus.ts";
import "./style.css";

declare const __LATER__: string;

const channel = location.pathname.split("/").pop()!;
const parent = joinParent(window, (body) => (chat ? tell(chat, body) : begin(body)));
let chat: Chat | undefined;
let shown = false;

function begin(body: ToFrame): void {
  if (body.type !== "init" || !parent) return;
  const { keep, say } = parent;
  const { identity, page_url } = body;
  const chime = openChime(keep);
  let redraw = () => {};
  const made = openChat(
    openApi(channel),
    browserEnvironment(),
    keep,
    { identity, page_url, form: null },
    {
      answered: chime.play,
      changed() {
        report(made.state().unread, made.state().config);
        redraw();
      },
    },
  );
  redraw = mount(made, keep, chime, () => say({ type: "close" }));
  chat = made;
  listen(made);
  show(made, body.open, body.focus);
  void made.start();
  const host: Host = { plug, channel, token: () => keep.get("token"), begin: made.begin, redraw };
  const later = document.createElement("script");
  later.src = __LATER__;
  document.head.append(later);
  Object.assign(window, { host });
}

function tell(to: Chat, body: ToFrame): void {
  if (body.type === "shown") show(to, body.open, body.open);
  else if (body.type === "identify") to.identify(body.identity);
  else if (body.type === "stored") to.stored(body.key);
}

function show(to: Chat, open: boolean, focus: boolean): void {
  shown = open;
  to.show(open && !document.hidden);
  if (focus) wantFocus();
}

function listen(to: Chat): void {
  addEventListener("online", to.wake);
  addEventListener("offline", to.wake);
  document.addEventListener("visibilitychange", () => to.show(shown && !document.hidden));
}

let told = 0;
let worn: Config | null = null;

/** Tells the loader what the launcher shows. */
function report(unread: number, config: Config | null): void {
  if (unread !== told) parent?.say({ type: "unread", count: (told = unread) });
  if (!config || config === worn) return;
  worn = config;
  document.title = config.title;
  parent?.say({ type: "look", look: { ...applyAccent(document.documentElement, config.color), title: config.title } });
}
