import { afterEach, describe, expect, it } from "vitest";
import { clockTime, dayKey, dayName, fromInput, setTimeZone, shortTime, snoozeChoices, timeZone, toInput, untilTime } from "../../src/lib/time";

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

describe("in the time zone of a profile", () => {
  afterEach(() => setTimeZone(""));

  it("shows hours, days and years of that zone, wherever the browser is", () => {
    setTimeZone("Pacific/Auckland");
    expect(timeZone()).toBe("Pacific/Auckland");
    const newYear = new Date("2026-12-31T11:30:00Z"); // 00:30 on 1 January there, UTC+13
    expect(clockTime(newYear.toISOString())).toMatch(/12:30|0:30/);
    expect(dayName("2026-12-31T10:30:00Z", newYear)).toBe("Yesterday");
    expect(shortTime("2026-12-25T10:30:00Z", newYear)).toContain("2026");
    expect(dayKey("2026-12-31T11:30:00Z")).toBe("2027-01-01");
  });

  it("snoozes until nine o'clock there, also over a change of the clocks", () => {
    setTimeZone("America/New_York"); // the clocks go forward on 8 March 2026
    const choices = snoozeChoices(new Date("2026-03-07T15:00:00Z"));
    expect(choices.map(({ until }) => until.toISOString())).toEqual(["2026-03-07T18:00:00.000Z", "2026-03-08T13:00:00.000Z", "2026-03-09T13:00:00.000Z"]);
  });

  it.each([
    ["2026-03-08T02:30", "2026-03-08T07:30:00.000Z"], // skipped: the hour after
    ["2026-11-01T01:30", "2026-11-01T05:30:00.000Z"], // shown twice: the first
    ["2026-07-01T09:00", "2026-07-01T13:00:00.000Z"],
  ])("reads %s as entered there", (entered, moment) => {
    setTimeZone("America/New_York");
    expect(fromInput(entered).toISOString()).toBe(moment);
  });

  it("gives back what was entered, and says when nothing was", () => {
    setTimeZone("Asia/Kolkata");
    expect(toInput(fromInput("2026-05-05T18:45"))).toBe("2026-05-05T18:45");
    expect(Number.isNaN(fromInput("").getTime())).toBe(true);
  });

  it("takes the browser's where the profile names none, or one it does not know", () => {
    const own = Intl.DateTimeFormat().resolvedOptions().timeZone;
    for (const name of ["", "Mars/Olympus"]) {
      setTimeZone("Asia/Kolkata");
      setTimeZone(name);
      expect(timeZone()).toBe(own);
    }
  });
});
