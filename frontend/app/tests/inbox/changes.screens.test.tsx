/** Changing messages as a member does it, over a hub whose answers the test decides. */
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "../../src/App";
import { INBOX, navigate } from "../../src/router";
import { ME, contact, conversation, frame, message, snapshot } from "../rows";
import { Server } from "../server";

const ANA = conversation({ id: "c-1", contact_id: "p-1", last_inbound_seq: 9, version: 9, preview: "Where is my parcel?" });
const MINE = message({ id: "x-10", seq: 10, version: 10, direction: "outbound", author_kind: "member", author_id: ME, status: "sent", text: "On its way.", occurred_at: "2026-01-01T10:05:00Z" });
const CAN = {
  text_limit: 1000, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: true, react: true, edit: true, edit_within_s: 0,
  delete: true, delete_within_s: 0, mark_read: false, attachments: false, attachment_limit_bytes: 0, attachment_limit_count: 0, attachment_total_bytes: 0, attachment_mimes: [],
  subject: false, copies: false, html: false, visitors: true, start_conversation: true,
};
const PATH = "/conversations/c-1/messages/x-10";

let server: Server;

beforeEach(() => {
  server = new Server();
  const session = { login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] };
  server.answers = {
    "GET /session": () => session,
    "GET /setup": () => ({ needs_setup: false }),
    "GET /channels": () => ({ channels: [{ id: "livechat", name: "Live chat", summary: "", icon: "", transport: "own", docs_url: "", capabilities: CAN, credentials: [], settings: [], setup_steps: [], needs_public_url: false, presets: [], closed: [], rank: 1 }] }),
    "GET /snapshot": () => snapshot({ seq: 10, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, conversations: [ANA], contacts: [contact()] }),
    "GET /conversations/c-1/messages": () => ({ seq: 10, messages: [message({ id: "x-9", seq: 9, version: 9, text: "Where is my parcel?" }), MINE], next: null }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
    [`PATCH ${PATH}`]: () => ({ message: MINE, seq: 11 }),
    [`DELETE ${PATH}`]: () => ({ message: MINE, seq: 11 }),
    [`PUT ${PATH}/reactions/${encodeURIComponent("🎉")}`]: () => ({ message: MINE, seq: 11 }),
  };
  server.install();
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
});
afterEach(() => vi.useRealTimers());

const made = (method: string) => server.calls.filter((one) => one.method === method && one.path.startsWith(PATH));

async function open() {
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("link", { name: /Ana Okafor/ }));
  await screen.findByText("On its way.");
  return user;
}

const bubble = (text: string): HTMLElement => {
  const found = screen.getAllByRole("article").find((one) => one.textContent.includes(text));
  if (found === undefined) throw new Error(`no message says ${text}`);
  return found;
};

async function choose(user: ReturnType<typeof userEvent.setup>, text: string, item: string): Promise<void> {
  await user.click(within(bubble(text)).getByRole("button", { name: "What to do with this message" }));
  await user.click(screen.getByRole("menuitem", { name: item }));
}

describe("a message", () => {
  it("is edited in the composer; Escape brings back what was being written", async () => {
    const user = await open();
    const field = screen.getByRole("textbox", { name: "Reply" });
    await user.type(field, "Half a reply");
    await choose(user, "On its way.", "Edit");
    await waitFor(() => expect(field).toHaveValue("On its way."));
    await user.type(field, "{Escape}");
    expect(field).toHaveValue("Half a reply");

    await choose(user, "On its way.", "Edit");
    await waitFor(() => expect(field).toHaveValue("On its way."));
    await user.clear(field);
    await user.type(field, "Tomorrow.");
    await user.click(screen.getByRole("button", { name: "Save" }));
    await waitFor(() => expect(made("PATCH")).toEqual([{ method: "PATCH", path: PATH, body: { text: "Tomorrow." } }]));
    await waitFor(() => expect(field).toHaveValue("Half a reply"));
  });

  it("shows an edit that waits, then the vendor's refusal in words with the text as it was", async () => {
    await open();
    const waiting = { id: "a-1", kind: "edit", state: "waiting", text: "Tomorrow.", error: "" } as const;
    act(() => server.socket.deliver(frame(11, { type: "message_change_noted", conversation_id: "c-1", message_id: "x-10", change: waiting }, 10)));
    await waitFor(() => expect(bubble("Tomorrow.")).toHaveTextContent("Editing…"));
    act(() => server.socket.deliver(frame(12, { type: "message_change_noted", conversation_id: "c-1", message_id: "x-10", change: { ...waiting, state: "failed", error: "The message is too old." } }, 11)));
    await waitFor(() => expect(bubble("On its way.")).toHaveTextContent("Not edited. The message is too old."));
  });

  it("leaves five seconds to take a deletion back", async () => {
    await open();
    vi.useFakeTimers({ shouldAdvanceTime: true, toFake: ["setTimeout", "clearTimeout"] });
    const remove = (): void => {
      fireEvent.click(within(bubble("On its way.")).getByRole("button", { name: "What to do with this message" }));
      fireEvent.click(screen.getByRole("menuitem", { name: "Delete" }));
    };
    remove();
    fireEvent.click(within(bubble("On its way.")).getByRole("button", { name: "Undo" }));
    act(() => void vi.advanceTimersByTime(6_000));
    expect(made("DELETE")).toEqual([]);

    remove();
    act(() => void vi.advanceTimersByTime(4_000));
    expect(made("DELETE")).toEqual([]);
    act(() => void vi.advanceTimersByTime(1_500));
    await waitFor(() => expect(made("DELETE")).toHaveLength(1));
  });

  it("deletes at once when the page is left", async () => {
    const user = await open();
    await choose(user, "On its way.", "Delete");
    act(() => void window.dispatchEvent(new Event("pagehide")));
    await waitFor(() => expect(made("DELETE")).toHaveLength(1));
  });

  it("gets a reaction from the picker by keyboard", async () => {
    const user = await open();
    within(bubble("On its way.")).getByRole("button", { name: "React" }).focus();
    await user.keyboard("{Enter}");
    await user.keyboard("{ArrowDown}{ArrowDown}{ArrowDown}{Enter}");
    await waitFor(() => expect(made("PUT")).toHaveLength(1));
    expect(decodeURIComponent(made("PUT")[0]?.path ?? "")).toContain("🎉");
  });

  it("that was deleted says so, and is not quoted any more", async () => {
    await open();
    const quoting = message({ id: "x-11", seq: 11, version: 11, text: "Which day?", reply_to: { message_id: "x-10", author_kind: "member", author_name: "Priya", text: "On its way." } });
    act(() => server.socket.deliver(frame(11, { type: "message_received", previous_status: "open", contact: contact(), conversation: { ...ANA, version: 11 }, message: quoting }, 10)));
    await waitFor(() => expect(bubble("Which day?")).toHaveTextContent("On its way."));
    act(() => server.socket.deliver(frame(12, { type: "message_deleted", previous_status: "open", conversation: { ...ANA, version: 12 }, message: { ...MINE, text: "", deleted_at: "2026-01-01T10:09:00Z", version: 12 } }, 11)));
    await waitFor(() => expect(screen.queryByText("On its way.")).toBeNull());
    expect(bubble("Which day?")).toHaveTextContent("Deleted message");
  });

  it("is answered with a quote", async () => {
    const user = await open();
    await choose(user, "Where is my parcel?", "Reply");
    const field = screen.getByRole("textbox", { name: "Reply" });
    fireEvent.change(field, { target: { value: "Here." } });
    await user.click(screen.getByRole("button", { name: "Send" }));
    await waitFor(() => expect(server.socket.sent.filter((one) => one.type === "send")).toMatchObject([{ text: "Here.", reply_to: "x-9" }]));
  });
});
