import { backoffMs } from '../../src/base/backoff.js';
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
/** A disk that is well again is recorded to within a minute, the connecting included. */
const DISK_MS = 15_000;
/** After one more try a refused password waits for a person: cameras lock out who keeps trying. */
const REFUSED_MS = 30 * 60_000;

/**
 * How long to wait before connecting again, ms: 1, 2, 4 … 60 s with ±20 % jitter, for a failing disk at most 15 s;
 * refused: 10 s, then half an hour.
 * @param tries failures in a row, this one included (≥ 1)
 * @param random in [0, 1)
 */
export function restartWait(ended: EndedConnection, tries: number, random: number): number {
  if (ended.cause === 'refused') return tries <= 1 ? backoffMs(1, 10_000, 10_000, () => random) : REFUSED_MS;
  return backoffMs(tries, BASE_MS, ended.cause === 'disk' ? DISK_MS : LONGEST_MS, () => random);
}
