import { WorldError } from '../../../base/errors.js';
import type { Wire } from '../api/http.js';

const MINUTE_MS = 60_000;

/** So many calls within any minute. */
export interface MinuteBudget {
  /** Takes one call. @throws WorldError rate-limited, with the seconds until there is one again */
  take(): void;
}

/** @param steady ms that only go forward */
export function makeMinuteBudget(
  perMinute: number,
  steady: () => number = () => performance.now(),
): MinuteBudget {
  const taken: number[] = [];
  return {
    take() {
      const now = steady();
      while (taken.length > 0 && now - taken[0]! >= MINUTE_MS) taken.shift();
      if (taken.length >= perMinute) {
        const waitS = Math.max(1, Math.ceil((taken[0]! + MINUTE_MS - now) / 1000));
        throw new WorldError('rate-limited', 'the calls of this minute are used up', { retryAfterS: waitS });
      }
      taken.push(now);
    },
  };
}

/** The same way out, but each call is taken from the budget first. */
export const withBudget =
  (wire: Wire, budget: MinuteBudget): typeof fetch =>
  async (...request) => {
    budget.take();
    return (wire.fetch ?? fetch)(...request);
  };
