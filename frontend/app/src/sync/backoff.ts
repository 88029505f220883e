/** How long to wait before the next connection: docs/protocol.md §7. */
import type { Clock } from "./clock";

const FIRST_S = 20;
const BASE_S = 1;
const CEILING_S = 60;
const RETRY_AFTER_SPREAD_S = 2;
/** Connected for this long, the next loss counts as the first. */
export const STABLE_MS = 30_000;

export class Backoff {
  private attempt = 0;

  constructor(private readonly clock: Clock) {}

  /**
   * @param retry_after_s what the hub asked for, or null.
   * @returns milliseconds to wait.
   */
  next_ms(retry_after_s: number | null): number {
    const attempt = this.attempt++;
    // A little spread on top of the hub's figure: thousands may have been given the same one.
    if (retry_after_s !== null) return (retry_after_s + this.clock.random() * RETRY_AFTER_SPREAD_S) * 1000;
    const ceiling_s = attempt === 0 ? FIRST_S : Math.min(CEILING_S, BASE_S * 2 ** (attempt - 1));
    return this.clock.random() * ceiling_s * 1000;
  }

  reset(): void {
    this.attempt = 0;
  }
}

/** Whether to come back after a close code. */
export function comesBack(code: number): boolean {
  return code < 4500 || code > 4999;
}
