// Dates as people say them. Words are English like the rest of the widget; the clock is the browser's own.

/** A key that changes at local midnight. */
export function dayOf(time: Date): string {
  return time.toDateString();
}

export function dayLabel(time: Date, now: Date): string {
  if (dayOf(time) === dayOf(now)) return "Today";
  // By the calendar: a day at the change to summer time has not 24 hours.
  const yesterday = new Date(now.getFullYear(), now.getMonth(), now.getDate() - 1);
  return dayOf(time) === dayOf(yesterday) ? "Yesterday" : time.toLocaleDateString("en-GB", { dateStyle: "full" });
}

export function clockOf(time: Date): string {
  return time.toLocaleTimeString([], { timeStyle: "short" });
}
