import type { Database, Transaction } from './database.js';

type Store = Database | Transaction;

export interface ReportFile {
  /** relative to DATA_DIR, with forward slashes */
  path: string;
  kind: 'photo' | 'video' | 'audio' | 'document';
  mime: string;
  sizeBytes: number;
  sha256: string;
  /** what of it people are shown, JSON; null: the file itself, as a document */
  shown: string | null;
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

export type Report = Omit<NewReport, 'inboxId'> & { id: number };

const seen = (row: Omit<Report, 'receivedMs'> & { receivedMs: bigint }): Report => ({
  ...{ id: row.id, code: row.code, personId: row.personId, text: row.text },
  ...{ latitude: row.latitude, longitude: row.longitude, receivedMs: Number(row.receivedMs) },
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

export async function reportFiles(db: Store, reportId: number): Promise<ReportFile[]> {
  const rows = await db.reportFile.findMany({ where: { reportId }, orderBy: { id: 'asc' } });
  return rows.map(({ id: _id, reportId: _report, kind, ...row }) => ({
    ...row,
    kind: kind as ReportFile['kind'],
  }));
}

/** The newest reports, with who sent them and how many files they have; with `before`, those older than it. */
export async function newestReports(
  db: Store,
  most: number,
  before?: number,
): Promise<(Report & { role: string; files: number })[]> {
  const rows = await db.report.findMany({
    ...(before === undefined ? {} : { where: { id: { lt: before } } }),
    orderBy: { id: 'desc' },
    take: most,
    include: { person: { select: { role: true } }, _count: { select: { files: true } } },
  });
  return rows.map((row) => ({ ...seen(row), role: row.person.role, files: row._count.files }));
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
