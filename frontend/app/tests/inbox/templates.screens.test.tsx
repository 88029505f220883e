/** A channel with a window and templates: what the composer says, and a template chosen, filled in and sent. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, expect, it, vi } from "vitest";
import { App } from "../../src/App";
import { INBOX, navigate } from "../../src/router";
import { ME, contact, conversation, message, snapshot } from "../rows";
import { Server } from "../server";

const CAN = {
  text_limit: 1000, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0,
  delete: false, delete_within_s: 0, mark_read: false, attachments: false, attachment_limit_bytes: 0, attachment_limit_count: 0, attachment_total_bytes: 0, attachment_mimes: [],
  subject: false, copies: false, html: false, visitors: false, start_conversation: true, window_s: 86_400, human_window_s: 0, templates: true, human_only: false,
};
const ORDER = { name: "order_sent", language: "en", text: "Hi {{1}}, your order is on its way.", variables: ["1"], id: "t-1", status: "approved" };
const REFUSED = { ...ORDER, name: "promo", status: "rejected" };
const IN_AN_HOUR = (): string => new Date(Date.now() + 3_660_000).toISOString();

let server: Server;

async function open(window_expires_at: string | null, capabilities = CAN) {
  server = new Server();
  localStorage.clear();
  const row = conversation({ channel: "letters", last_inbound_seq: 9, version: 9, window_expires_at });
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [{ id: "letters", name: "Letters", summary: "", icon: "", transport: "webhook", docs_url: "", capabilities, credentials: [], settings: [], setup_steps: [], needs_public_url: false, presets: [], closed: [], rank: 1 }] }),
    "GET /snapshot": () => snapshot({ seq: 10, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, conversations: [row], contacts: [contact()] }),
    "GET /conversations/c-1/messages": () => ({ seq: 10, messages: [message({ id: "x-9", seq: 9, version: 9, text: "Where is my parcel?" })], next: null }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
    "GET /channel-accounts/a-1/templates": () => ({ templates: [ORDER, REFUSED], fetched_at: "2026-01-01T10:00:00Z" }),
    "POST /channel-accounts/a-1/templates/refresh": () => ({ templates: [ORDER, { ...REFUSED, status: "approved" }], fetched_at: "2026-01-01T11:00:00Z" }),
  };
  server.install();
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("link", { name: /Ana Okafor/ }));
  await screen.findByRole("textbox", { name: "Reply" });
  return user;
}

beforeEach(() => {
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
});

const sends = () => server.socket.sent.filter((one) => one.type === "send");

it("counts down while answers are taken", async () => {
  const user = await open(IN_AN_HOUR());
  expect(screen.getByText("1 h left to answer")).toBeVisible();
  await user.type(screen.getByRole("textbox", { name: "Reply" }), "Soon");
  expect(screen.getByRole("button", { name: "Send" })).toBeEnabled();
});

it("takes no free answer afterwards, and still takes notes", async () => {
  const user = await open("2026-01-02T10:00:00Z");
  expect(screen.getByText("The time to answer freely is over. You can send a template.")).toBeVisible();
  await user.type(screen.getByRole("textbox", { name: "Reply" }), "Soon");
  expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
  await user.click(screen.getByRole("tab", { name: "Note" }));
  await user.type(screen.getByRole("textbox", { name: "Note" }), "Late");
  expect(screen.getByRole("button", { name: "Add note" })).toBeEnabled();
});

it("sends a template that was chosen and filled in, shown as it reads", async () => {
  const user = await open("2026-01-02T10:00:00Z");
  await user.click(screen.getByRole("button", { name: "Template" }));
  const list = within(await screen.findByRole("dialog", { name: "Send a template" }));
  expect(await list.findByRole("button", { name: /order_sent/ })).toBeVisible();
  expect(list.queryByRole("button", { name: /promo/ })).toBeNull();
  await user.click(list.getByRole("button", { name: "Ask the vendor again" }));
  expect(await list.findByRole("button", { name: /promo/ })).toBeVisible();
  await user.type(list.getByRole("searchbox", { name: "Find a template" }), "order_s");
  expect(list.queryByRole("button", { name: /promo/ })).toBeNull();
  expect((await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } })).violations.map((one) => one.id)).toEqual([]);
  await user.click(list.getByRole("button", { name: /order_sent/ }));
  const form = within(await screen.findByRole("dialog", { name: "order_sent" }));
  expect(form.getByRole("button", { name: "Send" })).toBeDisabled();
  await user.type(form.getByLabelText("1"), "Ana");
  expect(form.getByRole("status", { name: "How it reads" })).toHaveTextContent("Hi Ana, your order is on its way.");
  await user.click(form.getByRole("button", { name: "Send" }));
  await waitFor(() => expect(sends()).toHaveLength(1));
  expect(sends()[0]).toMatchObject({ kind: "message", text: "Hi Ana, your order is on its way.", template: { name: "order_sent", language: "en", id: "t-1", variables: { 1: "Ana" } } });
  expect(await screen.findByText("Hi Ana, your order is on its way.")).toBeVisible();
});

it("says what the vendor answered when it cannot be asked", async () => {
  const user = await open("2026-01-02T10:00:00Z");
  server.answers["GET /channel-accounts/a-1/templates"] = () => Response.json({ code: "unavailable", message: "Letters could not be asked for its templates." }, { status: 503 });
  await user.click(screen.getByRole("button", { name: "Template" }));
  expect(await screen.findByText("Letters could not be asked for its templates.")).toBeVisible();
});

it("takes notes alone where nothing can be written to anybody", async () => {
  const user = await open(null, { ...CAN, text_limit: 0, window_s: 0, templates: false });
  expect(screen.getByRole("textbox", { name: "Reply" })).toBeDisabled();
  expect(screen.getByPlaceholderText("Nobody can be written to on this channel. Notes can be added.")).toBeVisible();
  expect(screen.queryByText(/too long/)).toBeNull();
  await user.click(screen.getByRole("tab", { name: "Note" }));
  await user.type(screen.getByRole("textbox", { name: "Note" }), "Called back");
  expect(screen.getByRole("button", { name: "Add note" })).toBeEnabled();
});
