import type { Cause, Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import type { Prisma } from './generated/client.js';
import type { GapRow } from './rows.js';

const gapOf = (row: Prisma.GapGetPayload<object>): GapRow => ({
  ...row,
  stream: row.stream as StreamName,
  startMs: Number(row.startMs),
  endMs: row.endMs === null ? null : Number(row.endMs),
  cause: row.cause as GapRow['cause'],
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

  /** Gaps that last: none of them is a loss, whose end is known from the first. */
  async open(): Promise<(GapRow & { cause: Cause })[]> {
    const rows = await this.database.gap.findMany({ where: { endMs: null } });
    return rows.map(gapOf) as (GapRow & { cause: Cause })[];
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
