/** Notices as a member uses them, over a hub whose answers the test decides. */
import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import type { NoticeSettings } from "../../src/notices/calls";
import { minutesOf, timeOf } from "../../src/notices/times";
import { byDay } from "../../src/notices/words";
import { navigate } from "../../src/router";
import { ME, snapshot } from "../rows";
import { toasts } from "../../src/ui/toasts";
import { Server } from "../server";
import { notice, page } from "./rows";

const SETTINGS: NoticeSettings = {
  kinds: { assigned: ["in_app", "email", "push"], message: ["in_app"], conversation: [] }, quiet_from: null, quiet_until: null, time_zone: "Europe/Berlin",
  language: "en", digest: "hourly", digest_hour: 8, shows_text: false,
};
let server: Server;
let settings: NoticeSettings;

beforeEach(() => {
  server = new Server();
  toasts.set([]);
  settings = SETTINGS;
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10 }),
    "GET /notices": () => page([notice(), notice({ id: "n-2", kind: "assigned", title: "Bo Lindqvist", actor_id: "m-2", at: "2025-12-31T10:00:00Z", read: true, conversation_id: "c-2" })]),
    "POST /notices/read": () => ({ changed: 1, unread: 0, unseen: 0, at: "2026-01-01T11:00:00Z" }),
    "POST /notices/unread": () => ({ changed: 1, unread: 1, unseen: 0, at: "2026-01-01T11:00:00Z" }),
    "POST /notices/seen": () => ({ changed: 1, unread: 1, unseen: 0, at: "2026-01-01T11:00:00Z" }),
    "GET /notice-settings": () => settings,
    "PATCH /notice-settings": (body) => (settings = { ...settings, ...(body as object), kinds: { ...settings.kinds, ...(body as NoticeSettings).kinds } }),
  };
  server.install();
});

const sent = (path: string): unknown[] => server.calls.filter((one) => one.path === path && one.method !== "GET").map((one) => one.body);

describe("the bell", () => {
  it("counts what is unread, and a toast opens what just came", async () => {
    navigate({ page: "members" }, { replace: true });
    const user = userEvent.setup();
    render(<App />);
    expect(await screen.findByRole("link", { name: "Notifications, 1 unread" })).toBeVisible();
    act(() => server.socket.deliver({ type: "notice", notice_id: "n-1" }));
    expect(await screen.findByText("Ana Okafor wrote")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Open" }));
    expect(window.location.pathname).toBe("/c/c-1");
  });
});

describe("the list", () => {
  beforeEach(() => navigate({ page: "notices" }, { replace: true }));

  it("shows days, what is unread and who did it; axe finds nothing", async () => {
    render(<App />);
    const today = await screen.findByRole("link", { name: /Ana Okafor wrote, unread/ });
    expect(today).toHaveTextContent("Where is my parcel?");
    expect(screen.getByRole("link", { name: /conversation with Bo Lindqvist/ })).toHaveTextContent("By Hugo Laurent");
    expect(screen.getAllByRole("heading", { level: 2 })).toHaveLength(2);
    await waitFor(() => expect(sent("/notices/seen")).toContainEqual({ until: "2026-01-01T10:00:00Z" }));
    const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
    expect(violations).toEqual([]);
  });

  it("marks one by opening it, all by a button, and undoes that", async () => {
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Mark all as read" }));
    await user.click(await screen.findByRole("button", { name: "Undo" }));
    await waitFor(() => expect(sent("/notices/unread")).toEqual([{ read_at: "2026-01-01T11:00:00Z" }]));
    await user.click(await screen.findByRole("link", { name: /Ana Okafor wrote, unread/ }));
    expect(sent("/notices/read")).toEqual([{ until: "2026-01-01T10:00:00Z" }, { ids: ["n-1"] }]);
    expect(window.location.pathname).toBe("/c/c-1");
  });

  it("says so where there is nothing, and where it failed", async () => {
    server.answers["GET /notices"] = () => Response.json({ code: "unavailable", message: "The database rests." }, { status: 503 });
    const user = userEvent.setup();
    render(<App />);
    expect(await screen.findByRole("alert")).toHaveTextContent("The database rests.");
    server.answers["GET /notices"] = () => page([]);
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("Nothing yet")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Unread" }));
    expect(await screen.findByText("All read")).toBeVisible();
  });
});

describe("the settings", () => {
  beforeEach(() => navigate({ page: "notifications" }, { replace: true }));

  it("changes one kind's way, quiet hours and the digest, each at once", async () => {
    const user = userEvent.setup();
    render(<App />);
    const box = await screen.findByRole("checkbox", { name: "New messages: Push" });
    await user.click(box);
    await waitFor(() => expect(box).toBeChecked());
    await user.click(screen.getByRole("checkbox", { name: "Keep quiet hours" }));
    const from = await screen.findByLabelText("From");
    expect(from).toHaveValue("20:00");
    await user.selectOptions(screen.getByRole("combobox", { name: "How often" }), "daily");
    await user.selectOptions(await screen.findByRole("combobox", { name: "At" }), "17");
    await waitFor(() => expect(sent("/notice-settings")).toEqual([
      { kinds: { message: ["in_app", "push"] } }, { quiet_from: 1200, quiet_until: 480 }, { digest: "daily" }, { digest_hour: 17 },
    ]));
    const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
    expect(violations).toEqual([]);
  });

  it("keeps a change made while one before it is on its way, and says Saved when all are", async () => {
    const user = userEvent.setup();
    const waiting: (() => void)[] = [];
    const answer = server.answers["PATCH /notice-settings"];
    server.answers["PATCH /notice-settings"] = (body) => new Promise((resolve) => waiting.push(() => resolve(answer?.(body))));
    render(<App />);
    await user.selectOptions(await screen.findByRole("combobox", { name: "How often" }), "daily");
    const hour = await screen.findByRole("combobox", { name: "At" });
    await user.selectOptions(hour, "17");
    await act(async () => waiting[0]?.());
    expect(hour).toHaveValue("17");
    expect(screen.queryByText("Saved")).toBeNull();
    await waitFor(() => expect(sent("/notice-settings")).toEqual([{ digest: "daily" }, { digest_hour: 17 }]));
    await act(async () => waiting[1]?.());
    expect(await screen.findByText("Saved")).toBeVisible();
    expect(hour).toHaveValue("17");
  });

  it("takes back what the hub refuses, and says why at the field", async () => {
    const user = userEvent.setup();
    render(<App />);
    server.answers["PATCH /notice-settings"] = () => Response.json({ code: "invalid_input", message: "This is not a time zone.", field: "time_zone" }, { status: 422 });
    const zone = await screen.findByRole("combobox", { name: "Your time zone" });
    await user.selectOptions(zone, "UTC");
    expect(await within(zone.parentElement as HTMLElement).findByRole("alert")).toHaveTextContent("This is not a time zone.");
    expect(zone).toHaveValue("Europe/Berlin");
  });
});

describe("times and days", () => {
  it("reads and writes minutes of a day", () => {
    expect([0, 485, 1439].map(timeOf)).toEqual(["00:00", "08:05", "23:59"]);
    expect(["08:05", "8:05", "24:00", "", "x"].map(minutesOf)).toEqual([485, 485, null, null, null]);
  });

  it("groups neighbours under one day", () => {
    const rows = [notice({ id: "a", at: "2026-01-02T10:00:00Z" }), notice({ id: "b", at: "2026-01-02T09:00:00Z" }), notice({ id: "c", at: "2026-01-01T09:00:00Z" })];
    expect(byDay(rows, (iso) => iso.slice(0, 10)).map((group) => group.notices.map((one) => one.id))).toEqual([["a", "b"], ["c"]]);
  });
});

