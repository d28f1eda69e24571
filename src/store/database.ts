import { setImmediate as turn } from 'node:timers/promises';
import type { Client, Config, InStatement, ResultSet } from '@libsql/client';
import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { onOneConnection } from '../base/one-connection.js';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;
/** The client inside a transaction. */
export type Transaction = Omit<
  PrismaClient,
  '$connect' | '$disconnect' | '$on' | '$transaction' | '$use' | '$extends'
>;

class OneConnection extends PrismaLibSQL {
  override createClient(config: Config): Client {
    return inTurns(onOneConnection(super.createClient(config)));
  }
}

/** so long queries follow each other before everybody else gets a turn, ms */
const TURN_MS = 4;

/** Begins a statement of `lax`. */
const LAX = '/* lax */ ';

/**
 * Lets the event loop turn between queries. SQLite runs in this thread and Prisma waits for nothing else, so a row of
 * queries is one long run of microtasks: while a few messages were being answered no socket was read, and the
 * platforms' webhooks were not answered in time.
 */
function inTurns(client: Client): Client {
  const execute = client.execute.bind(client);
  let turnedMs = performance.now();
  client.execute = async (statement: InStatement) => {
    const sql = typeof statement === 'string' ? statement : statement.sql;
    const result = await (sql.startsWith(LAX) ? withoutSync(execute, statement) : execute(statement));
    if (performance.now() - turnedMs >= TURN_MS) {
      await turn();
      turnedMs = performance.now();
    }
    return result;
  };
  return client;
}

/** Prisma's adapter runs one statement at a time: nobody else's comes between these. */
async function withoutSync(
  execute: (statement: InStatement) => Promise<ResultSet>,
  statement: InStatement,
): Promise<ResultSet> {
  await execute('PRAGMA synchronous=NORMAL');
  try {
    return await execute(statement);
  } finally {
    await execute('PRAGMA synchronous=FULL');
  }
}

/**
 * One change by plain SQL that is not waited for on the disk: it survives the end of the process, and a power cut once
 * anything later was written durably (the log is kept in order). For what a power cut may take back, since the message
 * is then answered again from the same state. Not inside a transaction.
 */
export const lax = (database: Database, sql: string, ...values: unknown[]): Promise<number> =>
  database.$executeRawUnsafe(LAX + sql, ...values);

/**
 * Opens the bot's database, already migrated. WAL, and synchronous=FULL: what is committed survives a power cut.
 * Once per process: SQLite waits for another writer without letting the event loop turn, so two clients of one process
 * that write at the same time would stand in each other's way for the whole of busy_timeout.
 * @param file path of the SQLite file
 */
export async function openDatabase(file: string): Promise<Database> {
  const database = new PrismaClient({
    adapter: new OneConnection({ url: `file:${file}` }),
    // else its errors repeat what was to be written: words, names, sealed addresses
    errorFormat: 'minimal',
  });
  await database.$queryRawUnsafe('PRAGMA journal_mode=WAL');
  await database.$queryRawUnsafe('PRAGMA synchronous=FULL');
  await database.$queryRawUnsafe('PRAGMA busy_timeout=5000');
  // what is deleted or overwritten is zeroed: a scrubbed password, a withdrawn report
  await database.$queryRawUnsafe('PRAGMA secure_delete=ON');
  return database;
}

/**
 * Runs `work` in one transaction; everything in it goes through `tx`, never through the database itself (that would
 * wait for the transaction to end). Others wait meanwhile, so it must be short: no network, no decoding inside.
 */
export function inTransaction<T>(database: Database, work: (tx: Transaction) => Promise<T>): Promise<T> {
  return database.$transaction(work, { maxWait: 60_000, timeout: 15_000 });
}

/** Did a write fail because such a row is there already? */
export const isDuplicate = (error: unknown) =>
  error instanceof Error && (error as { code?: unknown }).code === 'P2002';
