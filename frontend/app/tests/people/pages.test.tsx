/** The pages about people as an owner, an agent and a refused hub see them. */
import { act, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { addresses } from "../../src/people/InviteDialog";
import { navigate } from "../../src/router";
import type { Permission } from "../../src/types.gen";
import { ME, frame, member, snapshot } from "../rows";
import { Server } from "../server";

const ALL: readonly Permission[] = ["inbox.read", "inbox.reply", "inbox.assign", "contacts.write", "channels.manage", "inboxes.manage", "members.manage", "teams.manage", "keys.manage", "audit.read", "roles.manage", "privacy.manage", "workspace.manage"];

let server: Server;

function begin(permissions: readonly Permission[]): void {
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10, permissions }),
    "GET /invitations": () => ({ invitations: [] }),
    "GET /conversations": () => ({ conversations: [], next: null }),
  };
  server.install();
}

const sent = (method: string, path: string) => server.calls.filter((one) => one.method === method && one.path === path).map((one) => one.body);

beforeEach(() => {
  begin(ALL);
  navigate({ page: "members" }, { replace: true });
});

describe("members", () => {
  it("are found by a part of their name or address, and by state", async () => {
    const user = userEvent.setup();
    render(<App />);
    await user.type(await screen.findByRole("searchbox", { name: "Search" }), "hugo@");
    expect(screen.getByText("Hugo Laurent")).toBeVisible();
    expect(screen.queryByText(/Priya Raman/)).toBeNull();
    await user.selectOptions(screen.getByRole("combobox", { name: "State" }), "inactive");
    expect(screen.getByText("Nobody fits")).toBeVisible();
  });

  it("change on screen when somebody else changed them", async () => {
    render(<App />);
    const row = (await screen.findByText("Hugo Laurent")).closest("li");
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    expect(row).toHaveTextContent("Agent");
    act(() => server.socket.deliver(frame(11, { type: "member_changed", member: member({ id: "m-2", name: "Hugo Laurent", email: "hugo@example.com", role: "admin", version: 11 }) }, 10)));
    await waitFor(() => expect(screen.getByText("Hugo Laurent").closest("li")).toHaveTextContent("Admin"));
  });

  it("are invited several at once, and who was not is said and stays in the field", async () => {
    server.answers["POST /invitations"] = () => ({ results: [{ email: "ana@example.com", outcome: "invited" }, { email: "hugo@example.com", outcome: "already_member" }] });
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Invite people" }));
    await user.type(screen.getByLabelText("E-mail addresses"), "ana@example.com, hugo@example.com");
    await user.click(screen.getByRole("button", { name: "Invite 2 people" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("hugo@example.com works here already");
    expect(screen.getByLabelText("E-mail addresses")).toHaveValue("hugo@example.com");
    expect(sent("POST", "/invitations")).toEqual([{ emails: ["ana@example.com", "hugo@example.com"], role: "agent", team_ids: [], inbox_ids: [] }]);
  });

  it("are let go with their open work counted and handed over", async () => {
    server.answers["GET /conversations"] = () => ({ conversations: [{}, {}], next: null });
    server.answers["POST /members/m-2/deactivation"] = () => ({ member: member({ id: "m-2", active: false }) });
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: /What to do about Hugo/ }));
    await user.click(screen.getByRole("menuitem", { name: "Deactivate…" }));
    expect(await screen.findByText("6 conversations of theirs: 2 open, 2 pending, 2 snoozed.")).toBeVisible();
    await user.selectOptions(screen.getByLabelText("Who takes their conversations?"), "Priya Raman");
    await user.click(screen.getByRole("button", { name: "Deactivate" }));
    await waitFor(() => expect(sent("POST", "/members/m-2/deactivation")).toEqual([{ hand_over_to: { to: "member", id: ME } }]));
  });
});

describe("an agent", () => {
  it("sees members but no way to change them, and words on pages that are not theirs", async () => {
    begin(["inbox.read", "inbox.reply"]);
    render(<App />);
    expect(await screen.findByText("Hugo Laurent")).toBeVisible();
    expect(screen.queryByRole("button", { name: /What to do/ })).toBeNull();
    const links = within(screen.getByRole("navigation", { name: "Settings" }));
    expect(links.queryByRole("link", { name: "Audit log" })).toBeNull();
    for (const page of ["roles", "teams", "access", "workspace"] as const) {
      act(() => navigate({ page }));
      expect(await screen.findByText("This page is not for your role")).toBeVisible();
    }
    expect(server.calls.some((one) => one.path === "/inboxes" || one.path === "/security")).toBe(false);
  });
});

describe("the pages of an owner", () => {
  it("make a role from the catalogue, always with reading", async () => {
    const words = [["inbox.read", "Read conversations", true], ["inbox.reply", "Reply", true], ["roles.manage", "Manage roles", false]] as const;
    server.answers["GET /permissions"] = () => ({ permissions: words.map(([permission, name, grantable]) => ({ permission, name, description: "", grantable })) });
    server.answers["GET /roles"] = () => ({ roles: [], custom_roles: [] });
    server.answers["POST /roles"] = () => ({ role: {} });
    const user = userEvent.setup();
    navigate({ page: "roles" }, { replace: true });
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Make a role" }));
    expect(screen.queryByRole("checkbox", { name: "Manage roles" })).toBeNull();
    expect(screen.getByRole("checkbox", { name: "Read conversations" })).toBeDisabled();
    await user.type(screen.getByLabelText("Name"), "Night");
    await user.click(screen.getByRole("checkbox", { name: "Reply" }));
    await user.click(screen.getByRole("button", { name: "Save role" }));
    await waitFor(() => expect(sent("POST", "/roles")).toEqual([{ name: "Night", permissions: ["inbox.read", "inbox.reply"] }]));
  });

  it("show a refusal at the field it names", async () => {
    server.answers["POST /teams"] = () => Response.json({ code: "invalid_input", message: "There is such a team.", field: "name" }, { status: 422 });
    const user = userEvent.setup();
    navigate({ page: "teams" }, { replace: true });
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Make a team" }));
    await user.type(screen.getByLabelText("Name"), "Night");
    await user.click(screen.getByRole("button", { name: "Save team" }));
    expect(await screen.findByText("There is such a team.")).toBeVisible();
    expect(screen.getByLabelText("Name")).toBeInvalid();
  });

  it("delete the workspace only once its name is typed", async () => {
    const user = userEvent.setup();
    server.answers = { ...server.answers, "GET /security": () => ({ requires_second_factor: false, members_without: [] }), "GET /domains": () => ({ domains: [] }), "GET /workspaces": () => ({ deleted: [] }) };
    navigate({ page: "workspace" }, { replace: true });
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Delete workspace" }));
    const dialog = within(screen.getByRole("dialog"));
    expect(dialog.getByRole("button", { name: "Delete workspace" })).toBeDisabled();
    await user.type(dialog.getByRole("textbox"), "Northwind");
    expect(dialog.getByRole("button", { name: "Delete workspace" })).toBeEnabled();
  });
});

describe("addresses", () => {
  it("are read as people paste them, each once", () => {
    expect(addresses("a@x.de; b@x.de\nAna <c@x.de>, a@x.de")).toEqual(["a@x.de", "b@x.de", "c@x.de"]);
  });
});
