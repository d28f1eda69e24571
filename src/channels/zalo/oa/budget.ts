import { WorldError } from '../../../base/errors.js';
import type { Wire } from '../api/http.js';

const MINUTE_MS = 60_000;

/** So many calls within any minute; the last of them are kept for what is urgent. */
export interface MinuteBudget {
  /** Milliseconds until there is room for so many calls; 0: now. */
  waitMs(calls: number, urgent: boolean): number;
  /** Takes one call. @throws WorldError rate-limited, with the seconds until there is one again */
  take(urgent: boolean): void;
}

/**
 * @param kept so many of them are for what is urgent alone
 * @param steady ms that only go forward
 */
export function makeMinuteBudget(
  perMinute: number,
  kept = 0,
  steady: () => number = () => performance.now(),
): MinuteBudget {
  const taken: number[] = [];
  function waitMs(calls: number, urgent: boolean): number {
    const now = steady();
    while (taken.length > 0 && now - taken[0]! >= MINUTE_MS) taken.shift();
    const most = Math.max(1, urgent ? perMinute : perMinute - kept);
    // what is larger than the budget goes when that is unused
    const over = taken.length + Math.min(calls, most) - most;
    return over <= 0 ? 0 : taken[over - 1]! + MINUTE_MS - now;
  }
  return {
    waitMs,
    take(urgent) {
      const ms = waitMs(1, urgent);
      if (ms > 0)
        throw new WorldError('rate-limited', 'the calls of this minute are used up', {
          retryAfterS: Math.max(1, Math.ceil(ms / 1000)),
        });
      taken.push(steady());
    },
  };
}

/** The same way out, but each call is taken from the budget first. */
export const withBudget =
  (wire: Wire, budget: MinuteBudget, urgent: boolean): typeof fetch =>
  async (...request) => {
    budget.take(urgent);
    return (wire.fetch ?? fetch)(...request);
  };
