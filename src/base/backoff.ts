/**
 * How long to wait before try number `tries` (1 = the first retry): doubling from `firstMs` to `mostMs`, with ±20 %
 * jitter so that many that failed together don't come back together.
 */
export function backoffMs(
  tries: number,
  firstMs: number,
  mostMs: number,
  random: () => number = Math.random,
): number {
  const plain = Math.min(mostMs, firstMs * 2 ** Math.min(30, Math.max(0, tries - 1)));
  return Math.round(plain * (0.8 + 0.4 * random()));
}
