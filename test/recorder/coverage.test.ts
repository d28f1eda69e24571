import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coverageOf } from '../../media/coverage.js';
import type { GapRow } from '../../media/index/rows.js';
import type { Cause, GapCause, Range } from '../../media/types.js';

/** Everything begins and ends on these, ms: longer than any seam or sliver. */
const CELL = 2000;
const CELLS = 30;
const of = { cameraId: 'cam1', stream: 'main' as const };

const stretch = fc
  .record({ from: fc.integer({ min: -3, max: CELLS }), cells: fc.integer({ min: 1, max: 8 }) })
  .map(({ from, cells }) => ({ startMs: from * CELL, endMs: (from + cells) * CELL }));
const cause = fc.constantFrom<Cause>('silent', 'unreachable', 'recorder-down', 'disk');
const gap = fc
  .record({ range: stretch, cause, lasts: fc.boolean() })
  .map(({ range, cause, lasts }) => ({ ...of, ...range, cause, endMs: lasts ? null : range.endMs }));
const some = <T>(one: fc.Arbitrary<T>) => fc.array(one, { maxLength: 6 });

const covers = ({ startMs, endMs }: { startMs: number; endMs: number | null }, cell: number) =>
  startMs <= cell * CELL && (endMs ?? Number.POSITIVE_INFINITY) >= (cell + 1) * CELL;

describe('coverage', () => {
  it('gives each moment that is missing the first cause there is, whatever overlaps', () => {
    fc.assert(
      fc.property(
        ...[some(stretch), some(gap), some(stretch), some(stretch)],
        (segments, unsorted, deletions, waiting) => {
          const gaps: GapRow[] = unsorted
            .sort((a, b) => a.startMs - b.startMs)
            .map((one, id) => ({ ...one, id }));
          const asked = { startMs: 0, endMs: CELLS * CELL };
          const facts = { ...of, asked, segments, gaps, deletions, waiting, clockSteps: [] };
          const found = coverageOf({ ...facts, untilMs: asked.endMs }).gaps;
          const expected: (Range & { cause: GapCause })[] = [];
          for (let cell = 0; cell < CELLS; cell++) {
            if (segments.some((one) => covers(one, cell))) continue;
            const [startMs, endMs] = [cell * CELL, (cell + 1) * CELL];
            const cause = deletions.some((one) => covers(one, cell))
              ? 'deleted'
              : (gaps.find((one) => covers(one, cell))?.cause ??
                (waiting.some((one) => covers(one, cell)) ? 'disk' : 'unknown'));
            const last = expected.at(-1);
            if (last?.endMs === startMs && last.cause === cause) last.endMs = endMs;
            else expected.push({ startMs, endMs, cause });
          }
          expect(found).toEqual(expected);
        },
      ),
      { numRuns: 2000 },
    );
  });

  it('of a month of deleted minutes and of outages is told in no time: the recording waits for it', () => {
    const minutes = Array.from({ length: 43_200 }, (_, n) => ({
      startMs: n * 60_000,
      endMs: n * 60_000 + 59_980,
    }));
    const gaps = minutes
      .filter((_, n) => n % 3 === 0)
      .map((one, id) => ({ ...one, ...of, id, cause: id % 2 ? ('silent' as const) : ('broken' as const) }));
    const asked = { startMs: 0, endMs: 43_200 * 60_000 };
    const facts = { ...of, asked, clockSteps: [], untilMs: asked.endMs };
    const before = process.cpuUsage();
    const gone = coverageOf({ ...facts, segments: [], gaps, deletions: minutes });
    const torn = coverageOf({ ...facts, segments: minutes.filter((_, n) => n % 2), gaps, deletions: [] });
    const { user, system } = process.cpuUsage(before);
    // it was 40 s and more
    expect((user + system) / 1e6).toBeLessThan(5);
    expect(gone.gaps).toEqual([{ startMs: 0, endMs: asked.endMs, cause: 'deleted' }]);
    expect(torn.gaps).toHaveLength(21_600);
  });
});
