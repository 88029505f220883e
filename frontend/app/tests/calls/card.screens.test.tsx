/** A call in the thread, over a hub whose answers the test decides. */
import { act, render, screen, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, expect, it, vi } from "vitest";
import { App } from "../../src/App";
import { INBOX, navigate } from "../../src/router";
import { ME, attachment, contact, conversation, frame, message, snapshot } from "../rows";
import { Server } from "../server";

const CAN = {
  text_limit: 0, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0,
  delete: false, delete_within_s: 0, mark_read: false, attachments: false, attachment_limit_bytes: 0, attachment_limit_count: 0, attachment_total_bytes: 0, attachment_mimes: [],
  subject: false, copies: false, html: false, visitors: false, start_conversation: false, window_s: 0, human_window_s: 0, templates: false, human_only: false, call: true,
};
const VOICE = { id: "voice", name: "Phone calls", summary: "", icon: "", transport: "webhook", docs_url: "", capabilities: CAN, credentials: [], settings: [], setup_steps: [], needs_public_url: true, presets: [], closed: [], softphone: null, rank: 1 };
const ANA = conversation({ channel: "voice", last_inbound_seq: 9, version: 9, preview: "Missed call" });
const STATE = { outcome: "missed", member: "", answered_at: null, ended_at: "2026-01-01T10:00:40Z", talk_s: null } as const;
const CALL = message({ id: "x-8", seq: 8, version: 8, kind: "call", text: "Missed call", call: STATE });
const QUOTE = { message_id: "x-8", author_kind: "contact", author_id: "p-1", author_name: "", text: "Missed call" } as const;
const SOUND = attachment({ id: "f-9", kind: "audio", filename: "voicemail.mp3", mime: "audio/mpeg" });
const LEFT = message({ id: "x-9", seq: 9, version: 9, text: "Voicemail: Please call back.", reply_to: QUOTE, attachments: [SOUND], occurred_at: "2026-01-01T10:00:20Z", edited_at: "2026-01-01T10:01:00Z" });

let server: Server;

beforeEach(() => {
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /setup": () => ({ needs_setup: false }),
    "GET /channels": () => ({ channels: [VOICE] }),
    "GET /snapshot": () => snapshot({ seq: 10, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, conversations: [ANA], contacts: [contact()] }),
    "GET /conversations/c-1/messages": () => ({ seq: 10, messages: [CALL, LEFT], lines: [], next: null }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
  };
  server.install();
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
});

async function open(): Promise<HTMLElement> {
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("link", { name: /Ana Okafor/ }));
  return screen.findByRole("article", { name: /Incoming call from Ana Okafor/ });
}

it("shows a missed call with its message to hear and to read, in one card", async () => {
  const card = await open();
  expect(card).toHaveTextContent("Missed, message in the mailbox");
  expect(card).toHaveTextContent(/Waited\s*0:40/);
  expect(within(card).getByText("Please call back.")).toBeInTheDocument();
  expect(within(card).getByLabelText("voicemail.mp3")).toHaveAttribute("src", expect.stringContaining("/attachments/f-9"));
  expect(screen.getAllByRole("article")).toHaveLength(1);
  expect(within(card).queryByRole("button", { name: "edited" })).toBeNull();
  const found = await axe.run(card, { rules: { "color-contrast": { enabled: false } } });
  expect(found.violations).toEqual([]);
});

it("follows what becomes of a call", async () => {
  await open();
  const answered = { ...CALL, version: 11, call: { ...STATE, outcome: "answered", member: "Ben", answered_at: "2026-01-01T10:00:10Z", talk_s: 65 } } as const;
  act(() => server.socket.deliver(frame(11, { type: "message_edited", previous_status: "open", conversation: { ...ANA, version: 11 }, message: answered })));
  await screen.findByText("Answered by Ben");
  expect(screen.getByRole("article", { name: /Incoming call/ })).toHaveTextContent(/Talked\s*1:05/);
});

const asked = (): unknown[] => server.calls.filter((one) => one.method === "POST" && one.path.endsWith("/calls")).map((one) => one.body);

it("calls the contact, and asks again under the same id only where the hub did not answer", async () => {
  await open();
  const button = screen.getByRole("button", { name: "Call Ana Okafor" });
  await userEvent.click(button);
  await screen.findByText("No POST /conversations/c-1/calls");
  server.answers["POST /conversations/c-1/calls"] = () => Response.json({ code: "unavailable", message: "A store is away." }, { status: 503 });
  await userEvent.click(button);
  await screen.findByText("A store is away.");
  server.answers["POST /conversations/c-1/calls"] = () => ({ message_id: "x-11", seq: 11, problem: "" });
  await userEvent.click(button);
  await screen.findByText(/Your telephone rings/);
  await userEvent.click(button);

  const ids = asked().map((body) => (body as { client_call_id: string }).client_call_id);
  expect(ids).toHaveLength(4);
  expect(ids[2]).toBe(ids[1]);
  expect(new Set(ids).size).toBe(3);
});

it("says in words why nobody could be called", async () => {
  server.answers["POST /conversations/c-1/calls"] = () => ({ message_id: "x-11", seq: 11, problem: "Twilio refused the call." });
  await open();
  await userEvent.click(screen.getByRole("button", { name: "Call Ana Okafor" }));
  expect(await screen.findByText("Twilio refused the call.")).toBeInTheDocument();
});

it.each([
  ["where the channel has none", false, ["inbox.read", "inbox.reply"] as const],
  ["to who may only look", true, ["inbox.read"] as const],
])("offers no call %s", async (_, call, permissions) => {
  server.answers["GET /channels"] = () => ({ channels: [{ ...VOICE, capabilities: { ...CAN, call } }] });
  server.answers["GET /snapshot"] = () => snapshot({ seq: 10, permissions, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, conversations: [ANA], contacts: [contact()] });
  await open();
  expect(screen.queryByRole("button", { name: /^Call / })).toBeNull();
});
