/** An account on which the vendor lets nothing be sent: the composer says why, takes a draft, copies it and opens a page. */
import { render, screen } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, expect, it, vi } from "vitest";
import { App } from "../../src/App";
import { pageOf } from "../../src/inbox/TakeDraft";
import { INBOX, navigate } from "../../src/router";
import { ME, contact, conversation, message, snapshot } from "../rows";
import { Server } from "../server";

const CAN = {
  text_limit: 1000, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0,
  delete: false, delete_within_s: 0, mark_read: false, attachments: true, attachment_limit_bytes: 0, attachment_limit_count: 0, attachment_total_bytes: 0, attachment_mimes: [],
  subject: false, copies: false, html: false, visitors: false, start_conversation: false, window_s: 0, human_window_s: 0, templates: false, human_only: true,
};
const RULE = { setting: "grant", value: "none", why: "Letters lets nobody send here yet.", draft_url: "https://letters.example/inbox" };
const GRANT = { name: "grant", label: "Grant", help: "", kind: "select", required: true, pattern: "", options: ["none", "full"], default: "none", generated: false, shape: "token" };

async function open(settings: Record<string, string>, identities = contact().identities) {
  const server = new Server();
  localStorage.clear();
  const account = { ...snapshot().channel_accounts[0]!, channel: "letters", settings };
  const person = contact({ identities });
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [{ id: "letters", name: "Letters", summary: "", icon: "", transport: "poll", docs_url: "", capabilities: CAN, credentials: [], settings: [GRANT], setup_steps: [], needs_public_url: false, presets: [], closed: [RULE], rank: 1 }] }),
    "GET /snapshot": () => snapshot({ seq: 10, counts: { open: 1, pending: 0, snoozed: 0, closed: 0 }, channel_accounts: [account], conversations: [conversation({ channel: "letters", last_inbound_seq: 9, version: 9 })], contacts: [person] }),
    "GET /conversations/c-1/messages": () => ({ seq: 10, messages: [message({ id: "x-9", seq: 9, version: 9, text: "Where is my parcel?" })], next: null }),
    "GET /contacts/p-1": () => ({ contact: person, conversations: [] }),
  };
  server.install();
  const user = userEvent.setup();
  const opened = vi.spyOn(window, "open").mockReturnValue(null);
  opened.mockClear();
  render(<App />);
  await user.click(await screen.findByRole("link", { name: /Ana Okafor/ }));
  await screen.findByRole("textbox", { name: "Reply" });
  return { user, opened };
}

beforeEach(() => {
  vi.spyOn(Element.prototype, "clientHeight", "get").mockReturnValue(600);
  vi.spyOn(Element.prototype, "clientWidth", "get").mockReturnValue(360);
  navigate(INBOX, { replace: true });
});

it("copies the draft and opens the contact's profile where nothing can be sent", async () => {
  const { user, opened } = await open({ grant: "none" }, [{ scheme: "profile_url", value: "https://letters.example/ana", scope: "", verified: false }]);
  expect(screen.getByText(RULE.why)).toBeVisible();
  expect(screen.queryByRole("button", { name: "Send" })).toBeNull();
  const button = screen.getByRole("button", { name: "Copy draft and open profile" });
  expect(button).toBeDisabled();
  await user.type(screen.getByRole("textbox", { name: "Reply" }), "It left today.");
  await user.click(button);
  expect(opened).toHaveBeenCalledWith("https://letters.example/ana", "_blank", "noopener,noreferrer");
  expect(await navigator.clipboard.readText()).toBe("It left today.");
  expect((await axe.run(document.body)).violations.map((one) => one.id)).toEqual([]);
});

it("holds for an account that says nothing of the setting, by the setting's standard", async () => {
  await open({});
  expect(screen.getByRole("button", { name: "Copy draft and open their messages" })).toBeVisible();
});

it("takes notes as ever where nothing can be sent", async () => {
  const { user } = await open({ grant: "none" });
  await user.click(screen.getByRole("tab", { name: "Note" }));
  await user.type(screen.getByRole("textbox", { name: "Note" }), "Wrote by hand");
  expect(screen.getByRole("button", { name: "Add note" })).toBeEnabled();
});

it("sends as ever on an account with the grant", async () => {
  const { user } = await open({ grant: "full" });
  await user.type(screen.getByRole("textbox", { name: "Reply" }), "It left today.");
  expect(screen.getByRole("button", { name: "Send" })).toBeEnabled();
  expect(screen.queryByText(RULE.why)).toBeNull();
});

it("opens no address but https ones", () => {
  const hostile = contact({ identities: [{ scheme: "profile_url", value: "javascript:alert(1)", scope: "", verified: false }] });
  expect(pageOf(RULE, hostile)).toEqual({ url: RULE.draft_url, own: false });
});
