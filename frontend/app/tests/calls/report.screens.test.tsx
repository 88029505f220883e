/** The report about calls, over a hub whose answers the test decides. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, expect, it } from "vitest";
import { App } from "../../src/App";
import { navigate } from "../../src/router";
import type { CallFigures, CallReportView } from "../../src/types.gen";
import { ME, snapshot } from "../rows";
import { Server } from "../server";

const figures = (over: Partial<CallFigures>): CallFigures => ({ answered: 0, missed: 0, made: 0, reached: 0, wait_s: null, longest_wait_s: null, talk_s: 0, ...over });
const ANNA = figures({ answered: 3, made: 2, reached: 1, wait_s: 12, longest_wait_s: 40, talk_s: 3_725 });
const NOBODY = figures({ missed: 4 });
const TOTAL = figures({ ...ANNA, missed: 4 });
const REPORT: CallReportView = {
  since: "2026-01-01", until: "2026-01-30", time_zone: "UTC", total: TOTAL, by_member: [{ member: "Anna", figures: ANNA }, { member: "", figures: NOBODY }],
  by_day: [{ day: "2026-01-30", figures: TOTAL }], rows: [{ day: "2026-01-30", member: "Anna", figures: ANNA }, { day: "2026-01-30", member: "", figures: NOBODY }],
};
let server: Server;
let report: CallReportView;

beforeEach(() => {
  report = REPORT;
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "UTC" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10, permissions: ["inbox.read", "teams.manage"] }),
    "GET /reports/calls": () => report,
  };
  server.install();
  navigate({ page: "calls" }, { replace: true });
});

it("shows what calls came to by member and day, and offers the file; axe finds nothing", async () => {
  render(<App />);
  const members = await screen.findByRole("table", { name: "By member" });
  const anna = within(members).getByRole("row", { name: /^Anna/ });
  expect(within(anna).getAllByRole("cell").map((cell) => cell.textContent)).toEqual(["3", "0", "2", "1", "0:12", "0:40", "1:02:05"]);
  const nobody = within(members).getByRole("row", { name: /^Nobody/ });
  expect(within(nobody).getAllByRole("cell").map((cell) => cell.textContent)).toEqual(["0", "4", "0", "0", "–", "–", "–"]);
  expect(screen.getByText("3 of 7")).toBeVisible();
  expect(screen.getByRole("table", { name: "By day" })).toBeVisible();
  expect(screen.getByRole("link", { name: "Save as CSV" })).toHaveAttribute("href", expect.stringMatching(/\/reports\/calls\?since=.+&until=.+&time_zone=.+&format=csv$/));
  const { violations } = await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } });
  expect(violations).toEqual([]);
});

it("asks anew for other days, and says so where there are none", async () => {
  const user = userEvent.setup();
  render(<App />);
  expect(await screen.findByRole("button", { name: "30 days", pressed: true })).toBeVisible();
  report = { ...REPORT, rows: [], by_day: [], by_member: [], total: figures({}) };
  await user.click(screen.getByRole("button", { name: "7 days" }));
  expect(await screen.findByText("No calls in these days")).toBeVisible();
  await waitFor(() => expect(server.calls.filter((one) => one.path === "/reports/calls")).toHaveLength(2));
});

it("says in the hub's words what is wrong with the days", async () => {
  server.answers["GET /reports/calls"] = () => Response.json({ code: "invalid_input", message: "At most 92 days at once.", field: "since" }, { status: 422 });
  render(<App />);
  expect(await screen.findByRole("alert")).toHaveTextContent("At most 92 days at once.");
});
