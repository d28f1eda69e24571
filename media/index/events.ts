import type { RecorderEvent, RecorderEventKind } from '../types.js';
import type { Database } from './database.js';
import type { NewEvent } from './rows.js';

interface RawEvent {
  id: number | bigint;
  atMs: number | bigint;
  kind: RecorderEventKind;
  cameraId: string | null;
  payload: string;
}

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

  /**
   * Numbers go on at `first` at least: whoever has seen numbers of an index that is lost, or those that a power cut or an
   * older copy of this index took out of it, is told all that comes. True: it is new.
   */
  async begin(first: number): Promise<boolean> {
    const begun = await this.database.$executeRawUnsafe(
      `INSERT INTO sqlite_sequence ("name", "seq")
       SELECT 'Event', ? WHERE NOT EXISTS (SELECT 1 FROM sqlite_sequence WHERE "name" = 'Event')`,
      first,
    );
    await this.database.$executeRawUnsafe(
      `UPDATE sqlite_sequence SET "seq" = max("seq", ?) WHERE "name" = 'Event'`,
      first,
    );
    return begun > 0;
  }

  /** Plain SQL: numbers are beyond Prisma's Int. */
  async after(id: number, limit: number): Promise<RecorderEvent[]> {
    const rows = await this.database.$queryRawUnsafe<RawEvent[]>(
      'SELECT "id", "atMs", "kind", "cameraId", "payload" FROM "Event" WHERE "id" > ? ORDER BY "id" LIMIT ?',
      ...[id, limit],
    );
    return rows.map((row) => ({
      id: Number(row.id),
      atMs: Number(row.atMs),
      kind: row.kind,
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
