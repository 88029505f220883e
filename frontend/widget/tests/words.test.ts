import { describe, expect, it } from "vitest";
import { applyAccent, inkOn } from "../frame/accent.ts";
import { dayLabel } from "../frame/days.ts";
import { splitLinks } from "../frame/links.ts";
import { threadRows } from "../frame/rows.ts";
import type { VisitorMessage } from "../frame/frames.ts";

const links = (text: string) => splitLinks(text).filter(({ href }) => href);

describe("links", () => {
  it.each([
    ["see https://shop.example/a?b=1&c=2#d.", "https://shop.example/a?b=1&c=2#d"],
    ["(https://shop.example/a)", "https://shop.example/a"],
    ["https://en.wiki.example/Cat_(animal)", "https://en.wiki.example/Cat_(animal)"],
    ["HTTP://SHOP.example!?", "HTTP://SHOP.example"],
    ["<https://shop.example>", "https://shop.example"],
  ])("finds the address in %s", (text, address) => {
    expect(links(text).map((link) => link.text)).toEqual([address]);
    expect(splitLinks(text).map((part) => part.text).join("")).toBe(text);
  });

  it.each(["javascript:alert(1)", "data:text/html,x", "ftp://a.example", "https://", "xhttps://a.example", "mailto:a@b.c"])(
    "makes no link of %s",
    (text) => expect(links(text)).toEqual([]),
  );
});

describe("colour", () => {
  it("puts ink of at least 4.5:1 on every colour", () => {
    const part = (value: number) => value.toString(16).padStart(2, "0");
    const light = (hex: string) =>
      [1, 3, 5]
        .map((at) => parseInt(hex.slice(at, at + 2), 16) / 255)
        .map((share) => (share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4))
        .reduce((sum, share, at) => sum + share * [0.2126, 0.7152, 0.0722][at]!, 0);
    for (let red = 0; red < 256; red += 51)
      for (let green = 0; green < 256; green += 17)
        for (let blue = 0; blue < 256; blue += 51) {
          const color = "#" + part(red) + part(green) + part(blue);
          const [dark, bright] = [light(color), inkOn(color) === "#fff" ? 1 : 0].sort((a, b) => a - b);
          expect((bright! + 0.05) / (dark! + 0.05), color).toBeGreaterThanOrEqual(4.5);
        }
  });

  it("takes only #rrggbb from the settings", () => {
    const root = document.createElement("div");
    expect(applyAccent(root, "url(https://evil.example)").color).toBe("#245fd4");
    expect(applyAccent(root, "#FFCC00")).toEqual({ color: "#FFCC00", ink: "#000" });
  });
});

describe("days", () => {
  const now = new Date(2026, 2, 30, 0, 30);
  it.each([
    [new Date(2026, 2, 30, 0, 1), "Today"],
    [new Date(2026, 2, 29, 23, 59), "Yesterday"],
    [new Date(2026, 2, 28, 12), /^Saturday,? 28 March 2026$/],
  ])("calls %s by its name", (time, label) => expect(dayLabel(time, now)).toMatch(label));
});

describe("rows", () => {
  const message = (id: string, minute: number, kind: VisitorMessage["author_kind"]): VisitorMessage => ({
    id,
    author_kind: kind,
    author_name: kind === "contact" ? null : "Priya",
    text: id,
    occurred_at: new Date(2026, 2, 30, 9, minute).toISOString(),
    client_message_id: null,
    attachments: [],
  });

  it("separates days, names a member once a run, and puts the time under its last message", () => {
    const messages = [message("a", 0, "member"), message("b", 2, "member"), message("c", 3, "contact")];
    const rows = threadRows(messages, [], new Date(2026, 2, 30, 10));
    expect(rows.map((row) => (row.kind === "day" ? row.label : [row.id, row.first, row.last]))).toEqual([
      "Today",
      ["a", true, false],
      ["b", false, true],
      ["c", true, true],
    ]);
  });

  it("keeps a message's key from writing to confirmation, so that its bubble does not flicker", () => {
    const written = { id: "u1", text: "x", files: [], written_at: 0, state: "sent" as const };
    const [, before] = threadRows([], [written], new Date());
    const [, after] = threadRows([{ ...message("m1", 0, "contact"), client_message_id: "u1" }], [], new Date());
    expect(before!.key).toBe(after!.key);
  });
});
