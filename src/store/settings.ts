import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** A small fact of the installation, or null. */
export async function readSetting(db: Store, key: string): Promise<string | null> {
  return (await db.setting.findUnique({ where: { key } }))?.value ?? null;
}

export async function writeSetting(db: Store, key: string, value: string): Promise<void> {
  await db.setting.upsert({ where: { key }, create: { key, value }, update: { value } });
}

export async function dropSetting(db: Store, key: string): Promise<void> {
  await db.setting.deleteMany({ where: { key } });
}

/** A fact kept as JSON, or null. */
export async function readFact<T>(db: Store, key: string): Promise<T | null> {
  const value = await readSetting(db, key);
  return value === null ? null : (JSON.parse(value) as T);
}

export async function writeFact(db: Store, key: string, fact: unknown): Promise<void> {
  await writeSetting(db, key, JSON.stringify(fact));
}

/** Every fact whose key begins with `prefix`, by key. */
export async function settingsUnder(db: Store, prefix: string): Promise<{ key: string; value: string }[]> {
  return db.setting.findMany({ where: { key: { startsWith: prefix } }, orderBy: { key: 'asc' } });
}
