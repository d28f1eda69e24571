import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { type Database, openDatabase } from '../../src/store/database.js';
import { projectRoot } from './project-root.js';

export interface TestDatabase {
  database: Database;
  /** the SQLite file, in a folder of its own under the system's temp folder */
  file: string;
  dir: string;
  /** closes it and removes its folder */
  close(): Promise<void>;
}

/** Makes all tables of the bot in an empty database. */
export async function migrate(database: Database): Promise<void> {
  const migrations = path.join(projectRoot, 'prisma', 'bot', 'migrations');
  for (const name of (await fs.readdir(migrations)).sort()) {
    const file = path.join(migrations, name, 'migration.sql');
    const sql = await fs.readFile(file, 'utf8').catch(() => '');
    for (const statement of sql.split(/;\s*$/m)) {
      const bare = statement.replace(/^\s*--.*$/gm, '').trim();
      if (bare !== '') await database.$executeRawUnsafe(bare);
    }
  }
}

/** A real, migrated database of the bot in a temp folder. */
export async function openTestDatabase(): Promise<TestDatabase> {
  const dir = await fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-bot-'));
  const file = path.join(dir, 'bot.db');
  const database = await openDatabase(file);
  await migrate(database);
  return {
    database,
    file,
    dir,
    async close() {
      await database.$disconnect();
      await fs.rm(dir, { recursive: true, force: true, maxRetries: 5 });
    },
  };
}
