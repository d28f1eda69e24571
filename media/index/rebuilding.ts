import type { ClockStep } from '../types.js';
import type { Database } from './database.js';
import type { DeletionRow, GapRow, SegmentRow } from './rows.js';

/** What the index knows of a file, as far as that can be compared with the file. */
export interface KnownFile {
  id: number;
  path: string;
  sizeBytes: number;
  startMs: number;
  endMs: number;
  open: boolean;
}

/**
 * SQLite copies its log into the file when it is so long, in pages; the recording waits for it. Many rows make a long log,
 * so while they are put back it is copied in shorter pieces: at most 20 ms each instead of 40, and no slower in all.
 */
const PAGES = { otherwise: 1000, rebuilding: 200 };

/** The first path that no longer lies below a folder (relative, ending in a slash). */
export const behind = (folder: string) => `${folder.slice(0, -1)}0`;

/**
 * Puts back what the files tell, many rows a time: each call is one statement and so one transaction, its rows handed
 * over as one JSON text, which costs a third of Prisma's createMany. What is there already is left as it is.
 * A few hundred rows a call: meanwhile the recording waits.
 */
export class Rebuilding {
  constructor(private readonly database: Database) {}

  /** Many rows are coming (true), or that is over. */
  async expect(rows: boolean): Promise<void> {
    const pages = rows ? PAGES.rebuilding : PAGES.otherwise;
    await this.database.$queryRawUnsafe(`PRAGMA wal_autocheckpoint=${pages}`);
  }

  /** Rows whose path begins with `folder` (relative, ending in a slash). */
  async under(folder: string): Promise<KnownFile[]> {
    const rows = await this.database.$queryRawUnsafe<
      Record<'id' | 'sizeBytes' | 'startMs' | 'endMs' | 'open' | 'path', number | bigint | string>[]
    >(
      `SELECT "id", "path", "sizeBytes", "startMs", "endMs", "open" FROM "Segment"
       WHERE "path" >= ? AND "path" < ?`,
      ...[folder, behind(folder)],
    );
    return rows.map((row) => ({
      path: String(row.path),
      ...{ id: Number(row.id), sizeBytes: Number(row.sizeBytes), open: Number(row.open) !== 0 },
      ...{ startMs: Number(row.startMs), endMs: Number(row.endMs) },
    }));
  }

  /** The first path from `from` on, in their order; null: there is none. */
  async pathFrom(from: string): Promise<string | null> {
    const [row] = await this.database.$queryRawUnsafe<{ path: string }[]>(
      'SELECT "path" FROM "Segment" WHERE "path" >= ? ORDER BY "path" LIMIT 1',
      from,
    );
    return row?.path ?? null;
  }

  /** Adds closed segments in the order given, but for those whose path has a row. */
  async addSegments(rows: readonly Omit<SegmentRow, 'id' | 'open'>[]): Promise<void> {
    await this.put(
      `INSERT INTO "Segment"
         ("cameraId", "stream", "startMs", "endMs", "path", "sizeBytes", "codec", "width", "height", "open")
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6, value->>7, value->>8, 0
       FROM json_each(?) WHERE true ON CONFLICT ("path") DO NOTHING`,
      rows.map((row) => [
        ...[row.cameraId, row.stream, Math.round(row.startMs), Math.round(row.endMs), row.path],
        ...[row.sizeBytes, row.codec, row.width, row.height],
      ]),
    );
  }

  /** Adds deletions, but for those of a recording that is noted as deleted. */
  async addDeletions(rows: readonly DeletionRow[]): Promise<void> {
    await this.put(
      `INSERT INTO "Deletion" ("atMs", "cameraId", "stream", "startMs", "endMs", "sizeBytes", "reason")
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4, value->>5, value->>6 FROM json_each(?)
       WHERE NOT EXISTS (SELECT 1 FROM "Deletion" WHERE "cameraId" = value->>1 AND "stream" = value->>2
         AND "startMs" = value->>3 AND "endMs" = value->>4)`,
      rows.map((row) => [
        ...[row.atMs, row.cameraId, row.stream, row.startMs, row.endMs, row.sizeBytes, row.reason],
      ]),
    );
  }

  /** Adds gaps that are over, but for those of which a gap of the same start and cause is known. */
  async addGaps(rows: readonly Omit<GapRow, 'id'>[]): Promise<void> {
    await this.put(
      `INSERT INTO "Gap" ("cameraId", "stream", "startMs", "endMs", "cause")
       SELECT value->>0, value->>1, value->>2, value->>3, value->>4 FROM json_each(?)
       WHERE NOT EXISTS (SELECT 1 FROM "Gap" WHERE "cameraId" = value->>0 AND "stream" = value->>1
         AND "startMs" = value->>2 AND "cause" = value->>4)`,
      rows.map((row) => [row.cameraId, row.stream, row.startMs, row.endMs, row.cause]),
    );
  }

  /** Adds clock steps that are not known, in the order given. */
  async addClockSteps(rows: readonly ClockStep[]): Promise<void> {
    await this.put(
      `INSERT INTO "ClockStep" ("fromMs", "toMs") SELECT value->>0, value->>1 FROM json_each(?)
       WHERE NOT EXISTS (SELECT 1 FROM "ClockStep" WHERE "fromMs" = value->>0 AND "toMs" = value->>1)`,
      rows.map((row) => [row.fromMs, row.toMs]),
    );
  }

  private async put(statement: string, rows: readonly unknown[]): Promise<void> {
    if (rows.length > 0) await this.database.$executeRawUnsafe(statement, JSON.stringify(rows));
  }
}
