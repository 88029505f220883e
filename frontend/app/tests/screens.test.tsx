/** The inbox as a member uses it, over a hub whose answers the test decides. */
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "../src/App";
import { showHelp } from "../src/inbox/HelpSheet";
import { INBOX, navigate } from "../src/router";
import type { ConversationChange } from "../src/types.gen";
import { ME, contact, conversation, frame, message, snapshot } from "./rows";
import { Server } from "./server";

const ANA = conversation({ id: "c-1", contact_id: "p-1", last_inbound_seq: 9, version: 9, preview: "Where is my parcel?" });
const BO = conversation({ id: "c-2", contact_id: "p-2", last_inbound_seq: 5, version: 5, preview: "Thanks!", last_activity_at: "2026-01-01T09:00:00Z" });

let server: Server;

beforeEach(() => {
  server = new Server();
  const session = { login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] };
  server.answers = {
    "GET /session": () => (server.signedIn ? session : Response.json({ code: "not_signed_in", message: "Sign in first." }, { status: 401 })),
    "POST /session": () => session,
    "GET /setup": () => ({ needs_setup: false }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({
      seq: 10, counts: { open: 2, pending: 0, snoozed: 0, closed: 4 }, conversations: [ANA, BO],
      contacts: [contact(), contact({ id: "p-2", name: "Bo Lindqvist" })], reads: [{ conversation_id: "c-2", member_id: ME, read_seq: 5 }],
    }),
    "GET /conversations/c-1/messages": () => ({ seq: 10, messages: [message({ id: "x-9", seq: 9, version: 9, text: "Where is my parcel?" })], next: null }),
    "GET /conversations/c-2/messages": () => ({ seq: 10, messages: [message({ id: "x-5", conversation_id: "c-2", seq: 5, text: "Thanks!" })], next: null }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
    "GET /contacts/p-2": () => ({ contact: contact({ id: "p-2", name: "Bo Lindqvist" }), conversations: [] }),
  };
  server.install();
  // jsdom lays nothing out: give the list a size so that the virtual rows are drawn.
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
  showHelp.set(false);
});

const row = (name: string): Promise<HTMLElement> => screen.findByRole("link", { name: new RegExp(name) });
const sends = () => server.socket.sent.filter((one) => one.type === "send");

async function openAna() {
  const user = userEvent.setup();
  render(<App />);
  await user.click(await row("Ana Okafor"));
  await screen.findByRole("article");
  await waitFor(() => expect(screen.getAllByText("Live").length).toBeGreaterThan(0));
  return user;
}

describe("the inbox", () => {
  it("shows the conversations, their tabs' counts, and which are unread", async () => {
    render(<App />);
    expect(await row("Ana Okafor, unread")).toBeVisible();
    expect(await row("^Bo Lindqvist, Livechat")).toBeVisible();
    const tabs = within(screen.getByRole("navigation", { name: "Status" }));
    expect(tabs.getByRole("link", { name: /Open/ })).toHaveTextContent("Open2");
    expect(tabs.getByRole("link", { name: /Closed/ })).toHaveTextContent("Closed4");
  });

  it("shows a message that arrives without anybody reloading", async () => {
    render(<App />);
    await row("Bo Lindqvist");
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    act(() => server.socket.deliver(frame(11, {
      type: "message_received", previous_status: null, contact: contact({ id: "p-3", name: "Carla Moreau", version: 11 }),
      conversation: conversation({ id: "c-3", contact_id: "p-3", preview: "Hello there", last_inbound_seq: 11, version: 11, last_activity_at: "2026-01-01T11:00:00Z" }),
      message: message({ id: "x-11", conversation_id: "c-3", seq: 11 }),
    }, 10)));
    expect(await row("Carla Moreau, unread")).toHaveTextContent("Hello there");
    expect(screen.getByRole("link", { name: /^Open/ })).toHaveTextContent("Open3");
  });

  it("sends on Ctrl+Enter: at once on screen with a clock, once the event is there with a tick, never twice", async () => {
    const user = await openAna();
    const field = screen.getByRole("textbox", { name: "Reply" });
    await user.type(field, "On its way.");
    await user.keyboard("{Control>}{Enter}{/Control}");
    expect(field).toHaveValue("");
    expect(screen.getByText("On its way.")).toBeVisible();
    expect(screen.getByText("Waiting to reach the hub")).toBeVisible();
    const [sent] = sends();
    expect(sent).toMatchObject({ conversation_id: "c-1", kind: "message", text: "On its way.", seen_seq: 9 });
    const id = sent?.client_message_id ?? "";
    act(() => {
      server.socket.deliver({ type: "ack", client_message_id: id, message_id: "x-11", seq: 11 });
      server.socket.deliver(frame(11, {
        type: "message_queued", previous_status: "open", conversation: { ...ANA, version: 11, preview: "On its way.", preview_author_kind: "member" },
        message: message({ id: "x-11", seq: 11, version: 11, direction: "outbound", author_kind: "member", author_id: ME, text: "On its way.", status: "sent", client_message_id: id, occurred_at: "2026-01-01T10:05:00Z" }),
      }, 10));
    });
    const bubbles = screen.getAllByRole("article").filter((one) => one.textContent.includes("On its way."));
    expect(bubbles).toHaveLength(1);
    expect(bubbles[0]).toHaveTextContent("Sent");
    expect(screen.queryByText("Waiting to reach the hub")).toBeNull();
  });

  it("keeps a refused text with the reason; Send anyway sends what has been seen by now", async () => {
    const user = await openAna();
    await user.type(screen.getByRole("textbox", { name: "Reply" }), "Mine");
    await user.click(screen.getByRole("button", { name: "Send" }));
    act(() => server.socket.deliver({ type: "error", code: "stale", message: "Hugo replied meanwhile. Read it before you send yours.", field: null, retry_after_s: null, client_message_id: sends()[0]?.client_message_id ?? "" }));
    expect(screen.getByRole("alert")).toHaveTextContent("Hugo replied meanwhile.");
    act(() => server.socket.deliver(frame(12, { type: "message_queued", previous_status: "open", conversation: { ...ANA, version: 12 }, message: message({ id: "x-12", seq: 12, version: 12, author_kind: "member", author_id: "m-2", direction: "outbound", text: "Hugo's answer" }) }, 10)));
    await screen.findByText("Hugo's answer");
    await user.click(screen.getByRole("button", { name: "Send anyway" }));
    expect(sends()[1]).toMatchObject({ client_message_id: sends()[0]?.client_message_id, seen_seq: 12 });
  });

  it("says not confirmed, neither sent nor failed, and sends again when asked", async () => {
    server.answers["GET /conversations/c-1/messages"] = () => ({ seq: 10, next: null, messages: [message({ id: "x-9", direction: "outbound", author_kind: "member", author_id: ME, status: "unknown" })] });
    server.answers["POST /conversations/c-1/messages/x-9/retry"] = () => ({ seq: 12 });
    const user = await openAna();
    expect(screen.getByText("Not confirmed. The customer may have it.")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Send again?" }));
    expect(server.calls).toContainEqual({ method: "POST", path: "/conversations/c-1/messages/x-9/retry", body: {} });
  });

  it("keeps a draft for each conversation and mode", async () => {
    const user = await openAna();
    await user.type(screen.getByRole("textbox", { name: "Reply" }), "half a reply");
    await user.click(screen.getByRole("tab", { name: "Note" }));
    await user.type(screen.getByRole("textbox", { name: "Note" }), "half a note");
    await user.click(await row("Bo Lindqvist"));
    expect(await screen.findByRole("textbox", { name: "Reply" })).toHaveValue("");
    await user.click(await row("Ana Okafor"));
    expect(await screen.findByDisplayValue("half a reply")).toBeVisible();
    await user.click(screen.getByRole("tab", { name: "Note" }));
    expect(screen.getByRole("textbox", { name: "Note" })).toHaveValue("half a note");
  });

  it("tells typing once, not at each key, and never a note's as a reply's", async () => {
    const user = await openAna();
    await user.type(screen.getByRole("textbox", { name: "Reply" }), "hello");
    const typing = () => server.socket.sent.filter((one) => one.type === "typing");
    expect(typing()).toEqual([{ type: "typing", conversation_id: "c-1", on: true, kind: "message" }]);
    await user.click(screen.getByRole("tab", { name: "Note" }));
    await user.type(screen.getByRole("textbox", { name: "Note" }), "x");
    expect(typing().slice(1)).toEqual([{ type: "typing", conversation_id: "c-1", on: false, kind: "message" }, { type: "typing", conversation_id: "c-1", on: true, kind: "note" }]);
  });

  it("shows the contact typing until they write or stop", async () => {
    await openAna();
    act(() => server.socket.deliver({ type: "typing", conversation_id: "c-1", member_id: null, on: true, kind: "message" }));
    expect(screen.getByText("Ana Okafor is typing…")).toBeVisible();
    act(() => server.socket.deliver({ type: "typing", conversation_id: "c-1", member_id: null, on: false, kind: "message" }));
    expect(screen.queryByText("Ana Okafor is typing…")).toBeNull();
  });
});

describe("keys", () => {
  const closed = (body: unknown): ConversationChange => ({ conversation: { ...ANA, ...(body as object), version: 12 }, seq: 12 });

  it("J and K move, E closes at once and goes on to the next, Undo brings it back", async () => {
    server.answers["PATCH /conversations/c-1"] = closed;
    const user = userEvent.setup();
    render(<App />);
    await row("Ana Okafor");
    await user.keyboard("j");
    expect(window.location.pathname).toBe("/c/c-1");
    await user.keyboard("j");
    expect(window.location.pathname).toBe("/c/c-2");
    await user.keyboard("k");
    await user.keyboard("e");
    expect(window.location.pathname).toBe("/c/c-2");
    await waitFor(() => expect(screen.queryByRole("link", { name: /^Ana Okafor/ })).toBeNull());
    await user.click(await screen.findByRole("button", { name: "Undo" }));
    expect(server.calls.filter((call) => call.method === "PATCH").map((call) => call.body)).toEqual([{ status: "closed" }, { status: "open" }]);
    expect(await row("Ana Okafor")).toBeVisible();
  });

  it("takes the row back and says why when the hub refuses", async () => {
    server.answers["PATCH /conversations/c-1"] = () => Response.json({ code: "forbidden", message: "You do not have permission to do this." }, { status: 403 });
    const user = await openAna();
    await user.keyboard("e");
    expect(await screen.findByText("You do not have permission to do this.")).toBeVisible();
    expect(await row("Ana Okafor")).toBeVisible();
  });

  it("R and N go to the field, where letters are letters, and Escape leaves it", async () => {
    const user = await openAna();
    await user.keyboard("n");
    const note = await screen.findByRole("textbox", { name: "Note" });
    await waitFor(() => expect(note).toHaveFocus());
    await user.keyboard("jeans");
    expect(note).toHaveValue("jeans");
    expect(window.location.pathname).toBe("/c/c-1");
    await user.keyboard("{Escape}");
    expect(note).not.toHaveFocus();
    await user.keyboard("?");
    expect(screen.getByRole("dialog", { name: "Keyboard shortcuts" })).toBeVisible();
  });

  it("A assigns by keyboard alone", async () => {
    server.answers["PATCH /conversations/c-1"] = closed;
    const user = await openAna();
    await user.keyboard("a");
    expect(screen.getByRole("menu", { name: "Assign" })).toBeVisible();
    await user.keyboard("{ArrowDown}{Enter}");
    await waitFor(() => expect(server.calls.findLast((one) => one.method === "PATCH")?.body).toEqual({ assignee_id: "m-2" }));
  });

  it("U marks unread and leaves it so while it is on screen", async () => {
    const user = await openAna();
    server.socket.sent.length = 0;
    await user.keyboard("u");
    expect(server.socket.sent.filter((one) => one.type === "read")).toEqual([{ type: "read", conversation_id: "c-1", seq: 8 }]);
    act(() => server.socket.deliver(frame(11, { type: "conversation_read", conversation_id: "c-1", member_id: ME, read_seq: 8 }, 10)));
    act(() => { fireEvent.focus(window); });
    expect(server.socket.sent.filter((one) => one.type === "read")).toHaveLength(1);
  });
});

describe("around the inbox", () => {
  it("asks to sign in, and opens the inbox afterwards", async () => {
    server.signedIn = false;
    const user = userEvent.setup();
    render(<App />);
    await user.type(await screen.findByLabelText("E-mail"), "priya@example.com");
    await user.type(screen.getByLabelText("Password"), "correct horse");
    await user.click(screen.getByRole("button", { name: "Sign in" }));
    expect(await row("Ana Okafor")).toBeVisible();
    expect(server.calls).toContainEqual({ method: "POST", path: "/session", body: { email: "priya@example.com", password: "correct horse" } });
  });

  it("keeps what an issuer sent back until the sign-in page has read it", async () => {
    server.signedIn = false;
    server.answers["GET /sign-in/issuers"] = () => ({ issuers: [{ slug: "google", name: "Google" }] });
    window.history.replaceState(null, "", "/sign-in#link=tok-1&issuer=google");
    window.dispatchEvent(new PopStateEvent("popstate"));
    render(<App />);
    expect(await screen.findByRole("form", { name: "Link your account" })).toBeVisible();
    expect(window.location.hash).toBe("");
  });

  it("shows a refusal at its field", async () => {
    navigate({ page: "setup", token: "tok" });
    server.answers["POST /setup"] = () => Response.json({ code: "invalid_input", message: "Use at least 12 characters.", field: "password" }, { status: 422 });
    const user = userEvent.setup();
    render(<App />);
    await user.type(await screen.findByLabelText("Workspace"), "Northwind");
    await user.type(screen.getByLabelText("Your name"), "Priya");
    await user.type(screen.getByLabelText("E-mail"), "priya@example.com");
    await user.type(screen.getByLabelText("Password"), "long enough now");
    await user.click(screen.getByRole("button", { name: "Create the workspace" }));
    expect(await screen.findByRole("alert")).toHaveTextContent("Use at least 12 characters.");
    expect(screen.getByLabelText("Password")).toHaveAccessibleDescription("Use at least 12 characters.");
  });

  it("goes to sign-in when the hub says the session is over", async () => {
    await openAna();
    act(() => {
      server.socket.deliver({ type: "bye", code: 4502, reason: "", retry_after_s: null });
      server.socket.deliver({ type: "bye", code: 4501, reason: "signed out elsewhere", retry_after_s: null });
      server.signedIn = false;
      server.socket.drop(4501);
    });
    expect(await screen.findByRole("heading", { name: "Sign in" })).toBeVisible();
  });

  it("passes axe in the inbox and in settings", async () => {
    await openAna();
    // Colours need layout; they are checked in a real browser.
    const options = { rules: { "color-contrast": { enabled: false } } };
    expect((await axe.run(document.body, options)).violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
    act(() => navigate({ page: "channels", connect: null, account: null }));
    await screen.findByRole("heading", { name: "Channels" });
    server.answers["GET /channel-accounts"] = () => ({ channel_accounts: [] });
    expect((await axe.run(document.body, options)).violations.map((one) => `${one.id}: ${one.nodes[0]?.html}`)).toEqual([]);
  });
});

describe("the order of the list", () => {
  const arrive = (seq: number, id: string) => act(() => server.socket.deliver(frame(seq, {
    type: "message_received", previous_status: null, contact: contact({ id: `p-${seq}`, name: `Guest ${seq}`, version: seq }),
    conversation: conversation({ id, contact_id: `p-${seq}`, last_inbound_seq: seq, version: seq, last_activity_at: `2026-01-02T11:00:${seq}Z` }),
    message: message({ id: `x-${seq}`, conversation_id: id, seq }),
  }, seq - 1)));
  const names = (): (string | undefined)[] => screen.getAllByRole("listitem").map((item) => /(Ana|Bo|Guest \d+)/.exec(item.textContent)?.[0]);

  it("is held while somebody points at it; the pill tells how many wait and lets them in", async () => {
    render(<App />);
    const ana = await row("Ana Okafor");
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    fireEvent.pointerMove(ana);
    arrive(11, "c-11");
    arrive(12, "c-12");
    const pill = await screen.findByRole("button", { name: "2 new" });
    expect(names()).toEqual(["Ana", "Bo"]);
    fireEvent.click(pill);
    expect(names()).toEqual(["Guest 12", "Guest 11", "Ana", "Bo"]);
  });

  it("is not held for a pointer that left", async () => {
    render(<App />);
    const ana = await row("Ana Okafor");
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    fireEvent.pointerMove(ana);
    fireEvent.pointerLeave(ana.closest(".list-scroll") as Element);
    arrive(11, "c-11");
    await row("Guest 11");
    expect(names()).toEqual(["Guest 11", "Ana", "Bo"]);
  });

  it("holds nothing in an empty list", async () => {
    server.answers["GET /snapshot"] = () => snapshot({ seq: 10 });
    render(<App />);
    fireEvent.pointerMove(await screen.findByText("All done"));
    await waitFor(() => expect(server.socket.hellos()).toHaveLength(1));
    arrive(11, "c-11");
    expect(await row("Guest 11")).toBeVisible();
  });
});
