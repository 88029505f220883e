import { describe, expect, it } from "vitest";
import { refusal, sizeText } from "../../src/files/kinds";
import type { Capabilities } from "../../src/types.gen";

const capabilities = (over: Partial<Capabilities>): Capabilities => ({
  text_limit: 1000, text_limit_unit: "chars", segments: false, receipts: [], typing_in: false, typing_out: false, reply: false, react: false, edit: false, edit_within_s: 0, delete: false, delete_within_s: 0, mark_read: false,
  attachments: true, attachment_limit_bytes: 5_000_000, attachment_limit_count: 2, attachment_total_bytes: 0, attachment_mimes: ["image/*", "application/pdf"], subject: false, copies: false, html: false,
  visitors: false, start_conversation: true, window_s: 0, human_window_s: 0, templates: false, human_only: false, call: false, ...over,
});
const file = (over: Partial<File> = {}) => ({ name: "a.png", size: 1000, type: "image/png", ...over });

describe("sizeText", () => {
  it.each([[0, "0 bytes"], [999, "999 bytes"], [1000, "1 KB"], [1_540, "1.5 KB"], [3_400_000, "3.4 MB"], [123_456_789, "123 MB"], [2e12, "2000 GB"]])("%i", (bytes, text) => expect(sizeText(bytes)).toBe(text));
});

describe("refusal", () => {
  it.each([
    [file(), 0, undefined, ""],
    [file(), 1, capabilities({}), ""],
    [file(), 2, capabilities({}), "A message takes 2 files at most."],
    [file(), 1, capabilities({ attachment_limit_count: 1 }), "This channel sends one file a message."],
    [file(), 10, undefined, "A message takes 10 files at most."],
    [file({ size: 0 }), 0, undefined, "The file is empty."],
    [file({ size: 5_000_001 }), 0, capabilities({}), "This channel takes files up to 5 MB. This one has 5 MB."],
    [file({ type: "application/pdf" }), 0, capabilities({}), ""],
    [file({ type: "text/html" }), 0, capabilities({}), "This channel does not take files of this kind."],
    [file({ type: "" }), 0, capabilities({}), ""], // the browser does not know it: the hub looks at the bytes
  ] as const)("%#", (one, count, limits, expected) => expect(refusal(one, count, limits)).toBe(expected));
});
