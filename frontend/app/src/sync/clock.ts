/** Time and chance as arguments, so that tests decide both. */
export type Timer = ReturnType<typeof globalThis.setTimeout>;

export interface Clock {
  /** Milliseconds since the Unix epoch. */
  now(): number;
  setTimeout(callback: () => void, delay_ms: number): Timer;
  clearTimeout(timer: Timer): void;
  /** In [0, 1). */
  random(): number;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  setTimeout: (callback, delay_ms) => setTimeout(callback, delay_ms),
  clearTimeout: (timer) => clearTimeout(timer),
  random: () => Math.random(),
};
