import { describe, expect, it } from "vitest";
import { doable, gist, joined } from "../../src/inbox/changing";
import type { Capabilities } from "../../src/types.gen";
import { ME, message } from "../rows";

const ABLE = { reply: true, react: true, edit: true, edit_within_s: 900, delete: true, delete_within_s: 0, subject: false } as Capabilities;
const NONE = { ...ABLE, reply: false, react: false, edit: false, delete: false } as Capabilities;
const WHO = { me: ME, mayReply: true, moderates: false };
const SENT = Date.parse("2026-01-01T10:00:00Z");
const mine = (over: Parameters<typeof message>[0] = {}) => message({ direction: "outbound", author_kind: "member", author_id: ME, status: "sent", ...over });

describe("doable", () => {
  it.each([
    ["own, in time", mine(), ABLE, WHO, 899, { reply: true, react: true, edit: true, remove: true }],
    ["own, too late to edit", mine(), ABLE, WHO, 901, { reply: true, react: true, edit: false, remove: true }],
    ["a colleague's", mine({ author_id: "m-2" }), ABLE, WHO, 0, { reply: true, react: true, edit: false, remove: false }],
    ["a colleague's, for who manages inboxes", mine({ author_id: "m-2" }), ABLE, { ...WHO, moderates: true }, 0, { reply: true, react: true, edit: true, remove: true }],
    ["a channel that can nothing", mine(), NONE, WHO, 0, { reply: false, react: false, edit: false, remove: false }],
    ["not sent yet, on such a channel", mine({ status: "queued" }), NONE, WHO, 0, { reply: false, react: false, edit: true, remove: true }],
    ["nobody knows whether it was sent", mine({ status: "unknown" }), ABLE, WHO, 0, { reply: false, react: false, edit: false, remove: false }],
    ["the customer's", message(), ABLE, WHO, 0, { reply: true, react: true, edit: false, remove: false }],
    ["one's own note", mine({ kind: "note", status: null }), NONE, WHO, 9_999, { reply: false, react: true, edit: true, remove: true }],
    ["deleted", mine({ deleted_at: "2026-01-01T10:00:01Z" }), ABLE, WHO, 0, { reply: false, react: false, edit: false, remove: false }],
    ["a reader's", mine(), ABLE, { ...WHO, mayReply: false }, 0, { reply: false, react: false, edit: false, remove: false }],
  ])("offers for %s what the hub would do", (_name, row, can, who, age_s, expected) => {
    expect(doable(row, can, who, SENT + age_s * 1000)).toEqual(expected);
  });
});

describe("gist", () => {
  it.each([
    [{ text: "two\n lines" }, "two lines"],
    [{ text: "", unreadable: "Encrypted message." }, "Encrypted message."],
    [{ text: "gone", deleted_at: "2026-01-01T10:00:01Z" }, "Deleted message"],
  ])("says %o in one line", (over, expected) => expect(gist(message(over))).toBe(expected));
});

describe("joined", () => {
  it("counts each emoji once and knows one's own", () => {
    const one = (emoji: string, author_id: string, author_kind: "contact" | "member" = "member") => ({ emoji, author_id, author_kind, author_name: "", waiting: false });
    const shown = joined(message({ reactions: [one("👍", "p-1", "contact"), one("❤️", "m-2"), one("👍", ME)] }), ME);
    expect(shown.map(({ emoji, count, mine: own }) => [emoji, count, own])).toEqual([["👍", 2, true], ["❤️", 1, false]]);
  });
});
