import fs from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { projectRoot } from './project-root.js';

/** Runs the recorder's real migrations, or some of them, into `<folder>/recorder.db`, and gives back that path. */
export async function migrate(
  folder: string,
  wanted: (name: string) => boolean = () => true,
): Promise<string> {
  const file = path.join(folder, 'recorder.db');
  const migrations = path.join(projectRoot, 'prisma/recorder/migrations');
  const database = createClient({ url: `file:${file}` });
  // so that the recorder's process finds it ready
  await database.execute(
    'CREATE TABLE IF NOT EXISTS _prisma_migrations (migration_name, finished_at, rolled_back_at)',
  );
  for (const name of (await fs.readdir(migrations)).sort()) {
    if (name.endsWith('.toml') || !wanted(name)) continue;
    await database.executeMultiple(await fs.readFile(path.join(migrations, name, 'migration.sql'), 'utf8'));
    await database.execute({ sql: 'INSERT INTO _prisma_migrations VALUES (?, 1, NULL)', args: [name] });
  }
  database.close();
  return file;
}
