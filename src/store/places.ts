import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

export interface Hamlet {
  id: number;
  name: string;
}

export interface Site {
  id: number;
  name: string;
  hamletId: number | null;
  latitude: number | null;
  longitude: number | null;
}

export async function listHamlets(db: Store): Promise<Hamlet[]> {
  return db.hamlet.findMany({ orderBy: { name: 'asc' } });
}

/** Finds the hamlet by its exact name, or makes it. */
export async function ensureHamlet(db: Store, name: string): Promise<Hamlet> {
  return db.hamlet.upsert({ where: { name }, create: { name }, update: {} });
}

export async function listSites(db: Store): Promise<Site[]> {
  return db.site.findMany({ orderBy: { name: 'asc' } });
}

/** Finds the site by its exact name, or makes it in the hamlet. */
export async function ensureSite(db: Store, name: string, hamletId: number | null): Promise<Site> {
  const known = await db.site.findFirst({ where: { name } });
  return known ?? db.site.create({ data: { name, hamletId } });
}

export async function changeSite(db: Store, id: number, change: Partial<Omit<Site, 'id'>>): Promise<void> {
  await db.site.update({ where: { id }, data: change });
}
