import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

export interface ReportFile {
  /** relative to DATA_DIR, with forward slashes */
  path: string;
  kind: 'photo' | 'video' | 'audio' | 'document';
  mime: string;
  sizeBytes: number;
  sha256: string;
}

export interface NewReport {
  code: string;
  personId: number;
  inboxId: number;
  text: string;
  latitude: number | null;
  longitude: number | null;
  receivedMs: number;
}

export interface Report {
  id: number;
  code: string;
  personId: number;
  text: string;
  receivedMs: number;
}

const seen = (row: {
  id: number;
  code: string;
  personId: number;
  text: string;
  receivedMs: bigint;
}): Report => ({
  id: row.id,
  code: row.code,
  personId: row.personId,
  text: row.text,
  receivedMs: Number(row.receivedMs),
});

/** Throws when the code is taken: make another. @returns the report's id */
export async function addReport(db: Store, report: NewReport): Promise<number> {
  const row = await db.report.create({ data: { ...report, receivedMs: BigInt(report.receivedMs) } });
  return row.id;
}

export async function isReportCodeTaken(db: Store, code: string): Promise<boolean> {
  return (await db.report.count({ where: { code } })) > 0;
}

export async function addReportFiles(db: Store, reportId: number, files: ReportFile[]): Promise<void> {
  if (files.length > 0)
    await db.reportFile.createMany({ data: files.map((file) => ({ ...file, reportId })) });
}

/** More words, or a place, for a report that is there. */
export async function addToReport(
  db: Store,
  id: number,
  more: { text: string; latitude: number | null; longitude: number | null },
): Promise<void> {
  const row = await db.report.findUniqueOrThrow({ where: { id } });
  await db.report.update({
    where: { id },
    data: {
      text: [row.text, more.text].filter((text) => text !== '').join('\n'),
      ...(more.latitude === null ? {} : { latitude: more.latitude, longitude: more.longitude }),
    },
  });
}

export async function latestReportOf(db: Store, personId: number): Promise<Report | null> {
  const row = await db.report.findFirst({ where: { personId }, orderBy: { id: 'desc' } });
  return row === null ? null : seen(row);
}

export async function reportByCode(db: Store, code: string): Promise<Report | null> {
  const row = await db.report.findUnique({ where: { code } });
  return row === null ? null : seen(row);
}

export async function countReportFiles(db: Store, reportId: number): Promise<number> {
  return db.reportFile.count({ where: { reportId } });
}

/** How many reports a person has sent since a moment. */
export async function countReportsSince(db: Store, personId: number, sinceMs: number): Promise<number> {
  return db.report.count({ where: { personId, receivedMs: { gte: BigInt(sinceMs) } } });
}

/** Bytes of the files a person has sent with reports begun since a moment. */
export async function reportBytesSince(db: Store, personId: number, sinceMs: number): Promise<number> {
  const { _sum } = await db.reportFile.aggregate({
    _sum: { sizeBytes: true },
    where: { report: { personId, receivedMs: { gte: BigInt(sinceMs) } } },
  });
  return Number(_sum.sizeBytes ?? 0);
}

const LATE = 'report.late:';

/** Facts about files of a report that are still to come; each has a number of its own behind this. */
export const lateFilesOf = (reportId: number) => `${LATE}${reportId}:`;
/** The same of all reports. */
export const LATE_FILES = LATE;

/** Files of this person's reports that are still to come are not waited for any more. */
export async function forgetLateFiles(tx: Transaction, personId: number): Promise<void> {
  for (const { id } of await tx.report.findMany({ where: { personId }, select: { id: true } }))
    await tx.setting.deleteMany({ where: { key: { startsWith: lateFilesOf(id) } } });
}
