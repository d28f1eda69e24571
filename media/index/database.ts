import type { Client, Config } from '@libsql/client';
import { PrismaLibSQL } from '@prisma/adapter-libsql';
import { onOneConnection } from '../../src/base/one-connection.js';
import { type IndexFault, watched } from './fault.js';
import { PrismaClient } from './generated/client.js';

export type Database = PrismaClient;

class OneConnection extends PrismaLibSQL {
  constructor(
    config: Config,
    private readonly onFault: (fault: IndexFault) => void,
  ) {
    super(config);
  }

  override createClient(config: Config): Client {
    return onOneConnection(watched(super.createClient(config), this.onFault));
  }
}

/**
 * Opens the index, already migrated. WAL and synchronous=NORMAL: a power cut may cost the newest rows, which are
 * rebuilt from the files.
 * @param file path of the SQLite file
 * @param onFault a statement failed because of the file
 */
export async function openDatabase(file: string, onFault: (fault: IndexFault) => void): Promise<Database> {
  const database = new PrismaClient({ adapter: new OneConnection({ url: `file:${file}` }, onFault) });
  await database.$queryRawUnsafe('PRAGMA journal_mode=WAL');
  await database.$queryRawUnsafe('PRAGMA synchronous=NORMAL');
  await database.$queryRawUnsafe('PRAGMA busy_timeout=5000');
  return database;
}
