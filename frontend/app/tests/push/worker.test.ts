import { beforeEach, describe, expect, it, vi } from "vitest";
import { agentName } from "../../src/push/agents";
import { keyBytes } from "../../src/push/key";
import { onClick, onPush, onSubscriptionChange } from "../../src/push/worker";
import type { OpenMessage, Surroundings, Tab } from "../../src/push/worker";

const ORIGIN = "https://hub.example";
const PAYLOAD = { title: "Ana Okafor wrote", body: "Where is my parcel?", path: "/c/c-1", tag: "n-1", workspace_id: 7 };

let shown: { title: string; options: NotificationOptions }[];
let opened: string[];
let calls: { method: string; url: string; body: unknown; credentials: unknown }[];
let tabs: Tab[];
let answers: Record<string, Response>;
const subscribe = vi.fn<(key: string) => Promise<{ toJSON(): unknown }>>();

const around: Surroundings = {
  origin: ORIGIN,
  showNotification: async (title, options) => void shown.push({ title, options }),
  tabs: async () => tabs,
  openWindow: async (url) => opened.push(url),
  subscribe: (key) => subscribe(key),
  fetch: async (url, init = {}) => {
    const { method = "GET", body, credentials } = init;
    calls.push({ method, url, body: typeof body === "string" ? JSON.parse(body) : null, credentials });
    return answers[`${method} ${url}`] ?? new Response(null, { status: 404 });
  },
};

function tab(url: string, over: Partial<Tab> = {}) {
  const told: OpenMessage[] = [];
  return { url, focused: false, visibilityState: "hidden", told, focus: vi.fn<Tab["focus"]>().mockResolvedValue(undefined), postMessage: (one: OpenMessage) => void told.push(one), ...over };
}

beforeEach(() => {
  [shown, opened, calls, tabs, answers] = [[], [], [], [], {}];
  subscribe.mockReset().mockResolvedValue({ toJSON: () => ({ endpoint: "https://push.example/new" }) });
});

describe("a push", () => {
  it("shows what the hub sent, and nothing beside", async () => {
    await onPush(around, JSON.stringify(PAYLOAD));
    expect(shown).toEqual([{ title: PAYLOAD.title, options: { body: PAYLOAD.body, tag: "n-1", icon: "/icon-192.png", badge: "/icon-192.png", data: { path: "/c/c-1", workspace_id: 7 } } }]);
    expect(calls).toEqual([]);
  });

  it.each([null, "", "x", "null", "[]", '{"title":""}', '{"title":3}'])("shows that something came even when it cannot be read: %s", async (text) => {
    await onPush(around, text);
    expect(shown).toHaveLength(1);
    expect(shown[0]).toMatchObject({ title: "Something new", options: { data: { path: "/notices" } } });
  });

  it.each(["https://evil.example/", "//evil.example/x", "javascript:alert(1)", "/\\evil.example", "", 7])("never leads elsewhere: %s", async (path) => {
    await onPush(around, JSON.stringify({ ...PAYLOAD, path }));
    const { data } = shown[0]?.options ?? {};
    await onClick(around, data);
    expect(opened.map((one) => new URL(one, ORIGIN).origin)).toEqual([ORIGIN]);
    expect(opened[0]).not.toContain("evil");
  });
});

describe("a click", () => {
  it("opens a window where there is none, in its workspace", async () => {
    await onClick(around, { path: "/c/c-1", workspace_id: 7 });
    await onClick(around, { path: "/settings/notifications", workspace_id: 0 });
    expect(opened).toEqual(["/c/c-1?workspace=7", "/settings/notifications"]);
  });

  it("comes to the tab in front, and has it open the path", async () => {
    const [foreign, hidden, front] = [tab("https://other.example/", { focused: true }), tab(`${ORIGIN}/`), tab(`${ORIGIN}/c/9`, { visibilityState: "visible" })];
    tabs = [foreign, hidden, front];
    await onClick(around, { path: "/c/c-1", workspace_id: 7 });
    expect(front.told).toEqual([{ type: "hub:open", path: "/c/c-1", workspace_id: 7 }]);
    expect(front.focus).toHaveBeenCalledTimes(1);
    expect([foreign.told, hidden.told, opened]).toEqual([[], [], []]);
  });

  it("is right even where the browser refuses the focus", async () => {
    const only = tab(`${ORIGIN}/`, { focus: vi.fn<Tab["focus"]>().mockRejectedValue(new Error("no")) });
    tabs = [only];
    await onClick(around, PAYLOAD);
    expect(only.told).toHaveLength(1);
  });
});

describe("a changed subscription", () => {
  it("is told to the hub with the session's cookie, the old one taken back", async () => {
    answers = { "GET /api/v1/push-key": Response.json({ public_key: "AQID" }), "POST /api/v1/push-subscriptions": Response.json({ id: "b-1" }, { status: 201 }) };
    expect(await onSubscriptionChange(around, "https://push.example/old")).toBe(true);
    expect(subscribe).toHaveBeenCalledWith("AQID");
    expect(calls.slice(1)).toEqual([
      { method: "POST", url: "/api/v1/push-subscriptions", body: { endpoint: "https://push.example/new" }, credentials: "same-origin" },
      { method: "DELETE", url: "/api/v1/push-subscriptions", body: { endpoint: "https://push.example/old" }, credentials: "same-origin" },
    ]);
  });

  it("is let be where the session has ended", async () => {
    answers = { "GET /api/v1/push-key": new Response(null, { status: 401 }) };
    expect(await onSubscriptionChange(around, null)).toBe(false);
    expect(subscribe).not.toHaveBeenCalled();
  });
});

it("reads a key in base64url", () => expect([...keyBytes("-_8B")]).toEqual([251, 255, 1]));

it.each([
  ["Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 Chrome/140.0 Safari/537.36 Edg/140.0", "Edge on Windows"],
  ["Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", "Firefox on Linux"],
  ["Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605 Version/18.0 Mobile Safari/604.1", "Safari on iOS"],
  ["Mozilla/5.0 (Linux; Android 15) AppleWebKit/537.36 Chrome/140.0 Mobile Safari/537.36", "Chrome on Android"],
  ["curl/8", "A browser"],
])("calls %s %s", (text, name) => expect(agentName(text)).toBe(name));
