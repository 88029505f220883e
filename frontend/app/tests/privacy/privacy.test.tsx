/** Settings → Privacy, and the privacy of one contact, as somebody sees them who may manage it. */
import { render, screen, waitFor, within } from "@testing-library/react";
import userEvent from "@testing-library/user-event";
import axe from "axe-core";
import { beforeEach, describe, expect, it } from "vitest";
import { App } from "../../src/App";
import { navigate } from "../../src/router";
import type { Consent, Export, Permission } from "../../src/types.gen";
import { ME, contact, conversation, snapshot } from "../rows";
import { Server } from "../server";

const AT = "2026-11-23T10:00:00Z";
const ERASURE = { id: "e-1", kind: "contact", contact_ids: ["p-9"], policy_id: null, state: "done", phase: "done", progress: 6, conversations: 2, messages: 30, files: 1, requested_by: ME, created_at: AT, finished_at: AT };
const EXTENT = { conversations: 2, messages: 30, files: 1, shared_conversations: 1 };
const READY: Export = { id: "x-1", contact_id: "p-1", requested_by: ME, state: "ready", done: 4, total: 4, size_bytes: 9, created_at: AT, finished_at: AT, expires_at: "2026-11-30T10:00:00Z" };
const CONSENT: Consent = { id: "k-2", contact_id: "p-1", purpose: "newsletter", channel: "", state: "given", basis: "consent", source: "Web form", occurred_at: AT, recorded_by: ME, recorded_at: AT };

let server: Server;
let consents: Consent[];

function begin(permissions: readonly Permission[]): void {
  consents = [CONSENT, { ...CONSENT, id: "k-1", state: "withdrawn" }];
  server = new Server();
  server.answers = {
    "GET /session": () => ({ login: { name: "Priya", email: "priya@example.com", time_zone: "" }, workspaces: [{ workspace_id: 1, workspace_name: "Northwind", member_id: ME, role: "owner" }] }),
    "GET /channels": () => ({ channels: [] }),
    "GET /snapshot": () => snapshot({ seq: 10, permissions, conversations: [conversation()], contacts: [contact()], inboxes: [{ id: "i-1", name: "Support", restricted: false, reopen_days: 7, version: 0 }] }),
    "GET /conversations/c-1/messages": () => ({ messages: [], next: null }),
    "GET /contacts/p-1": () => ({ contact: contact(), conversations: [] }),
    "GET /retention-policies": () => ({ policies: [{ id: "r-1", inbox_id: "i-1", channel_account_id: null, days: 365, closed_only: true, created_at: AT, next_run_at: AT }], next: null }),
    "GET /erasures": () => ({ erasures: [ERASURE], next: null }),
    "GET /contacts/p-1/consents": () => ({ consents, next: null }),
    "GET /contacts/p-1/exports": () => ({ exports: [READY, { ...READY, id: "x-0", requested_by: "m-2" }], next: null }),
    "GET /contacts/p-1/erasure-preview": () => ({ extent: EXTENT, digest: "abc" }),
  };
  server.install();
}

const sent = (method: string, path: string) => server.calls.filter((one) => one.method === method && one.path === path).map((one) => one.body);
const violations = async () => (await axe.run(document.body, { rules: { "color-contrast": { enabled: false } } })).violations.map((one) => one.id);

async function openContact() {
  navigate({ page: "inbox", tab: "open", filter: "all", conversation: "c-1" }, { replace: true });
  const user = userEvent.setup();
  render(<App />);
  await user.click(await screen.findByRole("button", { name: "Privacy" }));
  return { user, dialog: within(await screen.findByRole("dialog", { name: "Privacy of Ana Okafor" })) };
}

describe("the page of settings", () => {
  beforeEach(() => {
    begin(["inbox.read", "privacy.manage"]);
    navigate({ page: "privacy" }, { replace: true });
  });

  it("shows rules and what was erased, without names", async () => {
    render(<App />);
    expect(await screen.findByText("Support")).toBeVisible();
    expect(screen.getByText("Closed conversations, 365 days after the last message")).toBeVisible();
    expect(await screen.findByText("2 conversations, 30 messages, 1 file")).toBeVisible();
    expect(await violations()).toEqual([]);
  });

  it("makes a rule only once what it takes was shown, and counts anew after a change", async () => {
    server.answers["POST /retention-policies/preview"] = () => ({ extent: EXTENT, digest: "abc" });
    server.answers["POST /retention-policies"] = () => ({ policy: {} });
    const user = userEvent.setup();
    render(<App />);
    await user.click(await screen.findByRole("button", { name: "Add a rule" }));
    await user.click(screen.getByRole("button", { name: "See what it would take" }));
    expect(await screen.findByText(/erased for good: 2 conversations with 30 messages and 1 file\. In 1 conversation with others/)).toBeVisible();
    await user.click(screen.getByRole("checkbox", { name: "Closed conversations only" }));
    await user.click(screen.getByRole("button", { name: "See what it would take" }));
    expect(sent("POST", "/retention-policies")).toEqual([]);
    await user.click(await screen.findByRole("button", { name: "Save the rule" }));
    await waitFor(() => expect(sent("POST", "/retention-policies")).toEqual([{ days: 365, closed_only: false, inbox_id: "i-1" }]));
  });
});

describe("the privacy of a contact", () => {
  it("shows what holds, and notes what is taken back", async () => {
    begin(["inbox.read", "contacts.write", "privacy.manage"]);
    server.answers["POST /contacts/p-1/consents"] = () => {
      consents = [{ ...CONSENT, id: "k-3", state: "withdrawn" }, ...consents];
      return { consent: consents[0] };
    };
    const { user, dialog } = await openContact();
    expect(await dialog.findByText("Holds")).toBeVisible();
    expect(await violations()).toEqual([]);
    await user.click(dialog.getByRole("button", { name: "Take back" }));
    expect(await dialog.findByText("Taken back")).toBeVisible();
    expect(dialog.queryByText("Holds")).toBeNull();
    expect(sent("POST", "/contacts/p-1/consents")).toEqual([{ purpose: "newsletter", channel: "", basis: "consent", state: "withdrawn", source: "Told a member" }]);
  });

  it("says at the field what is wrong with a consent", async () => {
    begin(["inbox.read", "contacts.write"]);
    server.answers["POST /contacts/p-1/consents"] = () => Response.json({ code: "invalid_input", field: "purpose", message: "Use a word of lower-case letters." }, { status: 422 });
    const { user, dialog } = await openContact();
    await user.click(await dialog.findByRole("button", { name: "Note a consent" }));
    await user.type(dialog.getByLabelText("What for"), "News letter");
    await user.type(dialog.getByLabelText("Where it was said"), "On the phone");
    await user.click(dialog.getByRole("button", { name: "Note it" }));
    expect(await dialog.findByText("Use a word of lower-case letters.")).toBeVisible();
    expect(dialog.getByLabelText("What for")).toBeInvalid();
  });

  it("makes files, and hands out one's own only", async () => {
    begin(["inbox.read", "privacy.manage"]);
    server.answers["POST /contacts/p-1/exports"] = () => ({ export: READY, url: null });
    const { user, dialog } = await openContact();
    expect(await dialog.findAllByText(/There until/)).toHaveLength(2);
    expect(dialog.getAllByRole("button", { name: "Fetch" })).toHaveLength(1);
    await user.click(dialog.getByRole("button", { name: "Make a file" }));
    await waitFor(() => expect(sent("POST", "/contacts/p-1/exports")).toHaveLength(1));
  });

  it("erases once the name is typed, with what was seen", async () => {
    begin(["inbox.read", "privacy.manage"]);
    server.answers["POST /contacts/p-1/erasures"] = () => ERASURE;
    const { user, dialog } = await openContact();
    await user.click(await dialog.findByRole("button", { name: "Erase this person…" }));
    expect(await dialog.findByText(/2 conversations with 30 messages and 1 file/)).toBeVisible();
    expect(dialog.getByRole("button", { name: "Erase for good" })).toBeDisabled();
    await user.type(dialog.getByLabelText("Type “Ana Okafor” to go on"), "Ana Okafor");
    await user.click(dialog.getByRole("button", { name: "Erase for good" }));
    await waitFor(() => expect(sent("POST", "/contacts/p-1/erasures")).toEqual([{ digest: "abc" }]));
    await waitFor(() => expect(screen.queryByRole("dialog")).toBeNull());
  });

  it("counts anew where more came meanwhile", async () => {
    begin(["inbox.read", "privacy.manage"]);
    server.answers["POST /contacts/p-1/erasures"] = () => Response.json({ code: "conflict", message: "More would go than you saw." }, { status: 409 });
    const { user, dialog } = await openContact();
    await user.click(await dialog.findByRole("button", { name: "Erase this person…" }));
    await user.type(await dialog.findByLabelText("Type “Ana Okafor” to go on"), "Ana Okafor");
    await user.click(dialog.getByRole("button", { name: "Erase for good" }));
    expect(await dialog.findByRole("button", { name: "Erase this person…" })).toBeVisible();
    expect(screen.getByText("More would go than you saw.")).toBeVisible();
  });

  it("leaves files and erasing to who may", async () => {
    begin(["inbox.read"]);
    const { dialog } = await openContact();
    expect(await dialog.findByText("Holds")).toBeVisible();
    expect(dialog.queryByRole("button", { name: "Take back" })).toBeNull();
    expect(dialog.getByText(/are for those who may manage privacy/)).toBeVisible();
    expect(server.calls.some((one) => one.path.endsWith("/exports"))).toBe(false);
  });
});
