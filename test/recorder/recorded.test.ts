import { createClient } from '@libsql/client';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { mergeRanges } from '../../media/coverage.js';
import { RecorderIndex } from '../../media/index/index.js';
import type { SegmentRow } from '../../media/index/rows.js';
import type { Range } from '../../media/types.js';
import { fromVietnamTime } from '../../src/base/clock.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { migrate, tempFolder } from './stand.js';

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Midnight in Vietnam, and so many days of footage behind it. */
const MIDNIGHT = fromVietnamTime(2026, 11, 21);
const DAYS = 4;
const END = MIDNIGHT + 2 * DAYS * DAY;
/** How far back the index looks for a segment that reaches into a range. */
const LONGEST = 15 * MINUTE;

let index: RecorderIndex;
let file: string;
beforeAll(async () => {
  file = await migrate(await tempFolder());
  index = await RecorderIndex.open(file, makeSeal(makeKey()));
});
afterAll(() => index?.close());

type Row = Omit<SegmentRow, 'id'>;
let paths = 0;
const row = (cameraId: string, { startMs, endMs }: Range, open = false): Row => ({
  ...{ cameraId, stream: 'main', startMs, endMs, path: `${cameraId}/${++paths}.mp4`, open },
  ...{ sizeBytes: 1, codec: 'avc1.64001f', width: 2, height: 2 },
});

const within = (ranges: Range[], asked: Range) =>
  ranges
    .filter((one) => one.endMs > asked.startMs && one.startMs < asked.endMs)
    .map(({ startMs, endMs }) => ({
      startMs: Math.max(startMs, asked.startMs),
      endMs: Math.min(endMs, asked.endMs),
    }));

/** How many days of a camera are kept. */
async function known(of: string, cameraId: string): Promise<number> {
  const database = createClient({ url: `file:${of}` });
  try {
    const sql = 'SELECT count(*) FROM "RecordedDay" WHERE "cameraId" = ?';
    return Number((await database.execute({ sql, args: [cameraId] })).rows[0]![0]);
  } finally {
    database.close();
  }
}

/** What the rows themselves say, all of them looked at. */
const covered = (rows: Iterable<Row>, asked: Range) =>
  within(
    mergeRanges(
      [...rows].filter(
        ({ open, startMs }) => !open && startMs >= asked.startMs - LONGEST && startMs < asked.endMs,
      ),
    ),
    asked,
  );

/** Near midnights and anywhere; as long as segments are, and longer. */
const moment = fc.oneof(
  fc
    .record({ day: fc.integer({ min: 0, max: DAYS }), off: fc.integer({ min: -3, max: 3 }) })
    .map(({ day, off }) => MIDNIGHT + day * DAY + off * 30_000),
  fc.integer({ min: MIDNIGHT, max: MIDNIGHT + DAYS * DAY }),
);
const stretch = fc
  .record({
    startMs: moment,
    length: fc.oneof(fc.integer({ min: 1, max: 2 * MINUTE }), fc.integer({ min: HOUR, max: 9 * HOUR })),
  })
  .map(({ startMs, length }) => ({ startMs, endMs: startMs + length }));
const which = fc.nat({ max: 30 });
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('add'), stretch, open: fc.boolean() }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('close'), which, stretch, late: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('drop'), which }) },
  // what was recorded once is recorded again: the clock was set back
  { weight: 1, arbitrary: fc.record({ do: fc.constant('double'), which }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('ask'), from: moment, to: moment }) },
  // of every day: those that are over are known from then on
  { weight: 3, arbitrary: fc.record({ do: fc.constant('ask'), from: fc.constant(0), to: fc.constant(END) }) },
);
type Step = Partial<{
  do: string;
  stretch: Range;
  open: boolean;
  which: number;
  late: boolean;
  from: number;
  to: number;
}>;

describe('what the index says is recorded', () => {
  it('is what its rows cover, whatever was added, closed, dropped, doubled and asked before', async () => {
    let camera = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 8, maxLength: 40 }), async (steps: Step[]) => {
        const cameraId = `cam${++camera}`;
        const rows = new Map<number, Row>();
        const chosen = (at: number) => [...rows][at % Math.max(1, rows.size)];
        const same = async (asked: Range) =>
          expect(within(await index.recordedDays.recordedIn(cameraId, 'main', asked), asked)).toEqual(
            covered(rows.values(), asked),
          );
        const add = async (one: Row) => void rows.set(await index.segments.add(one), one);
        for (const one of steps) {
          const old = chosen(one.which ?? 0);
          if (one.do === 'add') await add(row(cameraId, one.stretch!, one.open));
          else if (one.do === 'ask')
            await same({ startMs: Math.min(one.from!, one.to!), endMs: Math.max(one.from!, one.to!) + 1 });
          else if (old === undefined) continue;
          else if (one.do === 'double') await add({ ...old[1], path: `${cameraId}/${++paths}-2.mp4` });
          else if (one.do === 'drop') {
            await index.segments.drop([old[0]]);
            rows.delete(old[0]);
          } else {
            const closed = { ...row(cameraId, one.stretch!), path: old[1].path };
            await index.segments.close(one.late ? null : old[0], closed);
            rows.set(old[0], closed);
          }
        }
        await same({ startMs: 0, endMs: END });
        for (let day = -1; day <= DAYS; day++)
          await same({ startMs: MIDNIGHT + day * DAY, endMs: MIDNIGHT + (day + 1) * DAY });
      }),
      { numRuns: 150 },
    );
  }, 120_000);

  it('is read from the finished days once they are known, and from their rows when those change', async () => {
    const asked = { startMs: MIDNIGHT, endMs: MIDNIGHT + 3 * DAY };
    for (let at = MIDNIGHT; at < asked.endMs; at += 6 * HOUR)
      await index.segments.add(row('known', { startMs: at, endMs: at + HOUR }));
    const told = () => index.recordedDays.recordedIn('known', 'main', asked);
    const first = await told();
    expect(first).toHaveLength(12);
    expect(await known(file, 'known')).toBe(2);
    expect(await told()).toEqual(first);
    await index.segments.add(row('known', { startMs: MIDNIGHT + HOUR, endMs: MIDNIGHT + 6 * HOUR }));
    expect(await known(file, 'known')).toBe(1);
    expect(await told()).toEqual([{ startMs: MIDNIGHT, endMs: MIDNIGHT + 7 * HOUR }, ...first.slice(2)]);
  });

  it('rows of the version before get their days', async () => {
    const folder = await tempFolder();
    const file = await migrate(folder, (name) => name < '0007');
    const before = createClient({ url: `file:${file}` });
    const minutes = Array.from({ length: 31.5 * 60 }, (_, n) => MIDNIGHT - 90 * MINUTE + n * MINUTE);
    await before.batch(
      minutes.map((at) => ({
        sql: `INSERT INTO "Segment" ("cameraId", "stream", "startMs", "endMs", "path", "sizeBytes", "codec", "width", "height", "open")
              VALUES ('old', 'main', ?, ?, ?, 1, 'avc1', 2, 2, 0)`,
        args: [at, at + MINUTE - (at === MIDNIGHT ? 2000 : 0), `old/${at}.mp4`],
      })),
    );
    before.close();
    await migrate(folder, (name) => name >= '0007');
    const old = await RecorderIndex.open(file, makeSeal(makeKey()));
    try {
      expect(
        await old.recordedDays.recordedIn('old', 'main', { startMs: 0, endMs: MIDNIGHT + 2 * DAY }),
      ).toEqual([
        { startMs: MIDNIGHT - 90 * MINUTE, endMs: MIDNIGHT + MINUTE - 2000 },
        { startMs: MIDNIGHT + MINUTE, endMs: MIDNIGHT + 30 * HOUR },
      ]);
      expect(await known(file, 'old')).toBe(2);
    } finally {
      await old.close();
    }
  });
});
