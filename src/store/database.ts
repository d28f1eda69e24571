import type { Client, Config, Transaction as LibsqlTransaction } from '@libsql/client';
import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;
/** The client inside a transaction. */
export type Transaction = Omit<
  PrismaClient,
  '$connect' | '$disconnect' | '$on' | '$transaction' | '$use' | '$extends'
>;

/**
 * One connection for everything. The stock client opens a fresh connection after each transaction, which loses the
 * PRAGMAs below and leaves the old one to the garbage collector. The adapter lets one transaction run at a time and
 * holds everything else back meanwhile, so BEGIN IMMEDIATE on the one connection is safe.
 */
class OneConnection extends PrismaLibSQL {
  override createClient(config: Config): Client {
    const client = super.createClient(config);
    return new Proxy(client, {
      get(target, property) {
        if (property === 'transaction') return () => begin(target);
        const value: unknown = Reflect.get(target, property);
        return typeof value === 'function' ? value.bind(target) : value;
      },
    });
  }
}

async function begin(client: Client): Promise<LibsqlTransaction> {
  await client.execute('BEGIN IMMEDIATE');
  let open = true;
  const end = async (statement: string) => {
    if (!open) return;
    open = false;
    await client.execute(statement);
  };
  return {
    execute: (statement: Parameters<Client['execute']>[0]) => client.execute(statement),
    batch: async (statements: Parameters<LibsqlTransaction['batch']>[0]) => {
      const results = [];
      for (const statement of statements) results.push(await client.execute(statement));
      return results;
    },
    executeMultiple: (sql: string) => client.executeMultiple(sql),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    close: () => void end('ROLLBACK').catch(() => {}),
    get closed() {
      return !open;
    },
  } as LibsqlTransaction;
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
