import process from 'node:process';
import { createClient } from '@libsql/client';

/**
 * A process of its own that looks into one database and tells piece by piece what it sees: SQLite works without letting
 * the event loop turn, and a look that takes too long can be ended. Arguments: the file, "bot" or "recorder".
 */
export type Piece =
  | {
      is: 'facts';
      /** names of migrations, and whether each was finished */
      migrations: { name: string; finished: boolean }[];
      cameras: CameraFact[];
      /** something that was sealed with SECRET_KEY */
      sealed: string[];
      /** the newest thing recorded or noted, epoch ms */
      newestMs: number | null;
      /** the newest message that came by Zalo OA, epoch ms; old ones are forgotten in time */
      zaloHeardMs: number | null;
    }
  | {
      is: 'sizes';
      recordedBytes: number;
      /** each camera's recordings of the last day: their bytes, and from their first start to their last end */
      lately: { cameraId: string; bytes: number; spanMs: number }[];
    }
  /** SQLite's own words; "ok" when whole */
  | { is: 'integrity'; said: string }
  | { is: 'fault'; said: string };

export interface CameraFact {
  /** the recorder's id */
  id: string;
  /** what people say; only the bot knows it */
  number: number | null;
  name: string;
  urlSealed: string | null;
  transport: 'tcp' | 'udp';
  enabled: boolean;
  /** its own days to keep; null: as all */
  retentionDays: number | null;
}

const DAY_MS = 86_400_000;
const [, , file, name] = process.argv;

async function look(): Promise<void> {
  const tell = (piece: Piece) => new Promise((resolve) => process.send?.(piece, resolve));
  const database = createClient({ url: `file:${file}` });
  const rows = async (sql: string, args: (string | number)[] = []) =>
    (await database.execute({ sql, args })).rows;
  try {
    await database.execute('PRAGMA busy_timeout=3000');
    await database.execute('PRAGMA query_only=1');
    const tables = new Set(
      (await rows("SELECT name FROM sqlite_master WHERE type = 'table'")).map((row) => String(row.name)),
    );
    const of = (table: string, sql: string, args: (string | number)[] = []) =>
      tables.has(table) ? rows(sql, args).catch(() => []) : Promise.resolve([]);
    const migrations = await of(
      '_prisma_migrations',
      'SELECT migration_name AS name, finished_at IS NOT NULL AS done FROM _prisma_migrations WHERE rolled_back_at IS NULL',
    );
    const cameras =
      name === 'recorder'
        ? await of(
            'Camera',
            'SELECT id, NULL AS number, name, urlSealed AS sealed, transport, enabled, retentionDays FROM Camera WHERE removedMs IS NULL ORDER BY createdMs, id',
          )
        : await of(
            'Camera',
            "SELECT recorderId AS id, number, name, householdPhoneSealed AS sealed, 'tcp' AS transport, 1 AS enabled, NULL AS retentionDays FROM Camera WHERE removedMs IS NULL ORDER BY number",
          );
    const newest =
      name === 'recorder'
        ? [
            ...(await of('Segment', 'SELECT endMs AS at FROM Segment ORDER BY startMs DESC LIMIT 1')),
            ...(await of('Event', 'SELECT atMs AS at FROM Event ORDER BY id DESC LIMIT 1')),
          ]
        : [];
    const heard =
      name === 'bot'
        ? await of('Inbox', "SELECT MAX(receivedMs) AS at FROM Inbox WHERE channel = 'zalo-oa'")
        : [];
    const sealed = cameras.flatMap((row) => (row.sealed === null ? [] : [String(row.sealed)]));
    await tell({
      is: 'facts',
      migrations: migrations.map((row) => ({ name: String(row.name), finished: Number(row.done) === 1 })),
      cameras: cameras.map((row) => ({
        id: String(row.id),
        number: row.number === null ? null : Number(row.number),
        name: String(row.name),
        urlSealed: name === 'recorder' ? String(row.sealed) : null,
        transport: row.transport === 'udp' ? 'udp' : 'tcp',
        enabled: Number(row.enabled) === 1,
        retentionDays: row.retentionDays === null ? null : Number(row.retentionDays),
      })),
      sealed,
      newestMs: newest.length === 0 ? null : Math.max(...newest.map((row) => Number(row.at))),
      zaloHeardMs: heard[0]?.at == null ? null : Number(heard[0].at),
    });
    if (name === 'recorder' && tables.has('Segment')) {
      const [all] = await rows(
        'SELECT COALESCE(SUM(sizeBytes), 0) AS bytes, MAX(endMs) AS last FROM Segment',
      );
      const day = await rows(
        'SELECT cameraId, SUM(sizeBytes) AS bytes, MIN(startMs) AS first, MAX(endMs) AS last FROM Segment WHERE startMs >= ? GROUP BY cameraId',
        [Number(all?.last ?? 0) - DAY_MS],
      );
      await tell({
        is: 'sizes',
        recordedBytes: Number(all?.bytes ?? 0),
        lately: day.map((row) => ({
          cameraId: String(row.cameraId),
          bytes: Number(row.bytes),
          spanMs: Number(row.last) - Number(row.first),
        })),
      });
    }
    const said = (await rows('PRAGMA integrity_check(3)')).map((row) => String(Object.values(row)[0]));
    await tell({ is: 'integrity', said: said.join('; ') });
  } catch (error) {
    await tell({ is: 'fault', said: error instanceof Error ? `${error.message}` : String(error) });
  } finally {
    database.close();
  }
}

// its parent is gone: nobody is interested any more
process.on('disconnect', () => process.exit());
if (file !== undefined) await look().finally(() => process.disconnect?.());
