import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** One stretch without a camera, and what people were told of it. */
export interface Outage {
  id: number;
  cameraId: number;
  sinceMs: number;
  reason: string;
  toldMs: number | null;
  backMs: number | null;
  toldBackMs: number | null;
}

interface Row {
  id: number;
  cameraId: number;
  sinceMs: bigint;
  reason: string;
  toldMs: bigint | null;
  backMs: bigint | null;
  toldBackMs: bigint | null;
}

const maybe = (ms: bigint | null) => (ms === null ? null : Number(ms));
const seen = (row: Row): Outage => ({
  ...row,
  sinceMs: Number(row.sinceMs),
  toldMs: maybe(row.toldMs),
  backMs: maybe(row.backMs),
  toldBackMs: maybe(row.toldBackMs),
});

/** Outages that have not ended, oldest first. */
export async function openOutages(db: Store): Promise<Outage[]> {
  return (await db.outage.findMany({ where: { backMs: null }, orderBy: { sinceMs: 'asc' } })).map(seen);
}

/** Outages that ended, but nobody was told of the end yet. */
export async function endedUntold(db: Store): Promise<Outage[]> {
  const rows = await db.outage.findMany({
    where: { backMs: { not: null }, toldBackMs: null },
    orderBy: { sinceMs: 'asc' },
  });
  return rows.map(seen);
}

/** Begins an outage unless one is open for the camera; a new reason is kept. */
export async function beginOutage(
  db: Store,
  outage: { cameraId: number; sinceMs: number; reason: string },
): Promise<void> {
  const open = await db.outage.findFirst({ where: { cameraId: outage.cameraId, backMs: null } });
  if (open === null) await db.outage.create({ data: { ...outage, sinceMs: BigInt(outage.sinceMs) } });
  else if (open.reason !== outage.reason)
    await db.outage.update({ where: { id: open.id }, data: { reason: outage.reason } });
}

/** Ends the camera's open outage, if any; an end before its beginning belongs to an older one and changes nothing. */
export async function endOutage(db: Store, cameraId: number, backMs: number): Promise<void> {
  await db.outage.updateMany({
    where: { cameraId, backMs: null, sinceMs: { lte: BigInt(backMs) } },
    data: { backMs: BigInt(backMs) },
  });
}

export async function markTold(db: Store, ids: number[], atMs: number): Promise<void> {
  await db.outage.updateMany({ where: { id: { in: ids } }, data: { toldMs: BigInt(atMs) } });
}

export async function markToldBack(db: Store, ids: number[], atMs: number): Promise<void> {
  await db.outage.updateMany({ where: { id: { in: ids } }, data: { toldBackMs: BigInt(atMs) } });
}

/** Outages of a camera that were told since a moment. */
export async function toldSince(db: Store, sinceMs: number): Promise<Outage[]> {
  return (await db.outage.findMany({ where: { toldMs: { gte: BigInt(sinceMs) } } })).map(seen);
}

/** Outages that began since a moment, of every camera. */
export async function outagesSince(db: Store, sinceMs: number): Promise<Outage[]> {
  return (await db.outage.findMany({ where: { sinceMs: { gte: BigInt(sinceMs) } } })).map(seen);
}
