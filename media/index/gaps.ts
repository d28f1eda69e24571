import type { Cause, Range, StreamName } from '../types.js';
import type { Database } from './database.js';
import type { GapRow } from './rows.js';

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

  /** Ends every gap left open, never before its start. */
  async endOpen(endMs: number): Promise<void> {
    await this.database.$executeRawUnsafe(
      'UPDATE "Gap" SET "endMs" = max("startMs", ?) WHERE "endMs" IS NULL',
      Math.round(endMs),
    );
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
    return rows.map((row) => ({
      ...row,
      stream: row.stream as StreamName,
      startMs: Number(row.startMs),
      endMs: row.endMs === null ? null : Number(row.endMs),
      cause: row.cause as Cause,
    }));
  }
}
