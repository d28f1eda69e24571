import { setImmediate as breathe } from 'node:timers/promises';
import type { Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import type { Prisma } from './generated/client.js';
import type { SegmentRow } from './rows.js';

/** No segment is longer than this, so that a range needs to look back no further. */
export const LONGEST_SEGMENT_MS = 15 * 60_000;
/** Sums are made in slices of this, so that none holds up the recording for long. */
const SLICE_MS = 6 * 3_600_000;

type RawSegment = Prisma.SegmentGetPayload<object>;

const segmentOf = (row: RawSegment): SegmentRow => ({
  ...row,
  stream: row.stream as StreamName,
  startMs: Number(row.startMs),
  endMs: Number(row.endMs),
  sizeBytes: Number(row.sizeBytes),
});

/** Of plain SQL, whose columns have SQLite's own types. */
const segmentOfRaw = (row: RawSegment): SegmentRow => ({
  ...segmentOf(row),
  ...{ id: Number(row.id), width: Number(row.width), height: Number(row.height), open: Boolean(row.open) },
});

const rawSegment = (row: Omit<SegmentRow, 'id'>) => ({
  cameraId: row.cameraId,
  stream: row.stream,
  startMs: BigInt(Math.round(row.startMs)),
  endMs: BigInt(Math.round(row.endMs)),
  path: row.path,
  sizeBytes: BigInt(row.sizeBytes),
  codec: row.codec,
  width: row.width,
  height: row.height,
  open: row.open,
});

const SEGMENT_COLUMNS = [
  ...[
    '"cameraId"',
    '"stream"',
    '"startMs"',
    '"endMs"',
    '"path"',
    '"sizeBytes"',
    '"codec"',
    '"width"',
    '"height"',
  ],
  '"open"',
];

const valuesOf = (row: Omit<SegmentRow, 'id'>) => [
  ...[row.cameraId, row.stream, Math.round(row.startMs), Math.round(row.endMs), row.path, row.sizeBytes],
  ...[row.codec, row.width, row.height, row.open],
];

/** A row for each recorded file, the open ones too. */
export class Segments {
  constructor(private readonly database: Database) {}

  /** Every camera adds, closes and tells of a file each minute: this is plain SQL, since Prisma compiles each query anew. */
  async add(row: Omit<SegmentRow, 'id'>): Promise<number> {
    const values = valuesOf(row);
    const [added] = await this.database.$queryRawUnsafe<{ id: number | bigint }[]>(
      `INSERT INTO "Segment" (${SEGMENT_COLUMNS.join(', ')}) VALUES (${values.map(() => '?').join(', ')}) RETURNING "id"`,
      ...values,
    );
    return Number(added!.id);
  }

  /** Adds or replaces by path; used where a row may be there already. */
  async put(row: Omit<SegmentRow, 'id'>): Promise<void> {
    const data = rawSegment(row);
    await this.database.segment.upsert({ where: { path: row.path }, create: data, update: data });
  }

  /** Turns the open row into the closed one; without a row, or if the walk was faster, puts it by its path. */
  async close(id: number | null, row: Omit<SegmentRow, 'id'>): Promise<void> {
    if (id !== null) {
      try {
        const changed = await this.database.$executeRawUnsafe(
          `UPDATE "Segment" SET ${SEGMENT_COLUMNS.map((name) => `${name} = ?`).join(', ')} WHERE "id" = ?`,
          ...valuesOf(row),
          id,
        );
        if (changed > 0) return;
      } catch {
        await this.drop([id]);
      }
    }
    await this.put(row);
  }

  /** Rows of files that were being written. */
  async leftOpen(): Promise<SegmentRow[]> {
    return (await this.database.segment.findMany({ where: { open: true } })).map(segmentOf);
  }

  /** 0 when there is no row. */
  async newestId(): Promise<number> {
    return (await this.database.segment.aggregate({ _max: { id: true } }))._max.id ?? 0;
  }

  async drop(ids: number[]): Promise<void> {
    for (let at = 0; at < ids.length; at += 500)
      await this.database.segment.deleteMany({ where: { id: { in: ids.slice(at, at + 500) } } });
  }

  /** Closed segments that overlap the range, ascending. */
  async within(cameraId: string, stream: StreamName, range: Range): Promise<SegmentRow[]> {
    const startMs = Math.floor(range.startMs);
    const rows = await this.database.$queryRawUnsafe<RawSegment[]>(
      `SELECT "id", ${SEGMENT_COLUMNS.join(', ')} FROM "Segment"
       WHERE "cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ? AND "endMs" > ? AND "open" = 0
       ORDER BY "startMs"`,
      ...[cameraId, stream, startMs - LONGEST_SEGMENT_MS, Math.ceil(range.endMs), startMs],
    );
    return rows.map(segmentOfRaw);
  }

  /** Where the closed recordings of a stream end before a moment and begin again behind it; null: nowhere. */
  async around(
    cameraId: string,
    stream: StreamName,
    atMs: number,
  ): Promise<{ beforeMs: number | null; afterMs: number | null }> {
    const one = async (what: 'startMs' | 'endMs', where: string, order: 'ASC' | 'DESC') => {
      const [row] = await this.database.$queryRawUnsafe<{ ms: number | bigint }[]>(
        `SELECT "${what}" AS "ms" FROM "Segment" WHERE "cameraId" = ?1 AND "stream" = ?2 AND ${where} AND "open" = 0
         ORDER BY "startMs" ${order} LIMIT 1`,
        ...[cameraId, stream, Math.floor(atMs)],
      );
      return row === undefined ? null : Number(row.ms);
    };
    const before = '"startMs" <= ?3 AND "endMs" <= ?3';
    return {
      beforeMs: await one('endMs', before, 'DESC'),
      afterMs: await one('startMs', '"startMs" > ?3', 'ASC'),
    };
  }

  /** Rows whose path begins with `folder` (relative, ending in a slash). */
  async under(folder: string): Promise<SegmentRow[]> {
    const last = `${folder.slice(0, -1)}0`;
    const rows = await this.database.segment.findMany({ where: { path: { gte: folder, lt: last } } });
    return rows.map(segmentOf);
  }

  /** All rows by id, a page at a time. */
  async page(afterId: number, limit: number): Promise<SegmentRow[]> {
    const rows = await this.database.segment.findMany({
      where: { id: { gt: afterId } },
      orderBy: { id: 'asc' },
      take: limit,
    });
    return rows.map(segmentOf);
  }

  /** Closed segments of a stream behind `after`, oldest first, that end before `beforeMs`. By the index on its start. */
  async oldestOf(
    cameraId: string,
    stream: StreamName,
    after: { startMs: number; id: number },
    beforeMs: number,
    limit: number,
  ): Promise<SegmentRow[]> {
    const before = Math.min(Math.floor(beforeMs), Number.MAX_SAFE_INTEGER);
    const rows = await this.database.$queryRawUnsafe<RawSegment[]>(
      `SELECT "id", ${SEGMENT_COLUMNS.join(', ')} FROM "Segment"
       WHERE "cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ?
         AND ("startMs" > ? OR "id" > ?) AND "endMs" < ? AND "open" = 0
       ORDER BY "startMs", "id" LIMIT ?`,
      ...[cameraId, stream, after.startMs, before, after.startMs, after.id, before, limit],
    );
    return rows.map(segmentOfRaw);
  }

  /** Bytes of the closed segments of one stream that overlap the range. Reads a quarter of a day at a time. */
  async bytesOf(cameraId: string, stream: StreamName, range: Range): Promise<number> {
    let bytes = 0;
    const startMs = Math.floor(range.startMs);
    const lastMs = await this.lastStart(cameraId, stream);
    const endMs = Math.min(Math.ceil(range.endMs), (lastMs ?? 0) + 1);
    for (let at = startMs - LONGEST_SEGMENT_MS; at < endMs; at += SLICE_MS) {
      await breathe();
      bytes += await this.sumBytes(
        '"cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ? AND "endMs" > ?',
        [cameraId, stream, at, Math.min(endMs, at + SLICE_MS), startMs],
      );
    }
    return bytes;
  }

  private async lastStart(cameraId: string, stream: StreamName): Promise<number | null> {
    const [row] = await this.database.$queryRawUnsafe<{ startMs: number | bigint | null }[]>(
      'SELECT max("startMs") AS "startMs" FROM "Segment" WHERE "cameraId" = ? AND "stream" = ?',
      ...[cameraId, stream],
    );
    return row?.startMs == null ? null : Number(row.startMs);
  }

  /** Bytes of all closed segments that begin within the range; for ranges of an hour or so. */
  bytesBegunIn({ startMs, endMs }: Range): Promise<number> {
    return this.sumBytes('"startMs" >= ? AND "startMs" < ?', [Math.floor(startMs), Math.ceil(endMs)]);
  }

  private async sumBytes(where: string, values: (string | number)[]): Promise<number> {
    const [row] = await this.database.$queryRawUnsafe<{ bytes: number | bigint | null }[]>(
      `SELECT sum("sizeBytes") AS "bytes" FROM "Segment" WHERE ${where} AND "open" = 0`,
      ...values,
    );
    return Number(row?.bytes ?? 0);
  }

  /** Start and end of the newest closed segment that begins before `beforeMs`; null when there is none. */
  async newestBefore(beforeMs: number): Promise<Range | null> {
    const [row] = await this.database.$queryRawUnsafe<{ startMs: number | bigint; endMs: number | bigint }[]>(
      'SELECT "startMs", "endMs" FROM "Segment" WHERE "startMs" < ? AND "open" = 0 ORDER BY "startMs" DESC LIMIT 1',
      Math.floor(beforeMs),
    );
    return row === undefined ? null : { startMs: Number(row.startMs), endMs: Number(row.endMs) };
  }

  /** Cameras that have recordings, removed ones too, with the start of their oldest, ms. Steps from camera to camera. */
  async recordedSince(): Promise<Map<string, number>> {
    const rows = await this.database.$queryRawUnsafe<{ cameraId: string; sinceMs: bigint | number }[]>(
      `WITH RECURSIVE "camera"("id") AS (
         SELECT min("cameraId") FROM "Segment"
         UNION ALL
         SELECT (SELECT min("cameraId") FROM "Segment" WHERE "cameraId" > "camera"."id")
         FROM "camera" WHERE "camera"."id" IS NOT NULL
       )
       SELECT "camera"."id" AS "cameraId", (
         SELECT min("startMs") FROM (
           SELECT min("startMs") AS "startMs" FROM "Segment" WHERE "cameraId" = "camera"."id" AND "stream" = 'main'
           UNION ALL
           SELECT min("startMs") FROM "Segment" WHERE "cameraId" = "camera"."id" AND "stream" = 'sub'
         )
       ) AS "sinceMs" FROM "camera" WHERE "camera"."id" IS NOT NULL`,
    );
    return new Map(rows.map((row) => [row.cameraId, Number(row.sinceMs)]));
  }

  /** End of the newest closed segment; null when there is none. */
  async lastEnd(cameraId: string, stream: StreamName): Promise<number | null> {
    const row = await this.database.segment.findFirst({
      where: { cameraId, stream, open: false },
      orderBy: { startMs: 'desc' },
      select: { endMs: true },
    });
    return row === null ? null : Number(row.endMs);
  }
}
