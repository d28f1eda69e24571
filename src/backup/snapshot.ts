import { createClient } from '@libsql/client';
import { BackupFault } from './fault.js';

const sqlFault = (name: string, error: unknown) => {
  const said = `${(error as { code?: unknown }).code ?? ''} ${error instanceof Error ? error.message : ''}`;
  const why = /full/i.test(said)
    ? 'ổ đĩa chứa dữ liệu đã đầy, hãy xóa bớt tệp'
    : /notadb|not a database|corrupt|malformed/i.test(said)
      ? 'tệp này bị hỏng, hãy giữ lại các bản sao lưu cũ và chạy npm run doctor'
      : 'hãy xem tài khoản đang chạy có quyền đọc tệp này không';
  return new BackupFault('source-failed', `Không sao chép được dữ liệu ${name}: ${why}.`, { cause: error });
};

/** Reads one value of each row; for a database that nobody else has open, or that is only read. */
async function column(file: string, sql: string): Promise<unknown[]> {
  const client = createClient({ url: `file:${file}` });
  try {
    return (await client.execute(sql)).rows.map((row) => row[0]);
  } finally {
    client.close();
  }
}

/** Throws when SQLite finds the file not whole. */
export async function checkDatabase(name: string, file: string): Promise<void> {
  const said = await column(file, 'PRAGMA quick_check(1)').catch((error: unknown) => {
    throw sqlFault(name, error);
  });
  if (said[0] !== 'ok') throw sqlFault(name, new Error('malformed'));
}

/**
 * Copies a database as it is at one moment, without its side files, while others write to it (their writes go on; the
 * write-ahead log grows meanwhile). The copy is checked.
 */
export async function snapshot(name: string, file: string, target: string): Promise<void> {
  const client = createClient({ url: `file:${file}` });
  try {
    await client.execute('PRAGMA busy_timeout=20000');
    await client.execute({ sql: 'VACUUM INTO ?', args: [target] });
  } catch (error) {
    throw sqlFault(name, error);
  } finally {
    client.close();
  }
  await checkDatabase(name, target);
}

/** Names of the migrations a database has seen, oldest first; none for one that was never migrated. */
export async function migrationsOf(file: string): Promise<string[]> {
  const there = await column(file, "SELECT name FROM sqlite_master WHERE name = '_prisma_migrations'");
  if (there.length === 0) return [];
  const sql =
    'SELECT migration_name FROM _prisma_migrations WHERE finished_at IS NOT NULL ORDER BY migration_name';
  return (await column(file, sql)).map(String);
}

/** The first value of the first row; null when the table is not there. */
export async function ask(file: string, sql: string): Promise<unknown> {
  return (await column(file, sql).catch(() => []))[0] ?? null;
}

/**
 * What waited when an old backup was made was answered and sent by the machine that went on: not again.
 * @returns how many messages that were
 */
export async function settleQueues(file: string, nowMs: number): Promise<number> {
  const client = createClient({ url: `file:${file}` });
  try {
    const results = await client.batch(
      [
        {
          sql: "UPDATE Outbox SET state = 'failed', doneMs = ?, error = 'restored from a backup' WHERE state = 'waiting'",
          args: [nowMs],
        },
        { sql: "UPDATE Inbox SET state = 'done', doneMs = ? WHERE state = 'waiting'", args: [nowMs] },
      ],
      'write',
    );
    return results.reduce((sum, result) => sum + result.rowsAffected, 0);
  } finally {
    client.close();
  }
}
