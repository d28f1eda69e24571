import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;
/** The client inside a transaction. */
export type Transaction = Omit<
  PrismaClient,
  '$connect' | '$disconnect' | '$on' | '$transaction' | '$use' | '$extends'
>;

/**
 * Opens the bot's database, already migrated. WAL, and synchronous=FULL: what is committed survives a power cut.
 * @param file path of the SQLite file
 */
export async function openDatabase(file: string): Promise<Database> {
  const database = new PrismaClient({ adapter: new PrismaLibSQL({ url: `file:${file}` }) });
  await database.$queryRawUnsafe('PRAGMA journal_mode=WAL');
  await database.$queryRawUnsafe('PRAGMA synchronous=FULL');
  await database.$queryRawUnsafe('PRAGMA busy_timeout=5000');
  return database;
}
