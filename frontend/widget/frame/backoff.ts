/** Milliseconds before try `attempt` (0 is the first repeat): full jitter, doubling from 1 s to 60 s. */
export function jitter_ms(random: number, attempt: number): number {
  return random * Math.min(60_000, 1000 * 2 ** attempt);
}
