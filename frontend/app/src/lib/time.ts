/** Times as people read them, in the time zone of their profile: the browser's until `setTimeZone` says otherwise. */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

interface Formats {
  readonly zone: string;
  readonly clock: Intl.DateTimeFormat;
  readonly weekday: Intl.DateTimeFormat;
  readonly dayMonth: Intl.DateTimeFormat;
  readonly longDay: Intl.DateTimeFormat;
  readonly withYear: Intl.DateTimeFormat;
  readonly full: Intl.DateTimeFormat;
  readonly parts: Intl.DateTimeFormat;
}

function formatsOf(timeZone: string | undefined): Formats {
  const format = (options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat => new Intl.DateTimeFormat(undefined, { timeZone, ...options });
  return {
    zone: Intl.DateTimeFormat("en", { timeZone }).resolvedOptions().timeZone,
    clock: format({ hour: "numeric", minute: "2-digit" }),
    weekday: format({ weekday: "short" }),
    dayMonth: format({ day: "numeric", month: "short" }),
    longDay: format({ weekday: "long", day: "numeric", month: "long" }),
    withYear: format({ day: "numeric", month: "short", year: "numeric" }),
    full: format({ dateStyle: "full", timeStyle: "short" }),
    // Numbers to count with, whatever the language: the Gregorian calendar, hours from 0 to 23.
    parts: new Intl.DateTimeFormat("en-u-ca-gregory", { timeZone, year: "numeric", month: "numeric", day: "numeric", hour: "numeric", minute: "numeric", second: "numeric", hourCycle: "h23" }),
  };
}

let shown = formatsOf(undefined);

/** Shows times in a zone from now on; an empty one, or one this browser does not know, means the browser's. */
export function setTimeZone(name: string): void {
  try {
    shown = formatsOf(name === "" ? undefined : name);
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    shown = formatsOf(undefined);
  }
}

/** The zone times are shown in. */
export const timeZone = (): string => shown.zone;

/** What a clock on the wall of the zone shows, as if the zone were UTC. */
function wall(at: Date): Date {
  const part = Object.fromEntries(shown.parts.formatToParts(at).map(({ type, value }) => [type, Number(value)]));
  return new Date(Date.UTC(part.year ?? 0, (part.month ?? 1) - 1, part.day, part.hour, part.minute, part.second));
}

/** The moment a wall clock shows this, whole seconds; of one that is skipped in spring the hour after, of one shown twice the first. */
function momentOf(shownAs: Date): Date {
  const wanted = shownAs.getTime();
  const ahead = (at: number): number => wall(new Date(at)).getTime() - at;
  const before = wanted - ahead(wanted - DAY_MS);
  const after = wanted - ahead(wanted + DAY_MS);
  return new Date([before, after].find((at) => at + ahead(at) === wanted) ?? before);
}

const startOfDay = (at: Date): number => Math.floor(wall(at).getTime() / DAY_MS) * DAY_MS;
const yearOf = (at: Date): number => wall(at).getUTCFullYear();

/** Whole calendar days from `at` to `now`; negative when it lies ahead. Daylight saving does not shift it. */
function daysAgo(at: Date, now: Date): number {
  return Math.round((startOfDay(now) - startOfDay(at)) / DAY_MS);
}

export const clockTime = (iso: string): string => shown.clock.format(new Date(iso));
export const fullTime = (iso: string): string => shown.full.format(new Date(iso));
export const calendarDay = (iso: string): string => shown.withYear.format(new Date(iso));

/** For the list: "now", "12m", "09:41", "Mon", "3 Mar", "3 Mar 2024". */
export function shortTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const minutes = Math.floor((now.getTime() - at.getTime()) / MINUTE_MS);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes}m`;
  const days = daysAgo(at, now);
  if (days === 0) return shown.clock.format(at);
  if (days < 7) return shown.weekday.format(at);
  return yearOf(at) === yearOf(now) ? shown.dayMonth.format(at) : shown.withYear.format(at);
}

/** In a sentence: "just now", "12 minutes ago", "today 09:41", "3 Mar 2024". */
export function ago(iso: string, now: Date): string {
  const minutes = Math.floor((now.getTime() - new Date(iso).getTime()) / MINUTE_MS);
  if (minutes < 1) return "just now";
  if (minutes < 60) return minutes === 1 ? "a minute ago" : `${minutes} minutes ago`;
  return daysAgo(new Date(iso), now) === 0 ? `today ${clockTime(iso)}` : calendarDay(iso);
}

/** For the separators of a thread. */
export function dayName(iso: string, now: Date): string {
  const at = new Date(iso);
  const days = daysAgo(at, now);
  if (days === 0) return "Today";
  if (days === 1) return "Yesterday";
  return yearOf(at) === yearOf(now) ? shown.longDay.format(at) : shown.withYear.format(at);
}

export const dayKey = (iso: string): string => new Date(startOfDay(new Date(iso))).toISOString().slice(0, 10);

/** For what lies ahead: "today 18:00", "tomorrow 09:00", "Mon 09:00", "3 Mar, 09:00". */
export function untilTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const days = -daysAgo(at, now);
  const time = shown.clock.format(at);
  if (days === 0) return `today ${time}`;
  if (days === 1) return `tomorrow ${time}`;
  return days > 1 && days < 7 ? `${shown.weekday.format(at)} ${time}` : `${shown.dayMonth.format(at)}, ${time}`;
}

export interface SnoozeChoice {
  readonly label: string;
  readonly until: Date;
}

/** Later today (in three hours, while that is before 21:00), tomorrow at nine, Monday at nine (on Sundays the one after). */
export function snoozeChoices(now: Date): readonly SnoozeChoice[] {
  const today = startOfDay(now);
  const at = (days: number, hour: number): Date => momentOf(new Date(today + days * DAY_MS + hour * 60 * MINUTE_MS));
  const later = new Date(Math.ceil((now.getTime() + 180 * MINUTE_MS) / (15 * MINUTE_MS)) * 15 * MINUTE_MS);
  const weekday = new Date(today).getUTCDay();
  const daysToMonday = weekday === 0 ? 8 : ((8 - weekday) % 7) || 7;
  const choices = [
    { label: "Tomorrow", until: at(1, 9) },
    { label: "Next week", until: at(daysToMonday, 9) },
  ];
  return later.getTime() < at(0, 21).getTime() ? [{ label: "Later today", until: later }, ...choices] : choices;
}

/** As <input type="datetime-local"> wants it. */
export const toInput = (at: Date): string => wall(at).toISOString().slice(0, 16);

/** The moment somebody entered; an invalid date where it is none. */
export function fromInput(value: string): Date {
  const entered = new Date(`${value}Z`);
  return Number.isNaN(entered.getTime()) ? entered : momentOf(entered);
}
