import type { Client, Config, Transaction } from '@libsql/client';
import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;

/**
 * Keeps to one connection: the stock client opens a fresh one after each transaction (Prisma makes one for some
 * single statements too), which would lose the settings below. The adapter holds everything else back meanwhile.
 */
class OneConnection extends PrismaLibSQL {
  override createClient(config: Config): Client {
    const client = super.createClient(config);
    client.transaction = () => begin(client);
    return client;
  }
}

async function begin(client: Client): Promise<Transaction> {
  await client.execute('BEGIN IMMEDIATE');
  let closed = false;
  const end = async (statement: 'COMMIT' | 'ROLLBACK') => {
    if (closed) return;
    closed = true;
    await client.execute(statement);
  };
  const transaction: Transaction = {
    execute: (statement) => client.execute(statement),
    async batch(statements) {
      const results = [];
      for (const statement of statements) results.push(await client.execute(statement));
      return results;
    },
    executeMultiple: (sql) => client.executeMultiple(sql),
    commit: () => end('COMMIT'),
    rollback: () => end('ROLLBACK'),
    close: () => void end('ROLLBACK').catch(() => {}),
    get closed() {
      return closed;
    },
  };
  return transaction;
}

/**
 * Opens the index, already migrated. WAL and synchronous=NORMAL: a power cut may cost the newest rows, which are
 * rebuilt from the files.
 * @param file path of the SQLite file
 */
export async function openDatabase(file: string): Promise<Database> {
  const database = new PrismaClient({ adapter: new OneConnection({ url: `file:${file}` }) });
  await database.$queryRawUnsafe('PRAGMA journal_mode=WAL');
  await database.$queryRawUnsafe('PRAGMA synchronous=NORMAL');
  await database.$queryRawUnsafe('PRAGMA busy_timeout=5000');
  return database;
}
