import type { Deletion, DeletionQuery, Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import type { Prisma } from './generated/client.js';
import { merged } from './merged.js';
import type { DeletionRow } from './rows.js';
import { LONGEST_SEGMENT_MS } from './segments.js';

const deletionOf = (row: Prisma.DeletionGetPayload<object>) => ({
  ...row,
  stream: row.stream as StreamName,
  atMs: Number(row.atMs),
  startMs: Number(row.startMs),
  endMs: Number(row.endMs),
  sizeBytes: Number(row.sizeBytes),
  reason: row.reason as DeletionRow['reason'],
});

const DELETED = merged(
  '"Deletion" WHERE "cameraId" = ? AND "stream" = ? AND "startMs" >= ? AND "startMs" < ? AND "endMs" > ?',
);

/** What was deleted and why. */
export class Deletions {
  constructor(private readonly database: Database) {}

  /** @returns its id */
  async add(row: DeletionRow): Promise<number> {
    const added = await this.database.deletion.create({
      data: {
        cameraId: row.cameraId,
        stream: row.stream,
        reason: row.reason,
        atMs: BigInt(Math.round(row.atMs)),
        startMs: BigInt(Math.round(row.startMs)),
        endMs: BigInt(Math.round(row.endMs)),
        sizeBytes: BigInt(row.sizeBytes),
      },
      select: { id: true },
    });
    return added.id;
  }

  /** The last ones noted, the newest first. */
  async last(limit: number): Promise<Pick<DeletionRow, 'cameraId' | 'stream' | 'startMs'>[]> {
    const rows = await this.database.deletion.findMany({ orderBy: { id: 'desc' }, take: limit });
    return rows.map(deletionOf);
  }

  /** The file could not be removed after all. */
  async withdraw(id: number): Promise<void> {
    await this.database.deletion.deleteMany({ where: { id } });
  }

  async within(cameraId: string, stream: StreamName, range: Range): Promise<DeletionRow[]> {
    const rows = await this.database.deletion.findMany({
      where: {
        cameraId,
        stream,
        startMs: {
          gte: BigInt(Math.floor(range.startMs) - LONGEST_SEGMENT_MS),
          lt: BigInt(Math.ceil(range.endMs)),
        },
        endMs: { gt: BigInt(Math.floor(range.startMs)) },
      },
      orderBy: { startMs: 'asc' },
    });
    return rows.map(deletionOf);
  }

  /** What was deleted of a stream in a range, merged by the index: a month of files that went by age are 43,200 rows. */
  async deletedIn(cameraId: string, stream: StreamName, range: Range): Promise<Range[]> {
    const rows = await this.database.$queryRawUnsafe<Record<'startMs' | 'endMs', number | bigint>[]>(
      DELETED,
      ...[cameraId, stream, Math.floor(range.startMs) - LONGEST_SEGMENT_MS, Math.ceil(range.endMs)],
      Math.floor(range.startMs),
    );
    return rows.map(({ startMs, endMs }) => ({ startMs: Number(startMs), endMs: Number(endMs) }));
  }

  /** By ascending id; a range: those that overlap it. */
  async page({ cameraId, startMs, endMs, after = 0, limit = 200 }: DeletionQuery): Promise<Deletion[]> {
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
}
