// Entry of the page inside the iframe: joins the page around it, then the chat to the hub, then the views to the chat.
import type { ToFrame } from "../bridge.ts";
import { applyAccent } from "./accent.ts";
import { openApi } from "./api.ts";
import { Chat } from "./chat.ts";
import { Chime } from "./chime.ts";
import { browserEnvironment } from "./environment.ts";
import { joinParent, lookOf, type Parent } from "./parent.ts";
import { mount } from "./views/app.ts";
import { wantFocus } from "./views/focus.ts";
import "./style.css";

let chat: Chat | null = null;
let shown = false;
const channel = decodeURIComponent(location.pathname.split("/").pop() ?? "");
const parent: Parent | null = joinParent(window, (body) => (chat ? tell(chat, body) : begin(body)));

function begin(body: ToFrame): void {
  if (body.type !== "init" || !parent) return;
  const { keep, say } = parent;
  const chime = new Chime(keep);
  const made = new Chat(openApi(channel), browserEnvironment(), keep, () => chime.play());
  chat = made;
  made.visits.page_url = body.page_url;
  made.visits.identity = body.identity;
  mount(made, keep, chime, parent.framed ? () => say({ type: "close" }) : null);
  watch(made, say);
  show(made, body.open, body.focus);
  void made.start();
}

function tell(to: Chat, body: ToFrame): void {
  if (body.type === "shown") show(to, body.open, body.open);
  else if (body.type === "identify") to.identify(body.identity);
  else if (body.type === "stored") to.stored(body.key);
}

function show(to: Chat, open: boolean, wantsFocus: boolean): void {
  shown = open;
  to.show(open && !document.hidden);
  if (wantsFocus) wantFocus();
}

function watch(to: Chat, say: Parent["say"]): void {
  let unread = 0;
  let config = to.state.config;
  to.subscribe(() => {
    const { state } = to;
    if (state.unread !== unread) say({ type: "unread", count: (unread = state.unread) });
    if (state.config && state.config !== config) {
      config = state.config;
      document.title = config.title;
      say(lookOf(config.title, applyAccent(document.documentElement, config.color)));
    }
  });
  addEventListener("online", () => to.wake());
  addEventListener("offline", () => to.wake());
  document.addEventListener("visibilitychange", () => to.show(shown && !document.hidden));
}
