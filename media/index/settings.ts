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

  /** Was the index before this one lost, and is not all put back yet of what only records tell? */
  async isLost(): Promise<boolean> {
    return (await this.read(LOST)) === '1';
  }

  noteLost(lost: boolean): Promise<void> {
    return this.write(LOST, lost ? '1' : '');
  }

  /** Written every few seconds while the recorder runs. */
  live(nowMs: number): Promise<void> {
    return this.write(ALIVE, String(nowMs));
  }
}
