// The script customers put on their site: `<script async src="https://hub/widget.js" data-channel="…"></script>`
// (and `data-color="#rrggbb"` for the launcher until the visitor first opens the chat).
// It shows the launcher and, once wanted, the iframe with the chat; it never reads a message. What it needs of the
// page: script-src and frame-src for the hub's origin. No inline style or script, no eval, no HTML parsing.
import { startChat, type HubChat } from "./loader/chat.ts";

declare global {
  interface Window {
    hubChat?: HubChat;
  }
}

const script =
  (document.currentScript as HTMLScriptElement | null) ??
  document.querySelector<HTMLScriptElement>('script[data-channel][src*="/widget.js"]');

function start(): void {
  const channel = script?.dataset["channel"];
  // The page may hold the script twice (tag managers); the first one stays.
  if (window.hubChat || !channel) return;
  window.hubChat = startChat(new URL(script.src).origin, channel, script.dataset["color"]);
  dispatchEvent(new Event("hubchat:ready"));
}

if (document.body) start();
else addEventListener("DOMContentLoaded", start);
