import type { Database } from './database.js';

/** Single values, by name. */
export class Settings {
  constructor(private readonly database: Database) {}

  async read(key: string): Promise<string | null> {
    return (await this.database.setting.findUnique({ where: { key } }))?.value ?? null;
  }

  async write(key: string, value: string): Promise<void> {
    await this.database.$executeRawUnsafe(
      'INSERT INTO "Setting" ("key", "value") VALUES (?, ?) ON CONFLICT ("key") DO UPDATE SET "value" = excluded."value"',
      key,
      value,
    );
  }
}
