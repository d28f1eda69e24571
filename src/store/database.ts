import type { Client, Config } from '@libsql/client';
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
    return onOneConnection(super.createClient(config));
  }
}

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
