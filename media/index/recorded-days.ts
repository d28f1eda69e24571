import { DAY_MS, VIETNAM_OFFSET_MS } from '../../src/base/clock.js';
import { mergeRanges } from '../coverage.js';
import type { Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import { merged } from './merged.js';
import { LONGEST_SEGMENT_MS } from './segments.js';

/** Vietnamese days are counted: day 0 is 1970-01-01 there. As the triggers on Segment count them (migration 0007). */
const dayOf = (ms: number) => Math.floor((ms + VIETNAM_OFFSET_MS) / DAY_MS);
const startOf = (day: number) => day * DAY_MS - VIETNAM_OFFSET_MS;

/** Closed rows of a stream that begin in a stretch. From the index alone. */
const MERGED = merged(
  '"Segment" WHERE "cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ? AND "open" = 0',
);

type Ms = number | bigint;
const rangeOf = (row: { startMs: Ms; endMs: Ms }): Range => ({
  startMs: Number(row.startMs),
  endMs: Number(row.endMs),
});
const rangesOf = (json: string): Range[] =>
  (JSON.parse(json) as [number, number][]).map(([startMs, endMs]) => ({ startMs, endMs }));

/**
 * What is recorded of each finished day: made from the Segment rows that begin in it, when first asked for. It can't lie:
 * triggers drop a day within the very statement that adds, changes or drops a closed row of it, whoever runs that.
 */
export class RecordedDays {
  constructor(private readonly database: Database) {}

  /**
   * What closed segments cover of a stream around the range, merged where at most SEAM_MS lies between two; ascending.
   * A segment that begins more than LONGEST_SEGMENT_MS before the range is not looked for.
   */
  async recordedIn(cameraId: string, stream: StreamName, range: Range): Promise<Range[]> {
    const fromMs = Math.floor(range.startMs) - LONGEST_SEGMENT_MS;
    const untilMs = Math.ceil(range.endMs);
    const bounds = await this.bounds(cameraId, stream);
    if (bounds === null) return [];
    const first = Math.max(dayOf(fromMs - 1) + 1, dayOf(bounds.firstMs));
    // The newest day still grows.
    const end = Math.min(dayOf(untilMs), dayOf(bounds.lastMs));
    const parts =
      first < end
        ? [
            await this.mergedIn(cameraId, stream, fromMs, startOf(first)),
            await this.days(cameraId, stream, first, end),
            await this.mergedIn(cameraId, stream, startOf(end), untilMs),
          ]
        : [await this.mergedIn(cameraId, stream, fromMs, untilMs)];
    return mergeRanges(parts.flat()).filter(({ endMs }) => endMs > range.startMs);
  }

  /** Starts of a stream's first and last row. */
  private async bounds(
    cameraId: string,
    stream: StreamName,
  ): Promise<{ firstMs: number; lastMs: number } | null> {
    const of = (which: string) =>
      `(SELECT ${which}("startMs") FROM "Segment" WHERE "cameraId" = ? AND "stream" = ?)`;
    const [row] = await this.database.$queryRawUnsafe<{ firstMs: Ms | null; lastMs: Ms | null }[]>(
      `SELECT ${of('min')} AS "firstMs", ${of('max')} AS "lastMs"`,
      ...[cameraId, stream, cameraId, stream],
    );
    if (row?.firstMs == null) return null;
    return { firstMs: Number(row.firstMs), lastMs: Number(row.lastMs) };
  }

  private async mergedIn(
    cameraId: string,
    stream: StreamName,
    fromMs: number,
    untilMs: number,
  ): Promise<Range[]> {
    if (untilMs <= fromMs) return [];
    const rows = await this.database.$queryRawUnsafe<{ startMs: Ms; endMs: Ms }[]>(
      MERGED,
      ...[cameraId, stream, fromMs, untilMs],
    );
    return rows.map(rangeOf);
  }

  /** From `first` to before `end`; those not known yet are made, one at a time. */
  private async days(cameraId: string, stream: StreamName, first: number, end: number): Promise<Range[]> {
    const rows = await this.database.$queryRawUnsafe<{ day: Ms; ranges: string }[]>(
      'SELECT "day", "ranges" FROM "RecordedDay" WHERE "cameraId" = ? AND "stream" = ? AND "day" >= ? AND "day" < ?',
      ...[cameraId, stream, first, end],
    );
    const known = new Map(rows.map(({ day, ranges }) => [Number(day), rangesOf(ranges)]));
    for (let day = first; day < end; day++) {
      if (known.has(day)) continue;
      const next = await this.nextDay(cameraId, stream, day);
      if (next === null || next >= end) break;
      if (!known.has(next)) known.set(next, await this.make(cameraId, stream, next));
      day = next;
    }
    return [...known.values()].flat();
  }

  /** The first day from `day` on in which a closed row begins. */
  private async nextDay(cameraId: string, stream: StreamName, day: number): Promise<number | null> {
    const [row] = await this.database.$queryRawUnsafe<{ startMs: Ms }[]>(
      `SELECT "startMs" FROM "Segment"
       WHERE "cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "open" = 0 ORDER BY "startMs" LIMIT 1`,
      ...[cameraId, stream, startOf(day)],
    );
    return row === undefined ? null : dayOf(Number(row.startMs));
  }

  /** One statement, so that no row changes between its being read and the day's being kept. */
  private async make(cameraId: string, stream: StreamName, day: number): Promise<Range[]> {
    const [row] = await this.database.$queryRawUnsafe<{ ranges: string }[]>(
      `INSERT OR REPLACE INTO "RecordedDay" ("cameraId", "stream", "day", "ranges")
       SELECT ?, ?, ?, json_group_array(json_array("startMs", "endMs")) FROM (${MERGED}) HAVING count(*) > 0
       RETURNING "ranges"`,
      ...[cameraId, stream, day, cameraId, stream, startOf(day), startOf(day + 1)],
    );
    return row === undefined ? [] : rangesOf(row.ranges);
  }
}
