import { SEAM_MS } from './coverage.js';
import type { Range } from './types.js';

/** A stretch of footage; `order`: when it was recorded among the others, ascending. */
export interface Ordered extends Range {
  order?: number;
}

/**
 * Splits segments into lines in which none overlaps another, each in order of the clock. More than one where the clock of
 * the machine was set back: then the same hour was recorded twice, and both are footage. What was recorded one after the
 * other stays in one line: the clock alone can't tell, since after a step of whole seconds keyframes come at the same times.
 */
export function timelines<T extends Ordered>(segments: readonly T[]): T[][] {
  const lines: T[][] = [];
  let current: T[] = [];
  for (const segment of [...segments].sort(
    (a, b) => (a.order ?? 0) - (b.order ?? 0) || a.startMs - b.startMs,
  )) {
    const fits = [current, ...[...lines].reverse()].find(
      (line) => !line.some((one) => overlap(one, segment)),
    );
    current = fits ?? [];
    if (!lines.includes(current)) lines.push(current);
    current.push(segment);
  }
  return lines.map((line) => line.sort((a, b) => a.startMs - b.startMs));
}

const overlap = (a: Range, b: Range) => a.startMs < b.endMs - SEAM_MS && b.startMs < a.endMs - SEAM_MS;

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
