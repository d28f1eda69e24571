import { SEAM_MS } from './coverage.js';
import type { Range } from './types.js';

/**
 * Splits segments into lines in which none overlaps another. More than one where the clock of the machine was set back:
 * then the same hour was recorded twice, and both are footage.
 */
export function timelines<T extends Range>(segments: readonly T[]): T[][] {
  const lines: T[][] = [];
  for (const segment of [...segments].sort((a, b) => a.startMs - b.startMs)) {
    const open = lines
      .filter((line) => line.at(-1)!.endMs <= segment.startMs + SEAM_MS)
      .sort((a, b) => apart(a.at(-1)!, segment) - apart(b.at(-1)!, segment));
    if (open[0] === undefined) lines.push([segment]);
    else open[0].push(segment);
  }
  return lines;
}

/** A file goes on where the one before it ended, to the millisecond: of two lines the nearer is its own. */
const apart = (before: Range, after: Range) => Math.abs(after.startMs - before.endMs);

/** What is missing in every one of the lists of gaps: the stretches all of them share, ascending. */
export function commonGaps(lists: readonly Range[][]): Range[] {
  const [first, ...others] = lists;
  return others.reduce<Range[]>(
    (common, list) =>
      common.flatMap((one) =>
        list
          .map((other) => ({
            startMs: Math.max(one.startMs, other.startMs),
            endMs: Math.min(one.endMs, other.endMs),
          }))
          .filter(({ startMs, endMs }) => endMs > startMs),
      ),
    first ?? [],
  );
}
