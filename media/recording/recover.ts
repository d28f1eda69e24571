import fs from 'node:fs/promises';
import path from 'node:path';
import { syncFolder } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import type { Integrity } from '../integrity/integrity.js';
import { datesOf, recoverFile, scanFile } from '../mp4/scan.js';
import type { StreamName } from '../types.js';
import { freeName } from './connection.js';
import { CAMERA_ID, readSegmentName, segmentName } from './names.js';

export interface RecoveryDoors {
  root: string;
  index: RecorderIndex;
  /** appends the records that are missing; absent: nothing is recorded */
  integrity?: Integrity | undefined;
  log: Log;
  /** absolute paths that are being written now */
  isOurs: (file: string) => boolean;
  /** a file cut off by the last end was closed; the end of its last picture, epoch ms */
  onRecovered: (cameraId: string, stream: StreamName, endMs: number) => void;
  signal?: AbortSignal;
}

export interface RecoveryReport {
  /** files cut and closed */
  closed: number;
  /** bytes cut off */
  droppedBytes: number;
  /** files that had no row */
  indexed: number;
  /** rows that had no file */
  droppedRows: number;
}

/**
 * Makes index and files agree (see README, "Recover"). Runs beside the recording; `lastRow` is the newest row from
 * before this start, so that nothing of this run is touched.
 */
export async function recover(doors: RecoveryDoors, lastRow: number): Promise<RecoveryReport> {
  const report: RecoveryReport = { closed: 0, droppedBytes: 0, indexed: 0, droppedRows: 0 };
  for (const row of await doors.index.segments.leftOpen()) {
    if (row.id > lastRow || doors.signal?.aborted) continue;
    if (await exists(path.join(doors.root, row.path))) await closeLeftOpen(doors, row.path, row.id, report);
  }
  const walked = new Set<string>();
  const unread = new Set<string>();
  for (const folder of await hourFolders(doors.root, unread)) {
    if (doors.signal?.aborted) return report;
    await compareFolder(doors, folder, lastRow, walked, report);
  }
  await dropLostRows(doors, lastRow, walked, unread, report);
  return report;
}

async function exists(file: string): Promise<boolean> {
  try {
    await fs.access(file);
    return true;
  } catch {
    return false;
  }
}

/** Cuts, dates, renames and indexes a file that was being written when its writer died. */
async function closeLeftOpen(
  doors: RecoveryDoors,
  relative: string,
  row: number | null,
  report: RecoveryReport,
): Promise<void> {
  const { root, index, log } = doors;
  const file = path.join(root, relative);
  const named = readSegmentName(relative);
  if (named === null || doors.isOurs(file)) return;
  try {
    const found = await recoverFile(file);
    if (found === null) {
      await fs.rm(file, { force: true });
      if (row !== null) await index.segments.drop([row]);
      return;
    }
    const { cameraId, stream } = named;
    const startMs = Math.round(found.startMs ?? named.startMs);
    const endMs = Math.round(found.endMs ?? startMs + lengthMs(found));
    const target = await freeName(
      root,
      `${path.posix.dirname(relative)}/${segmentName(cameraId, stream, startMs)}`,
    );
    await fs.rename(file, path.join(root, target));
    await syncFolder(path.dirname(file));
    await doors.integrity?.recordFound({ path: target, startMs, endMs, how: 'recovered' });
    const { codec, width, height } = found.init;
    await index.segments.close(row, {
      ...{ cameraId, stream, startMs, endMs, path: target, sizeBytes: found.keptBytes, open: false },
      ...{ codec, width, height },
    });
    report.closed++;
    report.droppedBytes += found.droppedBytes;
    doors.onRecovered(cameraId, stream, endMs);
  } catch (error) {
    log.error({ err: error, path: relative }, 'a file left open could not be recovered');
  }
}

function lengthMs({
  init,
  fragments,
}: Pick<NonNullable<Awaited<ReturnType<typeof scanFile>>>, 'init' | 'fragments'>): number {
  const pictures = fragments.filter((fragment) => fragment.samples > 0);
  const first = pictures[0];
  const last = pictures.at(-1);
  if (!first || !last) return 0;
  return (Number(last.startTicks - first.startTicks + BigInt(last.durationTicks)) * 1000) / init.timescale;
}

/** Names in a folder; null when it can't be read, none when it isn't there. */
async function namesIn(folder: string): Promise<string[] | null> {
  try {
    return (await fs.readdir(folder)).sort();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'ENOENT' ? [] : null;
  }
}

/** Every `camera/stream/day/hour` there is, newest first. What can't be read goes into `unread`. */
async function hourFolders(root: string, unread: Set<string>): Promise<string[]> {
  let level = [''];
  const matches = [CAMERA_ID, /^(main|sub)$/, /^\d{4}-\d\d-\d\d$/, /^\d\d$/];
  for (const pattern of matches) {
    const next: string[] = [];
    for (const folder of level) {
      const names = await namesIn(path.join(root, folder));
      if (names === null) unread.add(folder);
      else next.push(...names.filter((name) => pattern.test(name)).map((name) => `${folder}${name}/`));
    }
    level = next;
  }
  return level.reverse();
}

async function compareFolder(
  doors: RecoveryDoors,
  folder: string,
  lastRow: number,
  walked: Set<string>,
  report: RecoveryReport,
): Promise<void> {
  const { root, index, log } = doors;
  const names = await namesIn(path.join(root, folder));
  if (names === null) return;
  walked.add(folder);
  const rows = (await index.segments.under(folder)).filter((row) => row.id <= lastRow);
  const known = new Set((await index.segments.under(folder)).map((row) => row.path));
  for (const name of names) {
    const relative = `${folder}${name}`;
    const named = readSegmentName(name);
    if (named === null || doors.isOurs(path.join(root, relative))) continue;
    if (named.open) {
      const row = rows.find((one) => one.path === relative)?.id ?? null;
      await closeLeftOpen(doors, relative, row, report);
    } else if (!known.has(relative)) {
      const added = await indexFile(doors, relative, named.startMs).catch((error) => {
        log.warn({ err: error, path: relative }, 'a file could not be indexed');
        return false;
      });
      if (added) report.indexed++;
    }
  }
  const there = new Set((await namesIn(path.join(root, folder))) ?? names);
  const lost = rows.filter((row) => !there.has(row.path.slice(folder.length)));
  const still = new Set((await index.segments.under(folder)).map((row) => `${row.id} ${row.path}`));
  const gone = lost.filter((row) => still.has(`${row.id} ${row.path}`));
  await index.segments.drop(gone.map((row) => row.id));
  report.droppedRows += gone.length;
}

/** A row for a closed file that has none; its name tells the start, its fragments the length. */
async function indexFile(
  { root, index, integrity }: RecoveryDoors,
  relative: string,
  startMs: number,
): Promise<boolean> {
  const file = path.join(root, relative);
  const scanned = await scanFile(file);
  const named = readSegmentName(relative)!;
  if (scanned === null || scanned.fragments.length === 0) return false;
  const dated = datesOf(scanned.fragments, scanned.init);
  // The name was given at the close, with the whole window before it: truer than the file's own dates.
  const length =
    dated.startMs !== null && dated.endMs !== null ? dated.endMs - dated.startMs : lengthMs(scanned);
  const endMs = startMs + length;
  await integrity?.recordFound({ path: relative, startMs, endMs: Math.round(endMs), how: 'rebuilt' });
  const { codec, width, height } = scanned.init;
  await index.segments.put({
    ...{ cameraId: named.cameraId, stream: named.stream, startMs, endMs, path: relative },
    ...{ sizeBytes: scanned.wholeBytes, codec, width, height, open: false },
  });
  return true;
}

/** Rows in folders that are no more. Not when a folder could not be read, nor when the whole place is empty. */
async function dropLostRows(
  doors: RecoveryDoors,
  lastRow: number,
  walked: Set<string>,
  unread: Set<string>,
  report: RecoveryReport,
): Promise<void> {
  if (unread.size > 0 || walked.size === 0) return;
  for (let after = 0; ; ) {
    const rows = await doors.index.segments.page(after, 5000);
    if (rows.length === 0 || doors.signal?.aborted) return;
    after = rows.at(-1)!.id;
    const lost: number[] = [];
    for (const row of rows) {
      if (row.id > lastRow || walked.has(`${path.posix.dirname(row.path)}/`)) continue;
      if (!(await exists(path.join(doors.root, row.path)))) lost.push(row.id);
    }
    await doors.index.segments.drop(lost);
    report.droppedRows += lost.length;
  }
}
