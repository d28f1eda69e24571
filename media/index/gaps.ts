import type { Cause, Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import type { Prisma } from './generated/client.js';
import type { GapRow } from './rows.js';

const gapOf = (row: Prisma.GapGetPayload<object>): GapRow => ({
  ...row,
  stream: row.stream as StreamName,
  startMs: Number(row.startMs),
  endMs: row.endMs === null ? null : Number(row.endMs),
  cause: row.cause as Cause,
});

/** Stretches without recording, each with its cause. */
export class Gaps {
  constructor(private readonly database: Database) {}

  async add(gap: Omit<GapRow, 'id'>): Promise<number> {
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
  async end(id: number, endMs: number): Promise<void> {
    await this.database.$executeRawUnsafe(
      'UPDATE "Gap" SET "endMs" = max("startMs", ?) WHERE "id" = ?',
      Math.round(endMs),
      id,
    );
  }

  /** Gaps that last. */
  async open(): Promise<GapRow[]> {
    return (await this.database.gap.findMany({ where: { endMs: null } })).map(gapOf);
  }

  async moveStart(id: number, startMs: number): Promise<void> {
    await this.database.gap.updateMany({ where: { id }, data: { startMs: BigInt(Math.round(startMs)) } });
  }

  async within(cameraId: string, stream: StreamName, range: Range): Promise<GapRow[]> {
    const rows = await this.database.gap.findMany({
      where: {
        cameraId,
        stream,
        startMs: { lt: BigInt(Math.ceil(range.endMs)) },
        OR: [{ endMs: null }, { endMs: { gt: BigInt(Math.floor(range.startMs)) } }],
      },
      orderBy: [{ startMs: 'asc' }, { id: 'asc' }],
    });
    return rows.map(gapOf);
  }
}
