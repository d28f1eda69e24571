import type { Hold } from '../types.js';
import type { Database } from './database.js';

/** Copies of the files beside the recordings. */
export class HoldRows {
  constructor(private readonly database: Database) {}

  async list(): Promise<Hold[]> {
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
  async put({ released, ...hold }: Hold): Promise<void> {
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
