/** Files and mail as a member meets them, over a hub whose answers the test decides. */
import { act, fireEvent, render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { App } from "../src/App";
import { INBOX, navigate } from "../src/router";
import type { ChannelView, Message } from "../src/types.gen";
import { ME, attachment, contact, conversation, message, snapshot } from "./rows";
import { Server } from "./server";

const MAIL: ChannelView = {
  id: "imap_smtp", name: "E-mail", summary: "A mailbox.", transport: "poll", docs_url: "", read_on: "", unknown_policy: "at_most_once", limits: {}, events: [], needs_public_url: false, webhook_limit_bytes: 0, retry_after_s: [], softphone: null, proof: "signature",
  setup_steps: [], closed: [], generated: [], sign_in: null, can_test: false, icon: "", rank: 10,
  presets: [{ id: "gmail", label: "Gmail", domains: ["gmail.com"], values: { imap_host: "imap.gmail.com" }, help: "Make an app password first." }],
  credentials: [{ name: "address", label: "Address", help: "", kind: "text", required: true, pattern: "", options: [], default: "", generated: false, shape: "token" }],
  settings: [{ name: "imap_host", label: "IMAP server", help: "", kind: "text", required: true, pattern: "", options: [], default: "", generated: false, shape: "token" }],
  capabilities: {
    text_limit: 20_000, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0, delete: false, delete_within_s: 0, mark_read: false,
    attachments: true, attachment_limit_bytes: 1_000_000, attachment_limit_count: 0, attachment_total_bytes: 0, attachment_mimes: [], subject: true, copies: true, html: true, visitors: false, start_conversation: true, window_s: 0, human_window_s: 0, templates: false, human_only: false, call: false,
  },
};
const ANA = conversation({ channel: "imap_smtp", subject: "Broken lamp", last_inbound_seq: 9, version: 9 });

let server: Server;

beforeEach(() => {
  server = new Server();
  localStorage.clear();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [MAIL] }),
    "GET /snapshot": () => snapshot({ seq: 10, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, conversations: [ANA], contacts: [contact()], channel_accounts: [{ id: "a-1", inbox_id: "i-1", channel: "imap_smtp", name: "Support mail", status: "connected", status_reason: "", settings: {}, created_at: "2026-01-01T09:00:00Z", version: 0, demo: true }] }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
    "GET /conversations/c-1/reply-defaults": () => ({ subject: "Re: Broken lamp", to: [{ name: "Ana Okafor", address: "ana@example.com" }], cc: [{ name: "", address: "bo@example.com" }] }),
    "GET /channel-accounts": () => ({ channel_accounts: [] }),
  };
  server.install();
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
});

const sends = () => server.socket.sent.filter((one) => one.type === "send");

async function openThread(...messages: Partial<Message>[]) {
  server.answers["GET /conversations/c-1/messages"] = () => ({ seq: 10, lines: [], messages: messages.map((one, index) => message({ id: `x-${index}`, seq: index + 1, ...one })), next: null });
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("link", { name: /Ana Okafor/ }));
  await screen.findAllByRole("article");
  await waitFor(() => expect(screen.getAllByText("Live").length).toBeGreaterThan(0));
  return user;
}

class FakeUpload extends EventTarget {}

/** The browser's uploads: each waits until the test lets it end. */
function fakeUploads() {
  const open: { finish: (status: number, body: unknown) => void; sent: (bytes: number) => void; path: string }[] = [];
  vi.stubGlobal("XMLHttpRequest", class extends EventTarget {
    upload = new FakeUpload();
    status = 0;
    response: unknown = null;
    responseType = "";
    private path = "";
    open(_method: string, path: string) {
      this.path = path;
    }
    setRequestHeader() {}
    abort() {
      this.dispatchEvent(new Event("abort"));
    }
    send() {
      open.push({
        path: this.path,
        sent: (loaded) => this.upload.dispatchEvent(Object.assign(new Event("progress"), { loaded })),
        finish: (status, body) => {
          this.status = status;
          this.response = body;
          this.dispatchEvent(new Event("load"));
        },
      });
    }
  });
  return open;
}

describe("files in a message", () => {
  it("shows pictures, players, names with sizes, what is on its way and what failed", async () => {
    await openThread({
      text: "See these.",
      attachments: [
        attachment({ id: "f-1", kind: "image", filename: "lamp.jpg", has_thumbnail: true, width: 800, height: 600 }),
        attachment({ id: "f-2", filename: "invoice.pdf" }),
        attachment({ id: "f-3", kind: "audio", filename: "voice.ogg" }),
        attachment({ id: "f-4", filename: "big.zip", state: "pending" }),
        attachment({ id: "f-5", filename: "gone.doc", state: "failed", error: "The file is no longer there." }),
        attachment({ id: "f-6", kind: "image", filename: "logo.png", inline: true, has_thumbnail: true }),
      ],
    });
    expect(screen.getByRole("img", { name: "lamp.jpg" })).toHaveAttribute("src", "/api/v1/workspaces/1/attachments/f-1?variant=thumbnail");
    expect(screen.getByRole("link", { name: /invoice.pdf 82 KB/ })).toHaveAttribute("href", "/api/v1/workspaces/1/attachments/f-2?variant=original&download=1");
    expect(screen.getByLabelText("voice.ogg")).toBeInTheDocument();
    expect(screen.getByText("on its way")).toBeVisible();
    expect(screen.getByText("The file is no longer there.")).toBeVisible();
    expect(screen.queryByText("logo.png")).toBeNull(); // part of the formatted text
  });

  it("opens a picture large, moves by arrow keys, closes", async () => {
    HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) { this.open = true; };
    HTMLDialogElement.prototype.close ??= function close(this: HTMLDialogElement) { this.open = false; };
    const user = await openThread({ attachments: [1, 2].map((n) => attachment({ id: `f-${n}`, kind: "image", filename: `${n}.jpg`, has_thumbnail: true })) });
    await user.click(screen.getByRole("button", { name: "Open 1.jpg" }));
    const dialog = screen.getByRole("dialog", { name: "1.jpg" });
    expect(within(dialog).getByText("1 of 2 · 82 KB")).toBeVisible();
    fireEvent.keyDown(window, { key: "ArrowRight" });
    expect(screen.getByRole("dialog", { name: "2.jpg" })).toBeVisible();
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Close" }));
    expect(screen.queryByRole("dialog")).toBeNull();
  });
});

describe("files in the composer", () => {
  it("uploads a pasted file with progress, waits for it, sends its id with an empty text", async () => {
    const uploads = fakeUploads();
    await openThread({ text: "Hello" });
    const field = screen.getByRole("textbox", { name: "Reply" });
    const file = new File(["x".repeat(1000)], "photo.png", { type: "image/png" });
    fireEvent.paste(field, { clipboardData: { files: [file], types: ["Files"], getData: () => "" } });
    act(() => uploads[0]?.sent(500));
    expect(await screen.findByText("50 % of 1 KB")).toBeVisible();
    expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
    act(() => uploads[0]?.finish(201, { attachment: attachment({ id: "f-9", filename: "photo.png", size_bytes: 1000 }), upload: null }));
    await waitFor(() => expect(screen.getByRole("button", { name: "Send" })).toBeEnabled());
    fireEvent.click(screen.getByRole("button", { name: "Send" }));
    expect(sends()).toMatchObject([{ text: "", attachments: ["f-9"] }]);
    expect(screen.queryByRole("list", { name: "Files to send" })).toBeNull();
    expect(screen.getByRole("article", { name: "You, on its way" })).toHaveTextContent("photo.png");
  });

  it("says why a file is not taken, before and after it was sent, and offers another try where that may help", async () => {
    const uploads = fakeUploads();
    await openThread({ text: "Hello" });
    const drop = (file: File) => fireEvent.drop(screen.getByRole("textbox", { name: "Reply" }), { dataTransfer: { files: [file], types: ["Files"] } });
    drop(new File([new Uint8Array(1_000_001)], "large.bin"));
    expect(screen.getByText("This channel takes files up to 1 MB. This one has 1 MB.")).toBeVisible();
    drop(new File(["x"], "small.bin"));
    act(() => uploads[0]?.finish(503, { code: "unavailable", message: "The store does not answer." }));
    expect(await screen.findByText("The store does not answer.")).toBeVisible();
    fireEvent.click(screen.getByRole("button", { name: "Retry" }));
    act(() => uploads[1]?.finish(422, { code: "invalid_input", message: "This is not a picture." }));
    expect(await screen.findByText("This is not a picture.")).toBeVisible();
    expect(screen.queryByRole("button", { name: "Retry" })).toBeNull();
    fireEvent.click(screen.getByRole("button", { name: "Remove small.bin" }));
    expect(screen.queryByText("small.bin")).toBeNull();
  });

  it("leaves a pasted text to the field", async () => {
    const uploads = fakeUploads();
    await openThread({ text: "Hello" });
    fireEvent.paste(screen.getByRole("textbox", { name: "Reply" }), { clipboardData: { files: [new File(["x"], "table.png")], types: ["text/plain", "Files"], getData: () => "table" } });
    expect(uploads).toHaveLength(0);
  });
});

describe("mail", () => {
  const people = { subject: "Broken lamp", sender: { name: "Ana", address: "ana@example.com" }, to: [{ name: "", address: "support@northwind.example" }], cc: [{ name: "Bo", address: "bo@example.com" }], bcc: [] };

  it("shows who else got it and a changed subject, folds what was quoted, and frames what is formatted", async () => {
    await openThread(
      { text: "It broke.", quoted: "On Monday you wrote: hello", headers: people },
      { text: "Formatted", has_html: true, headers: { ...people, subject: "Another thing", cc: [] }, author_id: "p-9", author_name: "Bo Lindqvist" },
    );
    const [first, second] = screen.getAllByRole("article");
    expect(within(first as HTMLElement).getByText("Bo")).toBeVisible();
    expect(within(first as HTMLElement).queryByText("Broken lamp")).toBeNull(); // the conversation's own subject
    expect(within(first as HTMLElement).getByText("On Monday you wrote: hello")).not.toBeVisible();
    expect(within(second as HTMLElement).getByText("Another thing")).toBeVisible();
    expect(within(second as HTMLElement).getByText("Bo Lindqvist")).toBeVisible();
    const frame = screen.getByTitle("Formatted message");
    expect(frame).toHaveAttribute("sandbox", "allow-same-origin allow-popups allow-popups-to-escape-sandbox");
    expect(frame).toHaveAttribute("src", "/api/v1/workspaces/1/conversations/c-1/messages/x-1/html?theme=light");
    fireEvent.click(screen.getByRole("button", { name: "Plain text" }));
    expect(screen.queryByTitle("Formatted message")).toBeNull();
    expect(screen.getByText("Formatted")).toBeVisible();
  });

  /** What the hub's document would hold. */
  function load(frame: HTMLElement, body: string) {
    vi.stubGlobal("ResizeObserver", class { observe() {} unobserve() {} disconnect() {} });
    const inside = document.implementation.createHTMLDocument();
    inside.body.innerHTML = body;
    Object.defineProperty(frame, "contentDocument", { value: inside });
    fireEvent.load(frame);
  }
  const BLOCKED = '<img data-blocked=""><img data-blocked=""><img data-tracker="">';
  const LOADED = '<img src="/api/v1/images/a"><img src="/api/v1/images/b"><img data-tracker="">';

  it("shows pictures once, for this mail alone", async () => {
    const user = await openThread({ text: "News", has_html: true, headers: people });
    load(screen.getByTitle("Formatted message"), BLOCKED);
    expect(screen.getByText("2 pictures not shown: loading them tells the sender that this was opened.")).toBeVisible();
    expect(screen.getByText("1 tracking pixel left out.")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Show pictures" }));
    const frame = screen.getByTitle("Formatted message");
    expect(frame).toHaveAttribute("src", "/api/v1/workspaces/1/conversations/c-1/messages/x-0/html?remote=1&theme=light");
    load(frame, LOADED);
    expect(screen.queryByRole("button", { name: "Show pictures" })).toBeNull();
    expect(screen.queryByText("Pictures of this sender are always shown.")).toBeNull();
  });

  it("shows pictures always from a sender, in each of their mails, and takes it back", async () => {
    const kept: unknown[] = [];
    server.answers["PUT /contacts/p-1/pictures"] = (body) => {
      kept.push(body);
      return new Response(null, { status: 204 });
    };
    const user = await openThread({ text: "One", has_html: true, headers: people }, { text: "Two", has_html: true, headers: people });
    for (const frame of screen.getAllByTitle("Formatted message")) load(frame, BLOCKED);
    const before = screen.getAllByTitle("Formatted message");
    await user.click(screen.getAllByRole("button", { name: "Always from this sender" })[0] as HTMLElement);
    await waitFor(() => expect(screen.getAllByTitle("Formatted message")[1]).not.toBe(before[1]));
    for (const frame of screen.getAllByTitle("Formatted message")) load(frame, LOADED);
    expect(screen.getAllByText("Pictures of this sender are always shown.")).toHaveLength(2);
    await user.click(screen.getAllByRole("button", { name: "Ask again" })[1] as HTMLElement);
    await waitFor(() => expect(kept).toEqual([{ shown: true }, { shown: false }]));
    expect((await axe.run(document.body, { iframes: false, rules: { "color-contrast": { enabled: false } } })).violations).toEqual([]);
  });

  it("offers no lasting choice to who may not change contacts", async () => {
    const answer = server.answers["GET /snapshot"];
    server.answers["GET /snapshot"] = (...given) => ({ ...(answer?.(...given) as object), permissions: ["inbox.read"] });
    await openThread({ text: "One", has_html: true, headers: people });
    load(screen.getByTitle("Formatted message"), BLOCKED);
    expect(screen.getByRole("button", { name: "Show pictures" })).toBeVisible();
    expect(screen.queryByRole("button", { name: "Always from this sender" })).toBeNull();
  });

  it("offers no lasting choice for what we sent ourselves", async () => {
    await openThread({ text: "One", has_html: true, headers: people, direction: "outbound", author_kind: "member", author_id: ME });
    load(screen.getByTitle("Formatted message"), BLOCKED);
    expect(screen.getByRole("button", { name: "Show pictures" })).toBeVisible();
    expect(screen.queryByRole("button", { name: "Always from this sender" })).toBeNull();
  });

  it("answers everybody unless the member chooses people and subject, once", async () => {
    const user = await openThread({ text: "Hello" });
    const line = await screen.findByRole("button", { name: /Change whom it goes to/ });
    await waitFor(() => expect(line).toHaveTextContent("Ana Okafor, bo@example.com"));
    await user.type(screen.getByRole("textbox", { name: "Reply" }), "One");
    await user.click(screen.getByRole("button", { name: "Send" }));
    await user.click(screen.getByRole("button", { name: /Change whom it goes to/ }));
    expect(screen.getByRole("textbox", { name: "To" })).toHaveValue("Ana Okafor <ana@example.com>");
    await user.clear(screen.getByRole("textbox", { name: "Cc" }));
    await user.type(screen.getByRole("textbox", { name: "Bcc" }), "boss");
    expect(screen.getByRole("alert")).toHaveTextContent("“boss” is not an address.");
    await user.type(screen.getByRole("textbox", { name: "Reply" }), "Two");
    expect(screen.getByRole("button", { name: "Send" })).toBeDisabled();
    await user.type(screen.getByRole("textbox", { name: "Bcc" }), "@northwind.example");
    await user.click(screen.getByRole("button", { name: "Send" }));
    const [first] = sends();
    expect(first).toMatchObject({ text: "One", addressing: null });
    expect(screen.queryByRole("textbox", { name: "Bcc" })).toBeNull();
    const kept = Object.keys(localStorage).filter((key) => key.startsWith("hub.outbox.")).map((key) => JSON.parse(localStorage.getItem(key) ?? "") as { text: string; addressing: unknown });
    expect(kept.find((one) => one.text === "Two")?.addressing).toEqual({
      subject: "Re: Broken lamp", to: [{ name: "Ana Okafor", address: "ana@example.com" }], cc: [], bcc: [{ name: "", address: "boss@northwind.example" }],
    });
  });

  it("fills the servers of a provider when its address is typed, and says what to do there", async () => {
    const user = userEvent.setup();
    navigate({ page: "channels", connect: "imap_smtp", account: null }, { replace: true });
    render(<App />);
    await user.type(await screen.findByLabelText("Address"), "ana@gmail.com");
    expect(screen.getByLabelText("Provider")).toHaveValue("gmail");
    expect(screen.getByLabelText("IMAP server")).toHaveValue("imap.gmail.com");
    expect(screen.getByText("Make an app password first.")).toBeVisible();
  });
});

describe("settings", () => {
  const letter = { id: "d-1", channel: "imap_smtp", channel_account_id: "a-1", error: "A part has no end.", received_at: "2026-01-01T09:00:00Z", created_at: "2026-01-01T09:00:00Z", state: "new", size_bytes: 2048 };

  it("lists what could not be read, shows its bytes, tries again, and drops after asking", async () => {
    HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) { this.open = true; };
    HTMLDialogElement.prototype.close ??= function close(this: HTMLDialogElement) { this.open = false; };
    server.answers["GET /dead-letters"] = () => ({ dead_letters: [letter, { ...letter, id: "d-2", error: "No sender." }], next: null });
    server.answers["GET /dead-letters/d-1"] = () => ({ dead_letter: letter, body_text: "From: <script>", is_binary: false });
    server.answers["POST /dead-letters/replay"] = () => ({});
    server.answers["POST /dead-letters/d-1/drop"] = () => ({});
    navigate({ page: "dead-letters" }, { replace: true });
    const user = userEvent.setup();
    render(<App />);
    const row = (await screen.findByText("A part has no end.")).closest("li") as HTMLElement;
    await user.click(within(row).getByRole("button", { name: "Look" }));
    expect(await screen.findByText("From: <script>")).toBeVisible();
    await user.click(screen.getByRole("button", { name: "Close" }));
    await user.click(screen.getByRole("button", { name: "Try all 2 again" }));
    await waitFor(() => expect(server.calls.find((one) => one.path === "/dead-letters/replay")?.body).toEqual({ ids: ["d-1", "d-2"] }));
    await user.click(within((await screen.findByText("A part has no end.")).closest("li") as HTMLElement).getByRole("button", { name: "Drop" }));
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Drop" }));
    await waitFor(() => expect(server.calls.some((one) => one.path === "/dead-letters/d-1/drop")).toBe(true));
  });

  it("marks the demo and removes it after asking; passes axe", async () => {
    HTMLDialogElement.prototype.showModal ??= function show(this: HTMLDialogElement) { this.open = true; };
    HTMLDialogElement.prototype.close ??= function close(this: HTMLDialogElement) { this.open = false; };
    server.answers["DELETE /demo"] = () => new Response(null, { status: 204 });
    server.answers["GET /channel-accounts"] = () => ({ channel_accounts: [{
      id: "a-1", webhook_url: "", warnings: [], channel_account: snapshot().channel_accounts[0] && { ...snapshot().channel_accounts[0], demo: true, name: "Support mail" },
      health: { last_item_at: "2026-01-01T09:00:00Z", progress: { done: 40, total: 100, what: "Reading mail since 2 Nov" }, lag_s: null, error: null },
    }] });
    navigate({ page: "channels", connect: null, account: null }, { replace: true });
    const user = userEvent.setup();
    render(<App />);
    expect(await screen.findByText("Reading mail since 2 Nov")).toBeVisible();
    expect((await axe.run(document.body, { rules: { "color-contrast": { enabled: false }, region: { enabled: false } } })).violations).toEqual([]);
    await user.click(screen.getByRole("button", { name: "Remove the demo" }));
    await user.click(within(screen.getByRole("dialog")).getByRole("button", { name: "Remove the demo" }));
    await waitFor(() => expect(server.calls.some((one) => one.method === "DELETE" && one.path === "/demo")).toBe(true));
  });
});
