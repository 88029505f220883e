// The whole page of the frame: header, notice, and what the stage asks for.
import type { Chat } from "../chat.ts";
import type { Chime } from "../chime.ts";
import type { Keep } from "../environment.ts";
import { plug } from "../plug.ts";
import { composer } from "./composer.ts";
import { draw, h, type Child } from "./dom.ts";
import { giveFocus } from "./focus.ts";
import { follow } from "./follow.ts";
import { icon } from "./icon.ts";
import { thread } from "./thread.ts";

const NOTICES = {
  offline: "You are offline. Messages are sent once you are back.",
  lost: "Connection lost. Trying again…",
  back: "We are back online.",
};

/** Draws the chat into the page. The answer draws it again, soon. */
export function mount(chat: Chat, keep: Keep, chime: Chime, close: () => void): () => void {
  let due = false;
  const redraw = () => {
    if (due) return;
    due = true;
    queueMicrotask(() => {
      due = false;
      paint();
    });
  };
  const place = follow(redraw);
  const drawThread = thread(chat, place, redraw);
  const drawComposer = composer(chat, keep, redraw);

  function paint(): void {
    const { notice } = chat.state();
    draw(document.body, [
      header(),
      h("p", { class: "notice " + notice, role: "status" }, notice && NOTICES[notice]),
      h("main", null, body()),
    ]);
    place.drawn(chat.state());
    giveFocus();
  }

  function body(): Child {
    const { stage, config, complaint } = chat.state();
    if (config && stage === "chat") return [drawThread(config), drawComposer()];
    if (config && stage === "form") return plug.form?.(config, complaint, chat.fillForm);
    if (stage === "identity") return plain("Please sign in to chat with us.");
    if (stage === "unreachable") return plain(NOTICES.lost);
    if (stage !== "stopped") return plain("One moment…");
    const again = h("button", { class: "wide", onclick: () => location.reload() }, "Try again");
    return [plain("The chat is not available right now."), again];
  }

  function header(): Child {
    const { config } = chat.state();
    const online = config?.online;
    const toggle = () => {
      chime.toggle();
      redraw();
    };
    const sound = { "aria-label": "Sound for new messages", "aria-pressed": chime.on() + "", onclick: toggle };
    return h(
      "header",
      null,
      h(
        "div",
        null,
        h("h1", { dir: "auto" }, config?.title ?? "Live chat"),
        online != null && h("p", { class: online + "" }, online ? "We are online" : "We are away and answer later"),
      ),
      h("button", sound, icon(chime.on() ? "bell" : "muted")),
      h("button", { "aria-label": "Close chat", onclick: close }, icon("close")),
    );
  }

  addEventListener("keydown", (event) => event.key === "Escape" && !event.isComposing && close());
  paint();
  return redraw;
}

function plain(text: string): Child {
  return h("p", { class: "plain", role: "status" }, text);
}
