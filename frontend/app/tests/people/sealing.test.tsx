/** Settings → Workspace → Sealed messages, as an owner sees it. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { navigate } from "../../src/router";
import type { SealingView } from "../../src/types.gen";
import { ME, snapshot } from "../rows";
import { Server } from "../server";

const SEARCH = "Search cannot look into sealed messages.";
const KEPT: SealingView["sealing"] = { state: "open", done: 0, total: 0, started_at: null, finished_at: null, key_made_at: null, search: "" };

let server: Server;
let held: SealingView["sealing"];

beforeEach(() => {
  held = KEPT;
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10, permissions: ["inbox.read", "workspace.manage"] }),
    "GET /security": () => ({ requires_second_factor: false, members_without: [] }),
    "GET /domains": () => ({ domains: [] }),
    "GET /message-sealing": () => ({ sealing: held }),
  };
  server.install();
  navigate({ page: "workspace" }, { replace: true });
});

const card = async () => within(await screen.findByRole("region", { name: "Sealed messages" }));
const sent = (method: string, path: string) => server.calls.filter((one) => one.method === method && one.path === path).map((one) => one.body);

describe("sealed messages", () => {
  it("are asked for once what search loses is said, and followed until all are sealed", async () => {
    server.answers["PUT /message-sealing"] = () => {
      held = { ...KEPT, state: "sealing", done: 40, total: 1200, search: SEARCH };
      return { sealing: held };
    };
    const user = userEvent.setup();
    render(<App />);
    await user.click(await (await card()).findByRole("button", { name: "Seal messages" }));
    const dialog = within(screen.getByRole("dialog"));
    expect(dialog.getByText(/Search cannot look into sealed messages/)).toBeVisible();
    expect(sent("PUT", "/message-sealing")).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Seal messages" }));
    expect(sent("PUT", "/message-sealing")).toEqual([{ sealed: true }]);
    const progress = await (await card()).findByRole("progressbar", { name: "Sealing stored messages" });
    expect(progress).toHaveAttribute("value", "40");
    expect(screen.getByText("40 of about 1,200")).toBeVisible();
    expect((await card()).queryByRole("button")).toBeNull();
    held = { ...held, state: "sealed", done: 1200, key_made_at: "2026-11-23T10:00:00Z" };
    expect(await (await card()).findByRole("button", { name: "Change the key" }, { timeout: 4_000 })).toBeVisible();
    expect(screen.getByText(SEARCH)).toBeVisible();
  });

  it("get another key, and are kept unsealed again after a word of warning", async () => {
    held = { ...KEPT, state: "sealed", done: 9, total: 9, search: SEARCH, key_made_at: "2026-11-23T10:00:00Z" };
    server.answers["POST /message-sealing/key-changes"] = () => ({ sealing: held });
    server.answers["PUT /message-sealing"] = () => ({ sealing: { ...held, state: "opening" } });
    const user = userEvent.setup();
    render(<App />);
    await user.click(await (await card()).findByRole("button", { name: "Change the key" }));
    await waitFor(() => expect(sent("POST", "/message-sealing/key-changes")).toHaveLength(1));
    await user.click(await (await card()).findByRole("button", { name: "Keep them unsealed again" }));
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Keep them unsealed" }));
    await waitFor(() => expect(sent("PUT", "/message-sealing")).toEqual([{ sealed: false }]));
  });
});
