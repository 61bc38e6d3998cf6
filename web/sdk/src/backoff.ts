/** Waiting between attempts: exponential with full jitter, so that many clients spread out. */

/** The upper bound of the first wait, in milliseconds. */
export const BACKOFF_FIRST_MS = 500;
/** The upper bound of every wait, in milliseconds. */
export const BACKOFF_MAX_MS = 30_000;

/**
 * Milliseconds to wait before the attempt that follows `failures` failed ones (at least 1).
 * `chance` is in [0, 1); `least` is what the server asked for.
 */
export function backoff(failures: number, chance: number, least = 0): number {
  const bound = Math.min(BACKOFF_MAX_MS, BACKOFF_FIRST_MS * 2 ** Math.min(failures - 1, 16));
  // Jitter on top of what the server asked for, or all of those it told would come together.
  return Math.round(least + bound * chance);
}
