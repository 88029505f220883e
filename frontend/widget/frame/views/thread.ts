import type { Chat } from "../chat.ts";
import { clockOf } from "../days.ts";
import type { Config } from "../frames.ts";
import { splitLinks } from "../links.ts";
import { plug } from "../plug.ts";
import { threadRows, type Row } from "../rows.ts";
import { h, type Child } from "./dom.ts";
import type { Follow } from "./follow.ts";

/** The messages. A log for screen readers: what is added is read out. */
export function thread(chat: Chat, place: Follow, redraw: () => void): (config: Config) => Child {
  let loading = false;
  const loadEarlier = async () => {
    loading = true;
    redraw();
    await chat.loadEarlier().catch(() => {});
    loading = false;
    redraw();
  };
  const log = { class: "log", role: "log", "aria-label": "Messages", tabindex: 0, onscroll: place.scrolled };
  return ({ greeting }) => {
    const { messages, outgoing, earlier, closed, typing } = chat.state();
    const start = earlier
      ? h("button", { class: "pill", disabled: loading, onclick: loadEarlier }, "Earlier messages")
      : greeting && bubble(greeting);
    return h(
      "div",
      { class: "thread" },
      h(
        "div",
        { ...log, "aria-busy": loading + "" },
        h(
          "div",
          null,
          start,
          h("ol", null, threadRows(messages, outgoing, new Date()).map((row) => line(row, chat))),
          closed && h("p", { class: "day" }, "Closed. Write again any time."),
          h("p", { class: "typing", role: "status" }, typing && DOTS),
        ),
      ),
      place.behind() && h("button", { class: "pill float", onclick: place.toEnd }, "New messages ↓"),
    );
  };
}

const DOTS = h("span", null, h("i", null), h("i", null), h("i", null), h("b", { class: "sr" }, "We are typing…"));

function line(row: Row, chat: Chat): Child {
  const { key } = row;
  if (row.kind === "day") return h("li", { key, class: "day" }, row.label);
  const { own, first, author, at, id } = row;
  const who = own ? h("span", { class: "sr" }, "You:") : h("bdi", { class: first ? "name" : "sr" }, author);
  const time = () => h("time", { datetime: at.toISOString() }, clockOf(at));
  const foot =
    row.failed != null
      ? h(
          "small",
          { class: "failed" },
          h("span", null, "Not sent. ", h("bdi", null, row.failed)),
          h("button", { onclick: () => chat.outbox.retry(id) }, "Try again"),
          h("button", { onclick: () => chat.outbox.remove(id) }, "Remove"),
        )
      : row.last && h("small", null, row.sending ? "Sending…" : time());
  return h("li", { key, class: own && "own" }, who, row.text && bubble(row.text), plug.show(row.files), foot);
}

function bubble(text: string): Child {
  const words = splitLinks(text).map((part) =>
    part.href ? h("a", { href: part.href, target: "_blank", rel: "noopener noreferrer nofollow" }, part.text) : part.text,
  );
  return h("p", { class: "text", dir: "auto" }, words);
}
