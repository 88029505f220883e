/** Workspaces that one's address opens, in the switcher. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { expect, it } from "vitest";
import { App } from "../../src/App";
import { INBOX, navigate } from "../../src/router";
import { ME, snapshot } from "../rows";
import { Server } from "../server";

it("joins a workspace that is open to one's address, and goes there", async () => {
  const server = new Server();
  let workspaces = [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }];
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10 }),
    "GET /workspaces/unread": () => ({ workspaces: [] }),
    "GET /workspaces": () => ({ joinable: workspaces.length > 1 ? [] : [{ workspace_id: 2, workspace_name: "Southwind" }] }),
    "POST /workspaces/2/joining": () => {
      const membership = { workspace_id: 2, workspace_name: "Southwind", member_id: "m-20", role: "agent" };
      workspaces = [...workspaces, membership];
      return { membership };
    },
  };
  server.install();
  navigate(INBOX, { replace: true });
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("button", { name: /Workspace Northwind: switch/ }));
  const open = within(await screen.findByRole("group", { name: "Open to your address" }));
  await user.click(open.getByRole("menuitem", { name: "Join Southwind" }));
  expect(await screen.findByText("You joined Southwind")).toBeVisible();
  await waitFor(() => expect(localStorage.getItem("hub.workspace")).toBe("2"));
});
