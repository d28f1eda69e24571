import path from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergeRanges, SEAM_MS } from '../../media/coverage.js';
import { RecorderIndex } from '../../media/index/index.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { migrate, tempFolder } from './stand.js';

let index: RecorderIndex;
beforeAll(async () => {
  const folder = await tempFolder();
  index = await RecorderIndex.open(await migrate(folder), makeSeal(makeKey()));
});
afterAll(() => index?.close());

describe('what the index says is recorded', () => {
  let camera = 0;
  const minute = 60_000;
  const segment = fc.record({
    startMs: fc.integer({ min: 0, max: 40 * minute }),
    length: fc.integer({ min: 1000, max: 3 * minute }),
  });

  it('is what its rows cover, whatever overlaps, touches or is missing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(segment, { maxLength: 12 }),
        fc.integer({ min: 0, max: 30 * minute }),
        fc.integer({ min: 1, max: 20 * minute }),
        async (given, fromMs, length) => {
          const cameraId = `cam${++camera}`;
          const rows = given.map(({ startMs, length: ms }) => ({ startMs, endMs: startMs + ms }));
          for (const [i, row] of rows.entries())
            await index.segments.add({
              ...{ cameraId, stream: 'main', ...row, path: path.posix.join(cameraId, `${i}.mp4`) },
              ...{ sizeBytes: 1, codec: 'avc1.64001f', width: 2, height: 2, open: false },
            });
          const asked = { startMs: fromMs, endMs: fromMs + length };
          const overlapping = (list: typeof rows) =>
            list.filter((one) => one.endMs > asked.startMs && one.startMs < asked.endMs);
          const told = overlapping(await index.segments.recordedIn(cameraId, 'main', asked, SEAM_MS));
          const within = (list: typeof rows) =>
            mergeRanges(list).map((one) => ({
              startMs: Math.max(one.startMs, asked.startMs),
              endMs: Math.min(one.endMs, asked.endMs),
            }));
          expect(within(told)).toEqual(within(overlapping(rows)));
        },
      ),
      { numRuns: 60 },
    );
  });
});
