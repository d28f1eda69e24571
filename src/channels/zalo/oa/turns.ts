import { setTimeout as pause } from 'node:timers/promises';
import { WorldError, type WorldKind } from '../../../base/errors.js';

/** Makes one call in its turn; where the minute is used up it waits for the next. */
export type InTurn = <T>(call: () => Promise<T>) => Promise<T>;

/** The first calls go at once, the others in this pace: 30 a minute of the usual 100. */
const AT_ONCE = 10;
const PACE_MS = 2000;

/** The turns of one round: answers go by the same calls a minute, and come first. @param paceMs between two calls */
export function makeTurns(signal: AbortSignal, paceMs = PACE_MS): InTurn {
  let calls = 0;
  return async (call) => {
    calls += 1;
    if (calls > AT_ONCE) await pause(paceMs, undefined, { signal });
    for (;;)
      try {
        return await call();
      } catch (error) {
        if (!(error instanceof WorldError) || error.kind !== 'rate-limited') throw error;
        await pause((error.retryAfterS ?? 60) * 1000, undefined, { signal });
      }
  };
}

/** Of these refusals the next try knows no more: the others must not wait for one conversation. */
export const HOPELESS: ReadonlySet<WorldKind> = new Set([
  ...(['invalid', 'blocked', 'window-closed', 'chat-gone', 'not-found'] as const),
]);
