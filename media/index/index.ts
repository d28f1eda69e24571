import type { Seal } from '../../src/base/seal.js';
import type { Cause, Range, RecorderEvent, RecorderEventKind, StreamName } from '../types.js';
import { type Database, openDatabase } from './database.js';
import type { Prisma } from './generated/client.js';
import type { CameraRow, DeletionRow, GapRow, NewEvent, SegmentRow } from './rows.js';

/** No segment is longer than this, so that a range needs to look back no further. */
const LONGEST_SEGMENT_MS = 15 * 60_000;

type RawSegment = Prisma.SegmentGetPayload<object>;

const segmentOf = (row: RawSegment): SegmentRow => ({
  ...row,
  stream: row.stream as StreamName,
  startMs: Number(row.startMs),
  endMs: Number(row.endMs),
  sizeBytes: Number(row.sizeBytes),
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

/**
 * What the recorder knows about its files, and what only it knows: cameras, gaps, events, deletions.
 * Times are epoch ms as numbers; bigint ends at this door. The only code of `media/` that names Prisma.
 */
export class RecorderIndex {
  private constructor(
    private readonly database: Database,
    private readonly seal: Seal,
  ) {}

  /** Opens the migrated SQLite file; camera addresses are sealed with `seal`. */
  static async open(file: string, seal: Seal): Promise<RecorderIndex> {
    return new RecorderIndex(await openDatabase(file), seal);
  }

  close(): Promise<void> {
    return this.database.$disconnect();
  }

  /** What the connection really does: 1 = NORMAL. */
  async synchronous(): Promise<number> {
    const rows =
      await this.database.$queryRawUnsafe<{ synchronous: number | bigint }[]>('PRAGMA synchronous');
    return Number(rows[0]?.synchronous);
  }

  // Settings

  async setting(key: string): Promise<string | null> {
    return (await this.database.setting.findUnique({ where: { key } }))?.value ?? null;
  }

  async setSetting(key: string, value: string): Promise<void> {
    await this.database.$executeRawUnsafe(
      'INSERT INTO "Setting" ("key", "value") VALUES (?, ?) ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value"',
      key,
      value,
    );
  }

  // Cameras

  private cameraOf(row: Prisma.CameraGetPayload<object>): CameraRow {
    const { urlSealed, subUrlSealed, ...rest } = row;
    return {
      ...rest,
      url: this.seal.open(urlSealed),
      subUrl: subUrlSealed === null ? null : this.seal.open(subUrlSealed),
      transport: row.transport === 'udp' ? 'udp' : 'tcp',
      createdMs: Number(row.createdMs),
      removedMs: row.removedMs === null ? null : Number(row.removedMs),
    };
  }

  /** Cameras that are not removed, in the order they were added. */
  async cameras(): Promise<CameraRow[]> {
    const rows = await this.database.camera.findMany({
      where: { removedMs: null },
      orderBy: [{ createdMs: 'asc' }, { id: 'asc' }],
    });
    return rows.map((row) => this.cameraOf(row));
  }

  /** Days to keep of every camera that ever was; null = default. Needs no key. */
  async retentionDays(): Promise<Map<string, number | null>> {
    const rows = await this.database.camera.findMany({ select: { id: true, retentionDays: true } });
    return new Map(rows.map((row) => [row.id, row.retentionDays]));
  }

  /** Any camera that ever had this id. */
  async camera(id: string): Promise<CameraRow | null> {
    const row = await this.database.camera.findUnique({ where: { id } });
    return row === null ? null : this.cameraOf(row);
  }

  private sealed({ url, subUrl, createdMs, removedMs, ...rest }: CameraRow) {
    return {
      ...rest,
      urlSealed: this.seal.seal(url),
      subUrlSealed: subUrl === null ? null : this.seal.seal(subUrl),
      createdMs: BigInt(createdMs),
      removedMs: removedMs === null ? null : BigInt(removedMs),
    };
  }

  async addCamera(row: CameraRow): Promise<void> {
    await this.database.camera.createMany({ data: [this.sealed(row)] });
  }

  async changeCamera(row: CameraRow): Promise<void> {
    const { id, ...data } = this.sealed(row);
    await this.database.camera.updateMany({ where: { id }, data });
  }

  // Segments

  /** Every camera adds, closes and tells of a file each minute: this is plain SQL, since Prisma compiles each query anew. */
  async addSegment(row: Omit<SegmentRow, 'id'>): Promise<number> {
    const values = valuesOf(row);
    const [added] = await this.database.$queryRawUnsafe<{ id: number | bigint }[]>(
      `INSERT INTO "Segment" (${SEGMENT_COLUMNS.join(', ')}) VALUES (${values.map(() => '?').join(', ')}) RETURNING "id"`,
      ...values,
    );
    return Number(added!.id);
  }

  /** Adds or replaces by path; used where a row may be there already. */
  async putSegment(row: Omit<SegmentRow, 'id'>): Promise<void> {
    const data = rawSegment(row);
    await this.database.segment.upsert({ where: { path: row.path }, create: data, update: data });
  }

  /** Turns the open row into the closed one; without a row, or if the walk was faster, puts it by its path. */
  async closeSegment(id: number | null, row: Omit<SegmentRow, 'id'>): Promise<void> {
    if (id !== null) {
      try {
        const changed = await this.database.$executeRawUnsafe(
          `UPDATE "Segment" SET ${SEGMENT_COLUMNS.map((name) => `${name} = ?`).join(', ')} WHERE "id" = ?`,
          ...valuesOf(row),
          id,
        );
        if (changed > 0) return;
      } catch {
        await this.dropSegments([id]);
      }
    }
    await this.putSegment(row);
  }

  /** Rows of files that were being written. */
  async openSegments(): Promise<SegmentRow[]> {
    return (await this.database.segment.findMany({ where: { open: true } })).map(segmentOf);
  }

  /** 0 when there is no row. */
  async newestSegmentId(): Promise<number> {
    return (await this.database.segment.aggregate({ _max: { id: true } }))._max.id ?? 0;
  }

  async dropSegments(ids: number[]): Promise<void> {
    for (let at = 0; at < ids.length; at += 500)
      await this.database.segment.deleteMany({ where: { id: { in: ids.slice(at, at + 500) } } });
  }

  /** Closed segments that overlap the range, ascending. */
  async segmentsIn(cameraId: string, stream: StreamName, range: Range): Promise<SegmentRow[]> {
    const rows = await this.database.segment.findMany({
      where: {
        cameraId,
        stream,
        open: false,
        startMs: {
          gte: BigInt(Math.floor(range.startMs) - LONGEST_SEGMENT_MS),
          lt: BigInt(Math.ceil(range.endMs)),
        },
        endMs: { gt: BigInt(Math.floor(range.startMs)) },
      },
      orderBy: { startMs: 'asc' },
    });
    return rows.map(segmentOf);
  }

  /** Rows whose path begins with `folder` (relative, ending in a slash). */
  async segmentsUnder(folder: string): Promise<SegmentRow[]> {
    const last = `${folder.slice(0, -1)}0`;
    const rows = await this.database.segment.findMany({ where: { path: { gte: folder, lt: last } } });
    return rows.map(segmentOf);
  }

  /** All rows by id, a page at a time. */
  async segmentPage(afterId: number, limit: number): Promise<SegmentRow[]> {
    const rows = await this.database.segment.findMany({
      where: { id: { gt: afterId } },
      orderBy: { id: 'asc' },
      take: limit,
    });
    return rows.map(segmentOf);
  }

  /** The oldest closed segments of all cameras, or of one that start before `beforeMs`. */
  async oldestSegments(
    limit: number,
    only?: { cameraId: string; beforeMs: number },
    skip = 0,
  ): Promise<SegmentRow[]> {
    const rows = await this.database.segment.findMany({
      where: {
        open: false,
        ...(only && { cameraId: only.cameraId, endMs: { lt: BigInt(Math.floor(only.beforeMs)) } }),
      },
      orderBy: [{ startMs: 'asc' }, { id: 'asc' }],
      take: limit,
      skip,
    });
    return rows.map(segmentOf);
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
       SELECT "id" AS "cameraId", (
         SELECT min("startMs") FROM (
           SELECT min("startMs") AS "startMs" FROM "Segment" WHERE "cameraId" = "id" AND "stream" = 'main'
           UNION ALL
           SELECT min("startMs") FROM "Segment" WHERE "cameraId" = "id" AND "stream" = 'sub'
         )
       ) AS "sinceMs" FROM "camera" WHERE "id" IS NOT NULL`,
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

  // Gaps

  async addGap(gap: Omit<GapRow, 'id'>): Promise<number> {
    const row = await this.database.gap.create({
      data: {
        ...gap,
        startMs: BigInt(Math.round(gap.startMs)),
        endMs: gap.endMs === null ? null : BigInt(Math.round(gap.endMs)),
      },
    });
    return row.id;
  }

  /** Ends a gap, never before its start. */
  async endGap(id: number, endMs: number): Promise<void> {
    await this.database.$executeRawUnsafe(
      'UPDATE "Gap" SET "endMs" = max("startMs", ?) WHERE "id" = ?',
      Math.round(endMs),
      id,
    );
  }

  /** Ends every gap left open, never before its start. */
  async endOpenGaps(endMs: number): Promise<void> {
    await this.database.$executeRawUnsafe(
      'UPDATE "Gap" SET "endMs" = max("startMs", ?) WHERE "endMs" IS NULL',
      Math.round(endMs),
    );
  }

  async moveGapStart(id: number, startMs: number): Promise<void> {
    await this.database.gap.updateMany({ where: { id }, data: { startMs: BigInt(Math.round(startMs)) } });
  }

  async gapsIn(cameraId: string, stream: StreamName, range: Range): Promise<GapRow[]> {
    const rows = await this.database.gap.findMany({
      where: {
        cameraId,
        stream,
        startMs: { lt: BigInt(Math.ceil(range.endMs)) },
        OR: [{ endMs: null }, { endMs: { gt: BigInt(Math.floor(range.startMs)) } }],
      },
      orderBy: [{ startMs: 'asc' }, { id: 'asc' }],
    });
    return rows.map((row) => ({
      ...row,
      stream: row.stream as StreamName,
      startMs: Number(row.startMs),
      endMs: row.endMs === null ? null : Number(row.endMs),
      cause: row.cause as Cause,
    }));
  }

  // Events

  async addEvent(event: NewEvent): Promise<RecorderEvent> {
    const [row] = await this.database.$queryRawUnsafe<{ id: number | bigint }[]>(
      'INSERT INTO "Event" ("atMs", "kind", "cameraId", "payload") VALUES (?, ?, ?, ?) RETURNING "id"',
      ...[Math.round(event.atMs), event.kind, event.cameraId, JSON.stringify(event.data)],
    );
    return { ...event, id: Number(row!.id) };
  }

  async eventsAfter(id: number, limit: number): Promise<RecorderEvent[]> {
    const rows = await this.database.event.findMany({
      where: { id: { gt: id } },
      orderBy: { id: 'asc' },
      take: limit,
    });
    return rows.map((row) => ({
      id: row.id,
      atMs: Number(row.atMs),
      kind: row.kind as RecorderEventKind,
      cameraId: row.cameraId,
      data: JSON.parse(row.payload) as Record<string, unknown>,
    }));
  }

  /** Forgets old events; segment-closed ones have their own, shorter term. */
  async forgetEvents(beforeMs: number, segmentsBeforeMs: number): Promise<void> {
    await this.database.event.deleteMany({ where: { atMs: { lt: BigInt(Math.floor(beforeMs)) } } });
    await this.database.event.deleteMany({
      where: { kind: 'segment-closed', atMs: { lt: BigInt(Math.floor(segmentsBeforeMs)) } },
    });
  }

  // Deletions

  async addDeletion(row: DeletionRow): Promise<void> {
    await this.database.deletion.createMany({
      data: [
        {
          cameraId: row.cameraId,
          stream: row.stream,
          reason: row.reason,
          atMs: BigInt(Math.round(row.atMs)),
          startMs: BigInt(Math.round(row.startMs)),
          endMs: BigInt(Math.round(row.endMs)),
          sizeBytes: BigInt(row.sizeBytes),
        },
      ],
    });
  }

  async deletionsIn(cameraId: string, stream: StreamName, range: Range): Promise<DeletionRow[]> {
    const rows = await this.database.deletion.findMany({
      where: {
        cameraId,
        stream,
        startMs: { lt: BigInt(Math.ceil(range.endMs)) },
        endMs: { gt: BigInt(Math.floor(range.startMs)) },
      },
      orderBy: { startMs: 'asc' },
    });
    return rows.map((row) => ({
      ...row,
      stream: row.stream as StreamName,
      atMs: Number(row.atMs),
      startMs: Number(row.startMs),
      endMs: Number(row.endMs),
      sizeBytes: Number(row.sizeBytes),
      reason: row.reason as DeletionRow['reason'],
    }));
  }
}
