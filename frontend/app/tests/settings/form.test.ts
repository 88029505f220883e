import { describe, expect, it } from "vitest";
import { complaint, complaints, defaultsOf, firstValues, keyOfRefusal, toForm } from "../../src/settings/form";
import type { ChannelView, Field } from "../../src/types.gen";

const field = (over: Partial<Field>): Field => ({ name: "x", label: "Thing", help: "", kind: "text", required: true, pattern: "", options: [], default: "", generated: false, shape: "token", ...over });

const manifest: ChannelView = {
  id: "sms", name: "SMS", summary: "", transport: "webhook", docs_url: "", read_on: "", unknown_policy: "at_most_once", limits: {}, events: [], needs_public_url: true,
  setup_steps: [], presets: [], closed: [], webhook_limit_bytes: 1_048_576, retry_after_s: [], softphone: null, proof: "signature", rank: 100, generated: [], sign_in: null, can_test: false, icon: "",
  capabilities: { text_limit: 1600, text_limit_unit: "chars", segments: true, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0, delete: false, delete_within_s: 0, mark_read: false, attachments: false, attachment_total_bytes: 0, attachment_limit_bytes: 0, attachment_limit_count: 0, attachment_mimes: [], subject: false, copies: false, html: false, visitors: false, start_conversation: true, window_s: 0, human_window_s: 0, templates: false, human_only: false, call: false },
  credentials: [field({ name: "account_sid", label: "Account SID", pattern: "AC[0-9a-f]{4}" }), field({ name: "token", label: "Token", kind: "secret" })],
  settings: [field({ name: "phone_number", label: "Phone number", kind: "phone" }), field({ name: "token", label: "Shown token", required: false, default: "abc" })],
};
const filled = { ...firstValues(manifest, "Support"), "credentials.account_sid": "ACbeef", "credentials.token": "t", "settings.phone_number": " +15550100 " };

describe("complaint", () => {
  it.each([
    [field({ pattern: "AC[0-9a-f]{4}" }), "ACbeef", ""],
    [field({ pattern: "AC[0-9a-f]{4}" }), "xACbeefx", "This does not look like a Thing."],
    [field({ pattern: "a|b" }), "ac", "This does not look like a Thing."], // the whole value, also with alternatives
    [field({ label: "Account", pattern: "a", help: "It is a." }), "b", "This does not look like an Account. It is a."],
    [field({}), "  ", "Thing is needed."],
    [field({ required: false }), "", ""],
    [field({ kind: "checkbox" }), "", ""],
    [field({ kind: "phone" }), "555 0100", "Write the number with its country code, like +15550100."],
    [field({ kind: "url" }), "example.com", "Write the whole address, with https://."],
    [field({ kind: "select", options: ["a", "b"] }), "c", "Choose one of the list."],
    [field({ pattern: "(?P<named>x)" }), "anything", ""], // only the hub's engine knows it
  ])("%#", (one, value, expected) => expect(complaint(one, value)).toBe(expected));
});

describe("the form of a manifest", () => {
  it("starts with the defaults, or with what is saved", () => {
    expect(firstValues(manifest, "SMS")).toEqual({ name: "SMS", "credentials.account_sid": "", "credentials.token": "", "settings.phone_number": "", "settings.token": "abc" });
    expect(firstValues(manifest, "SMS", { phone_number: "+1555" })["settings.phone_number"]).toBe("+1555");
    expect(defaultsOf(manifest.settings)).toEqual({ phone_number: "", token: "abc" });
  });

  it("complains about each field by its own key", () => {
    expect(Object.keys(complaints(manifest, firstValues(manifest, ""), { secretsMayStay: false }))).toEqual(["name", "credentials.account_sid", "credentials.token", "settings.phone_number"]);
    expect(complaints(manifest, filled, { secretsMayStay: false })).toEqual({});
  });

  it("lets saved secrets stay, but checks those typed anew", () => {
    const values = { ...filled, "credentials.account_sid": "", "credentials.token": "" };
    expect(complaints(manifest, values, { secretsMayStay: true })).toEqual({});
    expect(Object.keys(complaints(manifest, { ...values, "credentials.account_sid": "no" }, { secretsMayStay: true }))).toEqual(["credentials.account_sid"]);
  });

  it("sends credentials and settings apart, trimmed", () => {
    expect(toForm(manifest, filled)).toEqual({ channel: "sms", name: "Support", credentials: { account_sid: "ACbeef", token: "t" }, settings: { phone_number: "+15550100", token: "abc" } });
  });

  it("finds the field a refusal names", () => {
    expect(["token", "settings.token", "phone_number", "name", "nothing", null].map((one) => keyOfRefusal(manifest, one)))
      .toEqual(["credentials.token", "settings.token", "settings.phone_number", "name", null, null]);
  });
});
