import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

/** One line of the log of who did what; written, never edited. */
export interface AuditEntry {
  atMs: number;
  personId: number | null;
  personName: string;
  /** snapshot | clip | camera.add | person.role | … */
  action: string;
  cameraId?: number | null;
  startMs?: number | null;
  endMs?: number | null;
  /** where the answer went: "telegram:private", "telegram:group:officers"; "recorder": nobody asked */
  place: string;
  /** ok, or the reason it was refused or failed */
  result: string;
  detail?: string | null;
}

const whole = (ms: number | null | undefined) =>
  ms === null || ms === undefined ? null : BigInt(Math.round(ms));

export async function writeAudit(db: Store, entries: AuditEntry[]): Promise<void> {
  if (entries.length === 0) return;
  await db.audit.createMany({
    data: entries.map((entry) => ({
      ...entry,
      atMs: BigInt(entry.atMs),
      cameraId: entry.cameraId ?? null,
      startMs: whole(entry.startMs),
      endMs: whole(entry.endMs),
      detail: entry.detail ?? null,
    })),
  });
}

export interface AuditQuery {
  cameraId?: number;
  personId?: number;
  actions?: readonly string[];
  result?: string;
  fromMs?: number;
  toMs?: number;
  limit: number;
}

const matching = (query: Omit<AuditQuery, 'limit'>) => ({
  ...(query.cameraId === undefined ? {} : { cameraId: query.cameraId }),
  ...(query.personId === undefined ? {} : { personId: query.personId }),
  ...(query.actions === undefined ? {} : { action: { in: [...query.actions] } }),
  ...(query.result === undefined ? {} : { result: query.result }),
  atMs: {
    gte: BigInt(query.fromMs ?? 0),
    ...(query.toMs === undefined ? {} : { lt: BigInt(query.toMs) }),
  },
});

/** Newest first. */
export async function readAudit(db: Store, query: AuditQuery): Promise<(AuditEntry & { id: number })[]> {
  const rows = await db.audit.findMany({
    where: matching(query),
    orderBy: [{ atMs: 'desc' }, { id: 'desc' }],
    take: query.limit,
  });
  return rows.map((row) => ({
    ...row,
    atMs: Number(row.atMs),
    startMs: row.startMs === null ? null : Number(row.startMs),
    endMs: row.endMs === null ? null : Number(row.endMs),
  }));
}

export async function countAudit(db: Store, query: Omit<AuditQuery, 'limit'>): Promise<number> {
  return db.audit.count({ where: matching(query) });
}
