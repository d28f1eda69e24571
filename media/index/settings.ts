import type { Database } from './database.js';

const ALIVE = 'aliveMs';
const LOST = 'lost';

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

  /**
   * From when on what only records tell is not all put back yet, epoch ms: from the first on (1) where the index before this
   * one was lost, from its last sign of life on where this one is older than the recordings. Null: all is there.
   */
  async lostSince(): Promise<number | null> {
    return Number(await this.read(LOST)) || null;
  }

  noteLost(sinceMs: number | null): Promise<void> {
    return this.write(LOST, sinceMs === null ? '' : String(Math.round(sinceMs)));
  }

  /** Written every few seconds while the recorder runs. */
  live(nowMs: number): Promise<void> {
    return this.write(ALIVE, String(nowMs));
  }
}
