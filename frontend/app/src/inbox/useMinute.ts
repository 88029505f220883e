import { useSyncExternalStore } from "react";

const MINUTE_MS = 60_000;
let now = new Date();
const listeners = new Set<() => void>();
let timer: ReturnType<typeof setInterval> | null = null;

function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  timer ??= setInterval(() => {
    now = new Date();
    for (const one of listeners) one();
  }, MINUTE_MS);
  return () => {
    listeners.delete(listener);
    if (listeners.size > 0 || timer === null) return;
    clearInterval(timer);
    timer = null;
  };
}

/** The time, renewed each minute by one timer for all who show it; never older than a minute when first read. */
export function useMinute(): Date {
  return useSyncExternalStore(subscribe, () => {
    if (Date.now() - now.getTime() > MINUTE_MS) now = new Date();
    return now;
  });
}
