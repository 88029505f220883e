import { describe, expect, it } from "vitest";
import { filled } from "../../src/inbox/TemplatePicker";
import { leftWords, windowOf } from "../../src/inbox/window";

const NOW = new Date("2026-03-02T10:00:00Z");
const DAY = { window_s: 86_400, human_window_s: 0 };
const WEEK = { window_s: 86_400, human_window_s: 604_800 };
const until = (window_expires_at: string | null) => ({ window_expires_at });

describe("windowOf", () => {
  it("is free where the channel has no windows", () => {
    expect(windowOf(until(null), { window_s: 0, human_window_s: 0 }, NOW).state).toBe("free");
    expect(windowOf(until(null), undefined, NOW).state).toBe("free");
  });

  it("counts to the moment, and members longer where the channel says so", () => {
    expect(windowOf(until("2026-03-02T11:00:00Z"), DAY, NOW)).toEqual({ state: "open", left_s: 3_600 });
    expect(windowOf(until("2026-03-02T10:00:00Z"), DAY, NOW).state).toBe("closed");
    expect(windowOf(until("2026-03-02T10:00:00Z"), WEEK, NOW)).toEqual({ state: "open", left_s: 518_400 });
    expect(windowOf(until(null), WEEK, NOW).state).toBe("never");
  });

  it("is said in the largest unit that fits", () => {
    expect([518_400, 172_800, 172_799, 3_600, 3_599, 10].map(leftWords)).toEqual(["6 days", "2 days", "47 h", "1 h", "59 min", "1 min"]);
  });
});

describe("filled", () => {
  const template = { name: "n", language: "en", id: "", status: "approved", variables: ["1", "name"], text: "Hi {{ name }}, order {{1}} of {{name}} {{2}}" };

  it("puts each text in all its places and leaves what nobody filled", () => {
    expect(filled(template, { name: "Ana", 1: "77" })).toBe("Hi Ana, order 77 of Ana {{2}}");
    expect(filled(template, { 1: "{{name}}" })).toBe("Hi {{ name }}, order {{name}} of {{name}} {{2}}");
  });
});
