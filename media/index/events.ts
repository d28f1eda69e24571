import type { RecorderEvent, RecorderEventKind } from '../types.js';
import type { Database } from './database.js';
import type { NewEvent } from './rows.js';

/** What happened, numbered. */
export class Events {
  constructor(private readonly database: Database) {}

  async add(event: NewEvent): Promise<RecorderEvent> {
    const [row] = await this.database.$queryRawUnsafe<{ id: number | bigint }[]>(
      'INSERT INTO "Event" ("atMs", "kind", "cameraId", "payload") VALUES (?, ?, ?, ?) RETURNING "id"',
      ...[Math.round(event.atMs), event.kind, event.cameraId, JSON.stringify(event.data)],
    );
    return { ...event, id: Number(row!.id) };
  }

  async after(id: number, limit: number): Promise<RecorderEvent[]> {
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
  async forget(beforeMs: number, segmentsBeforeMs: number): Promise<void> {
    await this.database.event.deleteMany({ where: { atMs: { lt: BigInt(Math.floor(beforeMs)) } } });
    await this.database.event.deleteMany({
      where: { kind: 'segment-closed', atMs: { lt: BigInt(Math.floor(segmentsBeforeMs)) } },
    });
  }
}
