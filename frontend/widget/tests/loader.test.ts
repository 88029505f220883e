import { beforeEach, expect, it, vi } from "vitest";
import { wrap, type ToFrame, type ToLoader } from "../bridge.ts";
import { startChat } from "../loader/chat.ts";

const HUB = "https://hub.example";

beforeEach(() => {
  document.body.replaceChildren();
  localStorage.clear();
  sessionStorage.clear();
  // jsdom has neither.
  vi.stubGlobal("visualViewport", new EventTarget());
  vi.stubGlobal("CSSStyleSheet", class { replaceSync() {} });
});

let channels = 0;

function page() {
  const channel = `channel-${++channels}`;
  const chat = startChat(HUB, channel);
  const shadow = document.querySelector("hub-chat")!.shadowRoot!;
  const frame = () => shadow.querySelector("iframe");
  const posted: { body: ToFrame; origin: string }[] = [];
  const send = (data: unknown, origin: string, source: unknown) =>
    dispatchEvent(Object.assign(new Event("message"), { data, origin, source }));
  const watch = () => {
    const postMessage = (data: { hubChat: ToFrame }, origin: string) => posted.push({ body: data.hubChat, origin });
    Object.defineProperty(frame()!, "contentWindow", { value: { postMessage } });
  };
  return { chat, channel, shadow, frame, posted, send, watch, launcher: shadow.querySelector("button")! };
}

/** Opens the chat and lets the frame answer, as the real one does. */
function opened() {
  const made = page();
  made.chat.open();
  made.watch();
  const source = made.frame()!.contentWindow;
  const say = (body: ToLoader) => made.send(wrap(body), HUB, source);
  say({ type: "ready" });
  return { ...made, say };
}

it("puts only a launcher on the page and makes the iframe when it is wanted", () => {
  const { frame, launcher, channel } = page();
  expect(frame()).toBeNull();
  expect(launcher.getAttribute("aria-label")).toBe("Open chat");
  launcher.click();
  expect(frame()!.src).toBe(`${HUB}/widget/${channel}#${location.origin}`);
  expect(launcher.getAttribute("aria-expanded")).toBe("true");
});

it("tells the frame what it kept, and tells nobody but the hub's origin", () => {
  localStorage.setItem(`hub-chat:channel-${channels + 1}:token`, "kept");
  const { posted } = opened();
  expect(posted).toEqual([
    {
      origin: HUB,
      body: {
        type: "init",
        state: { token: "kept" },
        identity: null,
        page_url: location.href,
        open: true,
        focus: true,
      },
    },
  ]);
});

it("hears only its own frame, and only from the hub's origin", () => {
  const { send, frame, channel } = opened();
  const steal = wrap({ type: "set", key: "token", value: "stolen" });
  send(steal, HUB, window);
  send(steal, HUB, null);
  send(steal, "https://evil.example", frame()!.contentWindow);
  send({ type: "set", key: "token", value: "stolen" }, HUB, frame()!.contentWindow);
  expect(localStorage.getItem(`hub-chat:${channel}:token`)).toBeNull();
  send(steal, HUB, frame()!.contentWindow);
  expect(localStorage.getItem(`hub-chat:${channel}:token`)).toBe("stolen");
});

it("keeps and forgets what the frame says", () => {
  const { say, channel } = opened();
  say({ type: "set", key: "draft", value: "half a sen" });
  expect(localStorage.getItem(`hub-chat:${channel}:draft`)).toBe("half a sen");
  say({ type: "set", key: "draft", value: null });
  expect(localStorage.getItem(`hub-chat:${channel}:draft`)).toBeNull();
});

it("closes on the frame's word and on Escape, and gives the focus back to the launcher", () => {
  const { say, shadow, launcher, posted } = opened();
  say({ type: "close" });
  expect(shadow.querySelector("section")!.hidden).toBe(true);
  expect(shadow.activeElement).toBe(launcher);
  expect(posted.at(-1)!.body).toEqual({ type: "shown", open: false });
  launcher.click();
  launcher.dispatchEvent(new KeyboardEvent("keydown", { key: "Escape", bubbles: true }));
  expect(shadow.querySelector("section")!.hidden).toBe(true);
});

it("shows how many answers wait, to eyes and to screen readers", () => {
  const { say, chat, shadow, launcher } = opened();
  chat.close();
  say({ type: "unread", count: 12 });
  expect(shadow.querySelector("span")!.textContent).toBe("9+");
  expect(launcher.getAttribute("aria-label")).toBe("Open chat, 9+ unread");
  say({ type: "unread", count: 0 });
  expect(shadow.querySelector("span")!.hidden).toBe(true);
});

it("wears the workspace's colour again on the next page", () => {
  const { say, channel } = opened();
  say({ type: "look", look: { color: "#ffcc00", ink: "#000", title: "Northwind" } });
  document.body.replaceChildren();
  startChat(HUB, channel);
  const root = document.querySelector("hub-chat")!.shadowRoot!.querySelector("div")!;
  expect(root.style.getPropertyValue("--c")).toBe("#ffcc00");
  expect(root.style.getPropertyValue("--i")).toBe("#000");
});

it("passes an identity on, before or after the frame is there", () => {
  const { chat, posted } = opened();
  chat.identify({ user_id: "7", hmac: "abc" });
  expect(posted.at(-1)!.body).toEqual({ type: "identify", identity: { user_id: "7", hmac: "abc" } });
});

it("forgets everything about the visitor on reset, and begins with a new frame", () => {
  const { chat, say, frame, channel, shadow } = opened();
  say({ type: "set", key: "token", value: "t" });
  localStorage.setItem("the page's own", "stays");
  const before = frame();
  chat.reset();
  expect(localStorage.getItem(`hub-chat:${channel}:token`)).toBeNull();
  expect(localStorage.getItem("the page's own")).toBe("stays");
  expect(frame()).not.toBe(before);
  expect(shadow.querySelectorAll("iframe")).toHaveLength(1);
});

it("does not go on as a visitor whom another tab forgot", () => {
  const { frame, channel } = opened();
  const before = frame();
  dispatchEvent(new StorageEvent("storage", { key: `hub-chat:${channel}:token`, newValue: null }));
  expect(frame()).not.toBe(before);
});

it("passes on what another tab wrote", () => {
  const { channel, posted } = opened();
  dispatchEvent(new StorageEvent("storage", { key: `hub-chat:${channel}:token`, newValue: "t" }));
  expect(posted.at(-1)!.body).toEqual({ type: "stored", key: "token", value: "t" });
});

it("fetches the frame by itself for somebody who wrote before", () => {
  vi.useFakeTimers();
  localStorage.setItem(`hub-chat:channel-${channels + 1}:token`, "kept");
  const { frame } = page();
  expect(frame()).toBeNull();
  vi.advanceTimersByTime(1000);
  expect(frame()).not.toBeNull();
  vi.useRealTimers();
});

it("works on a page whose storage is blocked", () => {
  vi.spyOn(Storage.prototype, "setItem").mockImplementation(() => {
    throw new DOMException("blocked");
  });
  const blocked = vi.spyOn(Object, "entries").mockImplementation(() => {
    throw new DOMException("blocked");
  });
  const { say, frame } = opened();
  say({ type: "set", key: "draft", value: "x" });
  blocked.mockRestore();
  expect(frame()).not.toBeNull();
});

it("starts once when the page holds the script twice", async () => {
  const script = document.createElement("script");
  script.setAttribute("src", "https://hub.example/widget.js");
  script.dataset["channel"] = "c1";
  document.head.append(script);
  await import("../loader.ts");
  const first = window.hubChat;
  vi.resetModules();
  await import("../loader.ts");
  expect(window.hubChat).toBe(first);
  expect(document.querySelectorAll("hub-chat")).toHaveLength(1);
  script.remove();
});
