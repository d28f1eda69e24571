import { timingSafeEqual } from 'node:crypto';

/** Compares what was given with a secret, without telling by time where they differ. */
export function sameSecret(given: unknown, secret: string): boolean {
  if (typeof given !== 'string') return false;
  const left = Buffer.from(given);
  const right = Buffer.from(secret);
  return left.length === right.length && timingSafeEqual(left, right);
}
