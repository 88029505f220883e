/** Push in this browser, as its owner switches it on and off; the browser's part is played by fakes. */
import { render, screen, waitFor } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { Browsers } from "../../src/push/Browsers";
import { Toasts } from "../../src/ui/toasts";
import { Server } from "../server";

const FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";
const row = (id: string) => ({ id, user_agent: FIREFOX, created_at: "2026-01-01T10:00:00Z", is_this: true });
let server: Server;
let kept: ReturnType<typeof row>[];
let subscribed: boolean;
const ask = vi.fn<() => Promise<NotificationPermission>>();

beforeEach(() => {
  server = new Server();
  [kept, subscribed] = [[], false];
  server.answers = {
    "GET /push-key": () => ({ public_key: "AQID" }),
    "GET /push-subscriptions": () => ({ browsers: kept }),
    "POST /push-subscriptions": () => { kept = [row("b-1")]; return { id: "b-1" }; },
    "DELETE /push-subscriptions": () => { kept = []; return new Response(null, { status: 204 }); },
    "DELETE /push-subscriptions/b-2": () => { kept = []; return new Response(null, { status: 204 }); },
    "POST /push-subscriptions/b-1/test": () => ({ fate: "sent" }),
  };
  server.install();
  const subscription = { endpoint: "https://push.example/1", toJSON: () => ({ endpoint: "https://push.example/1" }), unsubscribe: async () => { subscribed = false; return true; } };
  const pushManager = { subscribe: async () => { subscribed = true; return subscription; }, getSubscription: async () => (subscribed ? subscription : null) };
  const permission = { permission: "default", requestPermission: ask };
  ask.mockReset().mockImplementation(async () => { permission.permission = "granted"; return "granted"; });
  vi.stubGlobal("Notification", permission);
  vi.stubGlobal("PushManager", () => undefined);
  Object.defineProperty(navigator, "serviceWorker", { configurable: true, value: {
    register: vi.fn<() => Promise<unknown>>().mockResolvedValue({ pushManager }), ready: Promise.resolve(), getRegistration: async () => ({ pushManager }),
  } });
});

const show = () => render(<><Browsers /><Toasts /></>);

describe("push in this browser", () => {
  it("asks for permission after the click only, subscribes, tries it out and stops again", async () => {
    const user = userEvent.setup();
    show();
    const button = await screen.findByRole("button", { name: "Notify me in this browser" });
    expect(ask).not.toHaveBeenCalled();
    await user.click(button);
    expect(await screen.findByText("Firefox on Linux (this one)")).toBeVisible();
    expect(ask).toHaveBeenCalledTimes(1);
    expect(navigator.serviceWorker.register).toHaveBeenCalledWith("/sw.js", { scope: "/", updateViaCache: "none" });
    await user.click(screen.getByRole("button", { name: "Send a test to Firefox on Linux" }));
    expect(await screen.findByText("Sent. It should appear in a moment.")).toBeVisible();
    await user.click(await screen.findByRole("button", { name: "Stop in this browser" }));
    expect(await screen.findByRole("button", { name: "Notify me in this browser" })).toBeEnabled();
    expect(subscribed).toBe(false);
    expect(server.calls.filter((one) => one.method === "DELETE").map((one) => one.body)).toEqual([{ endpoint: "https://push.example/1" }]);
  });

  it("says what to do where the browser blocks it", async () => {
    const user = userEvent.setup();
    ask.mockImplementation(async () => { (Notification as unknown as { permission: string }).permission = "denied"; return "denied"; });
    show();
    await user.click(await screen.findByRole("button", { name: "Notify me in this browser" }));
    expect(await screen.findByText(/Notifications are blocked for this site/)).toBeVisible();
    expect(screen.getByRole("button", { name: "Notify me in this browser" })).toBeDisabled();
    expect(server.calls.filter((one) => one.method === "POST")).toEqual([]);
  });

  it("offers it again where the hub does not know this browser any more", async () => {
    subscribed = true;
    (Notification as unknown as { permission: string }).permission = "granted";
    localStorage.setItem("hub.push", "b-9");
    show();
    expect(await screen.findByRole("button", { name: "Notify me in this browser" })).toBeEnabled();
  });

  it("removes another browser by its id", async () => {
    kept = [row("b-2")];
    const user = userEvent.setup();
    show();
    await user.click(await screen.findByRole("button", { name: "Remove Firefox on Linux" }));
    await waitFor(() => expect(screen.queryByText("Firefox on Linux")).toBeNull());
    expect(server.calls.some((one) => one.method === "DELETE" && one.path === "/push-subscriptions/b-2")).toBe(true);
  });

  it("says so where there is no push", async () => {
    Reflect.deleteProperty(navigator, "serviceWorker");
    show();
    expect(await screen.findByText(/This browser takes no pushes/)).toBeVisible();
  });
});
