import type { Database } from './database.js';

const ALIVE = 'aliveMs';

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

  /** The last sign of life, epoch ms; null: the first start with this index. */
  async lastLife(): Promise<number | null> {
    return Number(await this.read(ALIVE)) || null;
  }

  /** Written every few seconds while the recorder runs. */
  live(nowMs: number): Promise<void> {
    return this.write(ALIVE, String(nowMs));
  }
}
