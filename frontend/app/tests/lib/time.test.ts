import { describe, expect, it } from "vitest";
import { dayName, shortTime, snoozeChoices, untilTime } from "../../src/lib/time";

const local = (day: number, hour: number, minute = 0): Date => new Date(2026, 2, day, hour, minute); // March 2026; the 2nd is a Monday
const iso = (at: Date): string => at.toISOString();

describe("snoozeChoices", () => {
  const labels = (now: Date): string[] => snoozeChoices(now).map((choice) => choice.label);

  it("offers later today in the daytime, not in the evening", () => {
    expect(labels(local(4, 10))).toEqual(["Later today", "Tomorrow", "Next week"]);
    expect(labels(local(4, 18, 30))).toEqual(["Tomorrow", "Next week"]);
  });

  it.each([[2, 9], [4, 9], [7, 9], [8, 16]])("next week, asked on March %i, is Monday the %i at nine", (day, monday) => {
    expect(snoozeChoices(local(day, 10)).at(-1)?.until).toEqual(local(monday, 9));
  });

  it("never offers a time that lies behind or one time twice", () => {
    for (let hour = 0; hour < 24 * 14; hour++) {
      const now = new Date(2026, 2, 1, hour, 59);
      const times = snoozeChoices(now).map((choice) => choice.until.getTime());
      expect(new Set(times).size).toBe(times.length);
      expect(Math.min(...times)).toBeGreaterThan(now.getTime());
    }
  });
});

it("shortTime goes from now to the year", () => {
  const now = local(20, 12);
  expect([shortTime(iso(local(20, 12)), now), shortTime(iso(local(20, 11, 48)), now)]).toEqual(["now", "12m"]);
  expect(shortTime(iso(local(20, 9)), now)).toMatch(/9:00/);
  expect(shortTime(iso(local(18, 9)), now)).toMatch(/^Wed/);
  expect(shortTime("2024-01-05T12:00:00Z", now)).toContain("2024");
});

it("dayName and untilTime count calendar days, not hours", () => {
  expect([dayName(iso(local(20, 0, 5)), local(20, 23)), dayName(iso(local(19, 23)), local(20, 0, 5))]).toEqual(["Today", "Yesterday"]);
  expect(untilTime(iso(local(21, 0, 30)), local(20, 23))).toMatch(/^tomorrow/);
  expect(untilTime(iso(local(20, 23, 30)), local(20, 23))).toMatch(/^today/);
});
