import { setImmediate as breathe } from 'node:timers/promises';
import type { Seal } from '../../src/base/seal.js';
import type {
  CameraIdentity,
  Cause,
  ClockStep,
  Deletion,
  DeletionQuery,
  Hold,
  Range,
  RecorderEvent,
  RecorderEventKind,
  StreamName,
} from '../types.js';
import { type Database, openDatabase } from './database.js';
import type { Prisma } from './generated/client.js';
import type { CameraRow, DeletionRow, GapRow, NewEvent, SealedCamera, SegmentRow } from './rows.js';

/** No segment is longer than this, so that a range needs to look back no further. */
const LONGEST_SEGMENT_MS = 15 * 60_000;
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

const deletionOf = (row: Prisma.DeletionGetPayload<object>) => ({
  ...row,
  stream: row.stream as StreamName,
  atMs: Number(row.atMs),
  startMs: Number(row.startMs),
  endMs: Number(row.endMs),
  sizeBytes: Number(row.sizeBytes),
  reason: row.reason as DeletionRow['reason'],
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

const UNKNOWN_DEVICE = {
  ...{ serial: null, mac: null, make: null, model: null, endpoint: null, onvifPort: null },
} satisfies CameraIdentity;

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
    const { urlSealed, subUrlSealed, serial, mac, make, model, endpoint, onvifPort, ...rest } = row;
    const identity = { serial, mac, make, model, endpoint, onvifPort };
    return {
      ...rest,
      identity: Object.values(identity).every((part) => part === null) ? null : identity,
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

  private sealed({ url, subUrl, createdMs, removedMs, identity, ...rest }: CameraRow) {
    return {
      ...rest,
      ...(identity ?? UNKNOWN_DEVICE),
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

  /** Every camera that ever was, as it is kept: addresses stay sealed. */
  async sealedCameras(): Promise<SealedCamera[]> {
    const rows = await this.database.camera.findMany({ orderBy: [{ createdMs: 'asc' }, { id: 'asc' }] });
    return rows.map((row) => ({
      ...row,
      createdMs: Number(row.createdMs),
      removedMs: row.removedMs === null ? null : Number(row.removedMs),
    }));
  }

  /** Takes cameras back as `sealedCameras` gave them, all or none. Throws when one is not like that. */
  async restoreCameras(cameras: SealedCamera[]): Promise<void> {
    await this.database.camera.createMany({
      data: cameras.map(({ createdMs, removedMs, ...rest }) => ({
        ...(rest as Omit<Prisma.CameraCreateManyInput, 'createdMs' | 'removedMs'>),
        createdMs: BigInt(createdMs),
        removedMs: removedMs === null ? null : BigInt(removedMs),
      })),
    });
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

  /**
   * What closed segments cover of a stream around the range, merged where at most `seamMs` lies between two; ascending.
   * Read from the index alone: a month of a camera is some 43,000 rows, of which only those at a hole come out.
   */
  async recordedIn(cameraId: string, stream: StreamName, range: Range, seamMs: number): Promise<Range[]> {
    const where = '"cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ? AND "open" = 0';
    const values = [cameraId, stream, Math.floor(range.startMs) - LONGEST_SEGMENT_MS, Math.ceil(range.endMs)];
    const opens = await this.database.$queryRawUnsafe<
      { startMs: number | bigint; before: number | bigint | null }[]
    >(
      `SELECT "startMs", "before" FROM (
         SELECT "startMs",
           max("endMs") OVER (ORDER BY "startMs" ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS "before"
         FROM "Segment" WHERE ${where}
       ) WHERE "before" IS NULL OR "startMs" - "before" > ? ORDER BY "startMs"`,
      ...values,
      seamMs,
    );
    const [last] = await this.database.$queryRawUnsafe<{ endMs: number | bigint | null }[]>(
      `SELECT max("endMs") AS "endMs" FROM "Segment" WHERE ${where}`,
      ...values,
    );
    return opens
      .map(({ startMs }, i) => ({
        startMs: Number(startMs),
        endMs: Number(opens[i + 1]?.before ?? last?.endMs ?? startMs),
      }))
      .filter(({ endMs }) => endMs > range.startMs);
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
    return rows.map(segmentOf).map((row) => ({ ...row, id: Number(row.id), open: false }));
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

  // The clock

  async addClockStep({ fromMs, toMs }: ClockStep): Promise<void> {
    await this.database.clockStep.createMany({ data: [{ fromMs: BigInt(fromMs), toMs: BigInt(toMs) }] });
  }

  /** Steps whose stretch touches the range, in the order in which they were made. There are few of them. */
  async clockStepsIn({ startMs, endMs }: Range): Promise<ClockStep[]> {
    const rows = await this.database.clockStep.findMany({ orderBy: { id: 'asc' } });
    return rows
      .map((row) => ({ fromMs: Number(row.fromMs), toMs: Number(row.toMs) }))
      .filter(({ fromMs, toMs }) => Math.min(fromMs, toMs) < endMs && Math.max(fromMs, toMs) > startMs);
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
    return rows.map(deletionOf);
  }

  /** By ascending id; a range: those that overlap it. */
  async deletionPage({
    cameraId,
    startMs,
    endMs,
    after = 0,
    limit = 200,
  }: DeletionQuery): Promise<Deletion[]> {
    const rows = await this.database.deletion.findMany({
      where: {
        id: { gt: after },
        ...(cameraId !== undefined && { cameraId }),
        ...(endMs !== undefined && { startMs: { lt: BigInt(Math.ceil(endMs)) } }),
        ...(startMs !== undefined && { endMs: { gt: BigInt(Math.floor(startMs)) } }),
      },
      orderBy: { id: 'asc' },
      take: limit,
    });
    return rows.map(deletionOf);
  }

  // Holds: copies of the files beside the recordings

  async holds(): Promise<Hold[]> {
    const rows = await this.database.hold.findMany();
    return rows.map(({ releasedMs, releasedBy, releasedWhy, ...row }) => ({
      ...row,
      rank: row.rank as Hold['rank'],
      streams: row.streams as Hold['streams'],
      startMs: Number(row.startMs),
      endMs: Number(row.endMs),
      createdMs: Number(row.createdMs),
      untilMs: row.untilMs === null ? null : Number(row.untilMs),
      released:
        releasedMs === null
          ? null
          : { atMs: Number(releasedMs), by: releasedBy ?? '', why: releasedWhy ?? '' },
    }));
  }

  /** Adds or replaces. */
  async putHold({ released, ...hold }: Hold): Promise<void> {
    const data = {
      ...hold,
      startMs: BigInt(hold.startMs),
      endMs: BigInt(hold.endMs),
      createdMs: BigInt(hold.createdMs),
      untilMs: hold.untilMs === null ? null : BigInt(hold.untilMs),
      releasedMs: released === null ? null : BigInt(released.atMs),
      releasedBy: released?.by ?? null,
      releasedWhy: released?.why ?? null,
    };
    await this.database.hold.upsert({ where: { id: hold.id }, create: data, update: data });
  }
}
