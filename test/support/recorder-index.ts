import fs from 'node:fs/promises';
import path from 'node:path';
import { createClient } from '@libsql/client';
import { projectRoot } from './project-root.js';

/** Runs the recorder's real migrations into `<folder>/recorder.db`, and gives back that path. */
export async function migrate(folder: string): Promise<string> {
  const file = path.join(folder, 'recorder.db');
  const migrations = path.join(projectRoot, 'prisma/recorder/migrations');
  const database = createClient({ url: `file:${file}` });
  for (const name of (await fs.readdir(migrations)).sort()) {
    if (name.endsWith('.toml')) continue;
    await database.executeMultiple(await fs.readFile(path.join(migrations, name, 'migration.sql'), 'utf8'));
  }
  database.close();
  return file;
}
