import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;

/**
 * Opens the index, already migrated. WAL and synchronous=NORMAL: a power cut may cost the newest rows, which are
 * rebuilt from the files. The settings belong to the connection, and libsql takes a new one after a transaction:
 * the index uses none (each of its writes is one statement).
 * @param file path of the SQLite file
 */
export async function openDatabase(file: string): Promise<Database> {
  const database = new PrismaClient({ adapter: new PrismaLibSQL({ url: `file:${file}` }) });
  await database.$queryRawUnsafe('PRAGMA journal_mode=WAL');
  await database.$queryRawUnsafe('PRAGMA synchronous=NORMAL');
  await database.$queryRawUnsafe('PRAGMA busy_timeout=5000');
  return database;
}
