import type { Cause } from '../types.js';

export interface EndedConnection {
  cause: Cause;
  /** how long pictures came, ms; 0 = none came */
  streamedMs: number;
}

/** A connection that held this long counts as healthy: the next wait begins anew. */
export const HEALTHY_MS = 10_000;

const BASE_MS = 1000;
const LONGEST_MS = 60_000;
/** After one more try a refused password waits for a person: cameras lock out who keeps trying. */
const REFUSED_MS = 30 * 60_000;

/**
 * How long to wait before connecting again, ms: 1, 2, 4 … 60 s with ±20 % jitter; refused: 10 s, then half an hour.
 * @param tries failures in a row, this one included (≥ 1)
 * @param random in [0, 1)
 */
export function restartWait(ended: EndedConnection, tries: number, random: number): number {
  const jitter = 0.8 + 0.4 * random;
  if (ended.cause === 'refused') return tries <= 1 ? 10_000 * jitter : REFUSED_MS;
  return Math.min(BASE_MS * 2 ** Math.min(tries - 1, 10), LONGEST_MS) * jitter;
}
