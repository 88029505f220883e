/** The home page and the workspace switcher, over a hub whose answers the test decides. */
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import type { Home } from "../../src/home/calls";
import { navigate } from "../../src/router";
import { digitOf } from "../../src/workspaces/keys";
import { page } from "../notices/rows";
import { ME, frame, snapshot } from "../rows";
import { Server } from "../server";

const QUIET: Home = {
  waiting: 0, mine_waiting: 0, unassigned: 0, is_partial: false, longest: [], snoozed_due: 0, failed: [], failed_amount: 0, channels: [],
  unreadable: 0, invited: 0, beginnings: { channel_connected: true, colleague_invited: true, contact_answered: true },
};
const BUSY: Home = {
  ...QUIET, waiting: 3, mine_waiting: 1, unassigned: 2, snoozed_due: 1, failed_amount: 1, unreadable: 4, invited: 2, is_partial: true,
  longest: [{ conversation_id: "c-1", contact_id: "p-1", contact_name: "Ana Okafor", subject: "", channel: "livechat", preview: "Where is it?", assignee_id: "m-2", since: "2026-01-01T10:00:00Z" }],
  failed: [{ conversation_id: "c-2", contact_id: "p-2", contact_name: "", subject: "Order 7", error: "No such number", at: "2026-01-01T10:00:00Z" }],
  channels: [{ id: "a-1", name: "Support line", channel: "twilio_sms", status: "needs_sign_in" }],
};
let server: Server;
let home: Home;
let workspaces: { workspace_id: number; workspace_name: string; member_id: string; role: string }[];

beforeEach(() => {
  server = new Server();
  home = BUSY;
  workspaces = [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }, { workspace_id: 2, workspace_name: "Contoso", member_id: "m-9", role: "agent" }];
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10 }),
    "GET /workspaces/2/snapshot": () => snapshot({ seq: 10, workspace: { id: 2, name: "Contoso", version: 0 } }),
    "GET /notices": () => page([]),
    "GET /home": () => home,
    "GET /workspaces/unread": () => ({ workspaces: [{ workspace_id: 2, unread: 5 }] }),
    "POST /workspaces": () => {
      workspaces = [...workspaces, { workspace_id: 3, workspace_name: "Fresh", member_id: "m-3", role: "owner" }];
      return { membership: workspaces.at(-1) };
    },
    "GET /workspaces/3/snapshot": () => snapshot({ seq: 1, workspace: { id: 3, name: "Fresh", version: 0 } }),
    "POST /leaving": () => { workspaces = workspaces.slice(1); return new Response(null, { status: 204 }); },
  };
  server.install();
  navigate({ page: "home" }, { replace: true });
});

describe("the home page", () => {
  it("leads to each thing that needs attention; axe finds nothing", async () => {
    render(<App />);
    expect(await screen.findByRole("link", { name: "Waiting for an answer: 3+" })).toHaveAttribute("href", "/");
    expect(screen.getByRole("link", { name: "Of these, yours: 1+" })).toHaveAttribute("href", "/?filter=mine");
    expect(screen.getByRole("link", { name: "Unassigned: 2+" })).toHaveAttribute("href", "/?filter=unassigned");
    expect(screen.getByRole("link", { name: "Of your snoozed, back soon: 1" })).toHaveAttribute("href", "/?tab=snoozed&filter=mine");
    expect(screen.getByRole("link", { name: "Could not be read: 4" })).toHaveAttribute("href", "/settings/dead-letters");
    expect(screen.getByRole("link", { name: /Ana Okafor/ })).toHaveAttribute("href", "/c/c-1");
    expect(screen.getByRole("region", { name: "Waiting longest" })).toHaveTextContent("Hugo Laurent");
    expect(screen.getByRole("link", { name: /Order 7/ })).toHaveTextContent("No such number");
    expect(screen.getByRole("link", { name: /Support line/ })).toHaveAttribute("href", "/settings/channels?account=a-1");
    const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
    expect(violations).toEqual([]);
  });

  it("says that all is answered, and what is left to begin with", async () => {
    home = { ...QUIET, beginnings: { channel_connected: true, colleague_invited: false, contact_answered: false } };
    render(<App />);
    expect(await screen.findByText("All answered")).toBeVisible();
    const steps = screen.getByRole("region", { name: "Getting started (1 of 3)" });
    expect(within(steps).getAllByRole("link")).toHaveLength(2);
  });

  it("asks once for many events, and shows what came of them", async () => {
    render(<App />);
    await screen.findByRole("link", { name: "Waiting for an answer: 3+" });
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    const before = () => server.calls.filter((one) => one.path === "/home").length;
    await new Promise((resolve) => setTimeout(resolve, 2_300));
    const asked = before();
    home = QUIET;
    act(() => { for (let seq = 11; seq < 31; seq++) server.socket.deliver(frame(seq)); });
    expect(await screen.findByText("All answered")).toBeVisible();
    expect(before()).toBe(asked + 1);
  });

  it("says why there is nothing to show", async () => {
    server.answers["GET /home"] = () => Response.json({ code: "unavailable", message: "The database rests." }, { status: 503 });
    const user = userEvent.setup();
    render(<App />);
    expect(await screen.findByRole("alert")).toHaveTextContent("The database rests.");
    server.answers["GET /home"] = () => QUIET;
    await user.click(screen.getByRole("button", { name: "Try again" }));
    expect(await screen.findByText("All answered")).toBeVisible();
  });
});

describe("the workspace switcher", () => {
  it("shows what is unread elsewhere and goes there, by menu and by keys", async () => {
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: /Workspace Northwind: switch.*unread in others/ }));
    const other = await screen.findByRole("menuitemradio", { name: /Contoso.*5.*unread/ });
    await user.click(other);
    expect(await screen.findByRole("button", { name: /Workspace Contoso: switch/ })).toBeVisible();
    fireEvent.keyDown(document, { code: "Digit1", altKey: true, shiftKey: true });
    expect(await screen.findByRole("button", { name: /Workspace Northwind: switch/ })).toBeVisible();
  });

  it("makes a workspace and goes there; a refusal stands at the field", async () => {
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: /Workspace Northwind/ }));
    await user.click(screen.getByRole("menuitem", { name: "New workspace…" }));
    const name = await screen.findByRole("textbox", { name: "Name" });
    const made = server.answers["POST /workspaces"];
    server.answers["POST /workspaces"] = () => Response.json({ code: "conflict", message: "Confirm your address first." }, { status: 409 });
    await user.type(name, " Fresh ");
    await user.click(screen.getByRole("button", { name: "Make workspace" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("Confirm your address first.");
    if (made !== undefined) server.answers["POST /workspaces"] = made;
    await user.click(screen.getByRole("button", { name: "Make workspace" }));
    expect(await screen.findByRole("button", { name: /Workspace Fresh: switch/ })).toBeVisible();
    expect(server.calls.findLast((one) => one.method === "POST" && one.path === "/workspaces")?.body).toEqual({ name: "Fresh" });
  });

  it("leaves one with one's conversations handed over, and is in the next", async () => {
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: /Workspace Northwind/ }));
    await user.click(screen.getByRole("menuitem", { name: "Leave Northwind…" }));
    await user.selectOptions(await screen.findByRole("combobox", { name: "Your open conversations go to" }), "Hugo Laurent");
    await user.click(screen.getByRole("button", { name: "Leave workspace" }));
    expect(await screen.findByRole("button", { name: /Workspace Contoso: switch/ })).toBeVisible();
    expect(server.calls.find((one) => one.path === "/leaving")?.body).toEqual({ hand_over_to: { to: "member", id: "m-2" } });
  });

  it("leaves other key presses alone", () => {
    const press = (over: KeyboardEventInit) => digitOf(new KeyboardEvent("keydown", { code: "Digit2", altKey: true, shiftKey: true, ...over }));
    expect(press({})).toBe(2);
    expect([press({ ctrlKey: true }), press({ altKey: false }), press({ code: "Digit0" }), press({ code: "KeyA" }), press({ repeat: true })]).toEqual([null, null, null, null, null]);
  });
});
