// Dates as people say them. Words are English like the rest of the widget; the clock is the browser's own.

const DAY_MS = 86_400_000;

/** A key that changes at local midnight. */
export function dayOf(time: Date): string {
  return `${time.getFullYear()}-${time.getMonth()}-${time.getDate()}`;
}

export function dayLabel(time: Date, now: Date): string {
  const today = new Date(now.getFullYear(), now.getMonth(), now.getDate());
  const day = new Date(time.getFullYear(), time.getMonth(), time.getDate());
  // Rounded: a day at the change to summer time has 23 or 25 hours.
  const ago = Math.round((today.getTime() - day.getTime()) / DAY_MS);
  if (ago === 0) return "Today";
  if (ago === 1) return "Yesterday";
  const year = time.getFullYear() === now.getFullYear() ? {} : { year: "numeric" as const };
  return time.toLocaleDateString("en-GB", { weekday: "long", day: "numeric", month: "long", ...year });
}

export function clockOf(time: Date): string {
  return time.toLocaleTimeString([], { hour: "numeric", minute: "2-digit" });
}
