/** Times as people read them, in the member's own time zone (the browser's). */
const MINUTE_MS = 60_000;
const DAY_MS = 86_400_000;

const clock = new Intl.DateTimeFormat(undefined, { hour: "numeric", minute: "2-digit" });
const weekday = new Intl.DateTimeFormat(undefined, { weekday: "short" });
const dayMonth = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short" });
const longDay = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const withYear = new Intl.DateTimeFormat(undefined, { day: "numeric", month: "short", year: "numeric" });
const full = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "short" });

const startOfDay = (at: Date): Date => new Date(at.getFullYear(), at.getMonth(), at.getDate());

/** Whole calendar days from `at` to `now`; negative when it lies ahead. Daylight saving does not shift it. */
function daysAgo(at: Date, now: Date): number {
  return Math.round((startOfDay(now).getTime() - startOfDay(at).getTime()) / DAY_MS);
}

export const clockTime = (iso: string): string => clock.format(new Date(iso));
export const fullTime = (iso: string): string => full.format(new Date(iso));
export const calendarDay = (iso: string): string => withYear.format(new Date(iso));

/** For the list: "now", "12m", "09:41", "Mon", "3 Mar", "3 Mar 2024". */
export function shortTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const minutes = Math.floor((now.getTime() - at.getTime()) / MINUTE_MS);
  if (minutes < 1) return "now";
  if (minutes < 60) return `${minutes}m`;
  const days = daysAgo(at, now);
  if (days === 0) return clock.format(at);
  if (days < 7) return weekday.format(at);
  return at.getFullYear() === now.getFullYear() ? dayMonth.format(at) : withYear.format(at);
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
  return at.getFullYear() === now.getFullYear() ? longDay.format(at) : withYear.format(at);
}

export const dayKey = (iso: string): string => startOfDay(new Date(iso)).toDateString();

/** For what lies ahead: "today 18:00", "tomorrow 09:00", "Mon 09:00", "3 Mar, 09:00". */
export function untilTime(iso: string, now: Date): string {
  const at = new Date(iso);
  const days = -daysAgo(at, now);
  const time = clock.format(at);
  if (days === 0) return `today ${time}`;
  if (days === 1) return `tomorrow ${time}`;
  return days > 1 && days < 7 ? `${weekday.format(at)} ${time}` : `${dayMonth.format(at)}, ${time}`;
}

export interface SnoozeChoice {
  readonly label: string;
  readonly until: Date;
}

/** Later today (in three hours, while that is before 21:00), tomorrow at nine, Monday at nine (on Sundays the one after). */
export function snoozeChoices(now: Date): readonly SnoozeChoice[] {
  const at = (days: number, hour: number): Date => new Date(now.getFullYear(), now.getMonth(), now.getDate() + days, hour);
  const later = new Date(Math.ceil((now.getTime() + 180 * MINUTE_MS) / (15 * MINUTE_MS)) * 15 * MINUTE_MS);
  const daysToMonday = now.getDay() === 0 ? 8 : ((8 - now.getDay()) % 7) || 7;
  const choices = [
    { label: "Tomorrow", until: at(1, 9) },
    { label: "Next week", until: at(daysToMonday, 9) },
  ];
  return later.getTime() < at(0, 21).getTime() ? [{ label: "Later today", until: later }, ...choices] : choices;
}
