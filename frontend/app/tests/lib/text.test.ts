import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { describe, expect, it } from "vitest";
import { tooLong } from "../../src/inbox/Length";
import { initials, smsSegments, textLength } from "../../src/lib/text";

describe("smsSegments", () => {
  it.each([
    ["", "GSM-7", 0, 160],
    ["a".repeat(160), "GSM-7", 1, 0],
    ["a".repeat(161), "GSM-7", 2, 145],
    ["a".repeat(306), "GSM-7", 2, 0],
    ["a".repeat(307), "GSM-7", 3, 152],
    ["€".repeat(80), "GSM-7", 1, 0], // extended: two septets each
    ["Zażółć", "UCS-2", 1, 64],
    ["ż".repeat(70), "UCS-2", 1, 0],
    ["ż".repeat(71), "UCS-2", 2, 63],
    ["😀".repeat(35), "UCS-2", 1, 0], // two UTF-16 units each
  ] as const)("%j", (text, encoding, count, left) => expect(smsSegments(text)).toEqual({ encoding, count, left }));

  // The same texts as the hub's own count: what the composer shows is what the channel sends.
  const shared = JSON.parse(readFileSync(resolve(__dirname, "../../../../tests/golden/sms_segments.json"), "utf8")) as
    { name: string; text: string; encoding: "gsm7" | "ucs2"; count: number; left: number }[];
  it.each(shared.map((one) => [one.name, one] as const))("golden: %s", (_name, { text, encoding, count, left }) =>
    expect(smsSegments(text)).toEqual({ encoding: encoding === "gsm7" ? "GSM-7" : "UCS-2", count, left }));

  it("never splits a character over two segments", () => {
    expect(smsSegments(`${"a".repeat(152)}€${"a".repeat(152)}`).count).toBe(3); // 152 + pad, 2 + 151, 1
    expect(smsSegments("😀".repeat(67)).count).toBe(3); // 33 whole ones fit into 67 units
  });
});

it("textLength measures as the channel does", () => {
  expect([textLength("aé😀", "chars"), textLength("aé😀", "utf16"), textLength("aé😀", "bytes")]).toEqual([3, 4, 7]);
});

it("tooLong holds texts to the channel's limit and notes to the hub's", () => {
  const limit = { text_limit: 5, text_limit_unit: "chars", segments: false } as const;
  expect([tooLong("12345", limit), tooLong("123456", limit), tooLong("x".repeat(20_001), undefined)]).toEqual([false, true, true]);
});

it("initials take first and last, any script, and survive none", () => {
  expect(["Ana Okafor", "Lotte de Vries", "marek", "王 小明", "", "(x) 7"].map(initials)).toEqual(["AO", "LV", "M", "王小", "", "X7"]);
});
