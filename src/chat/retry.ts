import { backoffMs } from '../base/backoff.js';
import { DAY_MS } from '../base/clock.js';
import { WorldError } from '../base/errors.js';
import { type Priority, priorityOf } from './priority.js';

/** What to do with a message that a channel did not take. */
export type AfterFailure =
  /** the platform asked for patience with this chat */
  | { do: 'wait'; ms: number }
  /** worth another try */
  | { do: 'retry'; ms: number }
  | { do: 'move'; to: string }
  /** send it as something smaller: document, link, sentence */
  | { do: 'degrade' }
  /** leave it as it is: the service stops */
  | { do: 'leave' }
  | { do: 'give-up'; why: 'closed' | 'invalid' | 'too-old' | 'fault' };

export interface FailedSend {
  /** as the store has it */
  priority: number;
  /** tries before this one */
  attempts: number;
  ageMs: number;
}

/** How long a message is tried: what officers must hear for ever, an answer for a day, a notice for three. */
const TRIED_FOR_MS: Record<Priority, number> = {
  alert: Number.POSITIVE_INFINITY,
  report: Number.POSITIVE_INFINITY,
  'staff-answer': DAY_MS,
  'stranger-report': Number.POSITIVE_INFINITY,
  answer: DAY_MS,
  notice: 3 * DAY_MS,
};
/** An error nobody foresaw is tried so often: it may be ours, and would fail for ever. */
const UNFORESEEN_TRIES = 5;

export function afterFailure(
  error: unknown,
  { priority, attempts, ageMs }: FailedSend,
  random: () => number = Math.random,
): AfterFailure {
  const again = (): AfterFailure =>
    ageMs > TRIED_FOR_MS[priorityOf(priority)]
      ? { do: 'give-up', why: 'too-old' }
      : { do: 'retry', ms: backoffMs(attempts + 1, 1000, 300_000, random) };
  if (!(error instanceof WorldError))
    return attempts + 1 >= UNFORESEEN_TRIES ? { do: 'give-up', why: 'fault' } : again();
  switch (error.kind) {
    case 'rate-limited':
      return { do: 'wait', ms: Math.max(0, (error.retryAfterS ?? 1) * 1000) };
    case 'blocked':
    case 'chat-gone':
    case 'window-closed':
      return { do: 'give-up', why: 'closed' };
    case 'migrated':
      return error.movedTo === undefined
        ? { do: 'give-up', why: 'closed' }
        : { do: 'move', to: error.movedTo };
    case 'too-big':
      return { do: 'degrade' };
    case 'invalid':
    case 'not-found':
    case 'no-footage':
      return { do: 'give-up', why: 'invalid' };
    case 'cancelled':
      return { do: 'leave' };
    default:
      return again();
  }
}
