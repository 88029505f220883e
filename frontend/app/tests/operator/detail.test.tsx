/** One workspace in the operator's panel: entering as a chosen owner, after the proof the hub asks for. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { navigate } from "../../src/router";
import { ME, snapshot } from "../rows";
import { Server } from "../server";

const LIMITS = { members: null, channel_accounts: null, storage_bytes: null, sockets: null, messages_per_day: null, workspace_calls_per_minute: null };
const WORKSPACE = { id: 7, name: "Southwind", created_at: "2026-01-01T10:00:00Z", suspended_at: null, suspended_why: "", deleted_at: null, lets_operators_in: true, members: 2, sockets: 0, messages_30_days: 0, storage_bytes: 0 };
const NEEDED = { code: "proof_needed", message: "Show that it is you.", methods: ["totp"] };

let server: Server;
let proved: boolean;

beforeEach(() => {
  proved = false;
  const guarded = (answer: unknown) => () => (proved ? answer : Response.json(NEEDED, { status: 403 }));
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, is_operator: true, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10 }),
    "GET /operator/workspaces/7": guarded({ workspace: WORKSPACE, limits: { own: { limits: LIMITS, version: 0 }, defaults: LIMITS }, flags: [], owners: [{ id: "m-7", name: "Sol Berg" }, { id: "m-8", name: "Ida Moe" }] }),
    "POST /operator/workspaces/7/entering": () => ({ entered: {} }),
    "POST /session/proof": () => {
      proved = true;
      return {};
    },
  };
  server.install();
  navigate({ page: "operator", workspace: 7 }, { replace: true });
});

describe("a workspace in the panel", () => {
  it("is shown after a code, and entered as the owner that was chosen", async () => {
    const user = userEvent.setup();
    render(<App />);
    const question = within(await screen.findByRole("dialog", { name: "Is it you?" }));
    await user.type(await question.findByLabelText("Code"), "123456{Enter}");
    expect(await screen.findByRole("heading", { name: "Southwind" })).toBeVisible();
    expect((await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } })).violations.map((one) => one.id)).toEqual([]);
    expect(screen.getByRole("button", { name: "Enter for an hour" })).toBeDisabled();
    await user.type(screen.getByLabelText("Reason"), "Ticket 12");
    await user.selectOptions(screen.getByLabelText("Enter as"), "Ida Moe");
    await user.click(screen.getByRole("button", { name: "Enter for an hour" }));
    await waitFor(() => expect(server.calls.find((one) => one.path === "/operator/workspaces/7/entering")?.body).toEqual({ reason: "Ticket 12", member_id: "m-8" }));
  });
});
