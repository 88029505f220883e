import type { Chat } from "../chat.ts";
import type { Keep } from "../environment.ts";
import { plug } from "../plug.ts";
import { h, type Child } from "./dom.ts";
import { icon } from "./icon.ts";

/** docs/protocol.md §3 */
const LIMIT = 20_000;
const WARN_BELOW = 500;
const DRAFT_MS = 300;

/** Where the visitor writes; the draft outlives the page. The field's text is the browser's, not drawn over. */
export function composer(chat: Chat, keep: Keep, redraw: () => void): () => Child {
  let text = keep.get("draft") ?? "";
  let saving: ReturnType<typeof setTimeout> | undefined;

  const write = (value: string) => {
    text = value;
    clearTimeout(saving);
    saving = setTimeout(() => keep.set("draft", value || null), DRAFT_MS);
    redraw();
  };
  const input = (event: InputEvent) => {
    const field = event.target as HTMLTextAreaElement;
    fit(field);
    write(field.value);
    chat.typing(!!text.trim());
  };
  const send = (event: Event) => {
    event.preventDefault();
    // Half a surrogate pair or a NUL would be refused by the hub.
    const message = text.toWellFormed().replaceAll("\0", "").trim();
    const field = (event.currentTarget as HTMLElement).querySelector("textarea")!;
    const files = plug.take();
    if (files && (message || files[0])) {
      field.value = "";
      fit(field);
      write("");
      chat.send(message, files);
    }
    field.focus();
  };
  const key = (event: KeyboardEvent) => {
    // 229: Safari ends a composition with an Enter that is not one.
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing && event.keyCode !== 229) send(event);
  };
  const field = {
    "aria-label": "Your message",
    placeholder: "Write a message…",
    rows: 1,
    maxlength: LIMIT,
    dir: "auto",
    enterkeyhint: "send",
    oninput: input,
  };
  const initial = text;
  return () =>
    h(
      "form",
      { class: "composer", onsubmit: send, onkeydown: key },
      plug.tray(),
      h("textarea", field, initial),
      h("button", { "aria-label": "Send", class: !text.trim() && !plug.count && "off" }, icon("send")),
      h("small", { role: "status" }, LIMIT - text.length < WARN_BELOW && `${LIMIT - text.length} characters left`),
    );
}

/** Grows the field with its text where the browser does not (`field-sizing`); the style sheet bounds it. */
function fit(field: HTMLTextAreaElement): void {
  if (CSS.supports("field-sizing", "content")) return;
  field.style.height = "auto";
  field.style.height = field.scrollHeight + "px";
}
