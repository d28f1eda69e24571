import fs from 'node:fs/promises';
import path from 'node:path';
import { exists, syncFolder } from '../../src/base/durable.js';
import type { Log } from '../../src/base/log.js';
import { SEAM_MS } from '../coverage.js';
import type { RecorderIndex } from '../index/index.js';
import { behind, type KnownFile } from '../index/rebuilding.js';
import { type DayRecords, readDayRecords } from '../integrity/day-records.js';
import type { Integrity } from '../integrity/integrity.js';
import { KEYS_FILE } from '../integrity/keys.js';
import { dayOf } from '../integrity/record.js';
import { Mp4Error } from '../mp4/error.js';
import { recoverFile } from '../mp4/scan.js';
import type { KnownRecording, Tampering } from '../tampering.js';
import type { Range, StreamName } from '../types.js';
import { lengthMs, type NewRow, rowFromFile, rowFromRecord } from './adopt.js';
import { freeName } from './connection.js';
import { dayFolders, dayOfFolder, isHour, namesIn } from './folders.js';
import { type Look, Looker } from './looker.js';
import { readSegmentName, segmentName } from './names.js';
import { addDeletions, pieces, Restore, type RestoreOptions } from './restore.js';

export interface RecoveryDoors {
  root: string;
  index: RecorderIndex;
  /** appends the records that are missing; absent: nothing is recorded */
  integrity?: Integrity | undefined;
  /** is told of what others removed or changed; absent: nobody is */
  tampering?: Tampering | undefined;
  log: Log;
  /** absolute paths that are being written now */
  isOurs: (file: string) => boolean;
  /** a file cut off by the last end was closed; the end of its last picture, epoch ms */
  onRecovered: (cameraId: string, stream: StreamName, endMs: number) => void;
  /** how much of a file left open may be believed, bytes; default and undefined: what can be read */
  durableOf?: (file: string) => number | undefined;
  /** the index was lost or is older than the recordings: what only records tell is put back too */
  lost?: Omit<RestoreOptions, 'root' | 'index'> | null;
  /** the last sign of life before this start, epoch ms; absent or null: not known */
  lifeMs?: number | null;
  signal?: AbortSignal;
}

/**
 * A file that was written for so long before the last sign of life was there, whatever kind of disk it is, ms: one that is
 * gone did not go by a power cut.
 */
const WAS_THERE_MS = 10_000;
/** More than one round of the retention deletes by age of 70 cameras. */
const DELETED_LATELY = 3000;

export interface RecoveryReport {
  /** files cut and closed */
  closed: number;
  /** bytes cut off */
  droppedBytes: number;
  /** files that had no row */
  indexed: number;
  /** of them: taken over from their records, not read */
  fromRecords: number;
  /** rows that had no file */
  droppedRows: number;
  /** everything was looked at, and could be read */
  whole: boolean;
}

/**
 * Makes index and files agree (see README, "Recover"). Runs beside the recording; `lastRow` is the newest row from
 * before this start, so that nothing of this run is touched.
 */
export async function recover(doors: RecoveryDoors, lastRow: number): Promise<RecoveryReport> {
  const recovery = new Recovery(doors, lastRow);
  const { rebuilding } = doors.index;
  await rebuilding.expect(true);
  try {
    await recovery.run();
  } finally {
    await recovery.close();
    await rebuilding.expect(false);
    await doors.tampering?.tell();
  }
  return recovery.report;
}

type SegmentRecord = DayRecords['segments'] extends Map<string, infer R> ? R : never;

const NO_RECORDS: DayRecords = { segments: new Map(), deletions: [], gaps: [] };

class Recovery {
  readonly report: RecoveryReport = {
    ...{ closed: 0, droppedBytes: 0, indexed: 0, fromRecords: 0, droppedRows: 0, whole: false },
  };
  private readonly walked = new Set<string>();
  /** folders that could not be read */
  private readonly unread = new Set<string>();
  private readonly restore: Restore | null;
  /** recordings of a lost index whose files are gone or changed: which of them were told before, the chains' gaps tell */
  private readonly suspects: { record: SegmentRecord; found: Range | null | 'gone' }[] = [];
  private readonly looker: Looker;

  constructor(
    private readonly doors: RecoveryDoors,
    private readonly lastRow: number,
  ) {
    this.looker = new Looker(doors.root);
    this.restore = doors.lost ? new Restore({ ...doors, ...doors.lost }) : null;
  }

  private get aborted(): boolean {
    return this.doors.signal?.aborted ?? false;
  }

  close(): Promise<void> {
    return this.looker.close();
  }

  async run(): Promise<void> {
    const { root, index } = this.doors;
    for (const row of await index.segments.leftOpen()) {
      if (row.id > this.lastRow || this.aborted) continue;
      if (await exists(path.join(root, row.path))) await this.closeLeftOpen(row.path, row.id);
    }
    for (const folder of await this.inTurn(await dayFolders(root, this.unread))) {
      if (this.aborted) return;
      await this.compareDay(folder);
    }
    await this.restore?.finish();
    await this.judgeSuspects();
    await this.dropLostDays();
    this.report.whole = this.unread.size === 0 && !this.aborted;
  }

  /**
   * What our processes worked on last comes first, so that it agrees at once however large the archive is: the newest day, where
   * they wrote, then those of which they deleted.
   */
  private async inTurn(folders: readonly string[]): Promise<string[]> {
    const deleted = await this.doors.index.deletions.last(DELETED_LATELY);
    const touched = new Set(
      deleted.map(({ cameraId, stream, startMs }) => `${cameraId}/${stream}/${dayOf(startMs)}/`),
    );
    const newest = dayOfFolder(folders[0] ?? '');
    const rank = (folder: string) => (dayOfFolder(folder) === newest ? 0 : touched.has(folder) ? 1 : 2);
    return [0, 1, 2].flatMap((wanted) => folders.filter((folder) => rank(folder) === wanted));
  }

  /** Cuts, dates, renames and indexes a file that was being written when its writer died. */
  private async closeLeftOpen(relative: string, row: number | null): Promise<void> {
    const { root, index, log, isOurs, integrity, onRecovered, durableOf } = this.doors;
    const file = path.join(root, relative);
    const named = readSegmentName(relative);
    if (named === null || isOurs(file)) return;
    try {
      const found = await recoverFile(file, durableOf?.(file));
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
      const { codec, width, height } = found.init;
      const facts = { path: target, startMs, endMs, codec, width, height };
      await integrity?.recordFound({ ...facts, how: 'recovered' });
      await index.segments.close(row, {
        ...{ ...facts, cameraId, stream, sizeBytes: found.keptBytes, open: false },
      });
      this.report.closed++;
      this.report.droppedBytes += found.droppedBytes;
      onRecovered(cameraId, stream, endMs);
    } catch (error) {
      log.error({ err: error, path: relative }, 'a file left open could not be recovered');
    }
  }

  private async compareDay(folder: string): Promise<void> {
    const { root, index, isOurs } = this.doors;
    this.walked.add(folder);
    const files = await this.filesOf(folder);
    // names before rows: what is closed in between has its row
    const rows = await index.rebuilding.under(folder);
    const known = new Map(rows.map((row) => [row.path, row]));
    const missing: string[] = [];
    const restore = this.restore?.wants(folder) ? this.restore : null;
    for (const file of files) {
      const named = readSegmentName(file);
      if (named === null || isOurs(path.join(root, file))) continue;
      const row = known.get(file);
      if (named.open) {
        if (row === undefined || row.id <= this.lastRow) await this.closeLeftOpen(file, row?.id ?? null);
      } else if (row === undefined) missing.push(file);
    }
    const lost = rows.filter((row) => !files.has(row.path));
    let records = NO_RECORDS;
    if (missing.length > 0 || lost.length > 0 || restore !== null) {
      // the looks take as long as the reading
      const [found, read] = await Promise.all([this.looker.look(missing), this.recordsOf(folder)]);
      records = read;
      await restore?.take(records);
      await this.addMissing(new Map(missing.map((file, i) => [file, found[i]])), records);
    }
    if (restore !== null)
      await this.suspectGone(folder, records, (file) => files.has(file) || known.has(file));
    // a recovery before this one was cut short
    for (const record of restore === null ? [] : records.segments.values()) {
      const row = known.get(record.path);
      if (row && !row.open && row.sizeBytes !== record.sizeBytes && files.has(row.path))
        this.suspects.push({ record, found: row });
    }
    await this.dropLost(folder, lost, records);
  }

  private isUnread(folder: string): boolean {
    return [...this.unread].some((one) => one === '' || one.startsWith(folder));
  }

  /** Recordings of a day that no deletion accounts for and that have neither file nor row. */
  private async suspectGone(
    folder: string,
    { segments }: DayRecords,
    isThere: (file: string) => boolean,
  ): Promise<void> {
    const { lost } = this.doors;
    if (!lost || this.isUnread(folder)) return;
    const absent = [...segments.values()].filter(({ path, at }) => at < lost.startedMs && !isThere(path));
    for await (const piece of pieces(absent)) {
      const found = await this.looker.look(piece.map(({ path }) => path));
      for (const [i, record] of piece.entries())
        if (found[i] === null) this.suspects.push({ record, found: 'gone' });
    }
  }

  /** Every gap that was ever noted is back: what has none of its own is news. */
  private async judgeSuspects(): Promise<void> {
    const { tampering } = this.doors;
    if (tampering === undefined || this.aborted) return;
    const gone = new Map<string, KnownRecording[]>();
    for (const { record, found } of this.suspects) {
      if (found !== 'gone') await tampering.changed(record, found, true);
      else {
        const stream = record.path.split('/').slice(0, 2).join('/');
        gone.set(stream, [...(gone.get(stream) ?? []), record]);
      }
    }
    for (const files of gone.values()) await tampering.removed(files, true);
  }

  /** The files of a day, relative. */
  private async filesOf(folder: string): Promise<Set<string>> {
    const { root } = this.doors;
    const files = new Set<string>();
    const hours = await namesIn(path.join(root, folder));
    if (hours === null) this.unread.add(folder);
    for (const hour of hours?.filter(isHour) ?? []) {
      const names = await namesIn(path.join(root, folder, hour));
      if (names === null) this.unread.add(`${folder}${hour}/`);
      for (const name of names ?? []) files.add(`${folder}${hour}/${name}`);
    }
    return files;
  }

  private async recordsOf(folder: string): Promise<DayRecords> {
    const { root, log } = this.doors;
    return readDayRecords(root, folder).catch((error) => {
      log.error({ err: error, folder }, 'a chain could not be read');
      this.unread.add(folder);
      return NO_RECORDS;
    });
  }

  /** Rows for files that have none: from their records, in the order of these, else from the files. */
  private async addMissing(missing: Map<string, Look>, { segments }: DayRecords): Promise<void> {
    const { root, index } = this.doors;
    const recorded = [...segments.values()].filter((record) => missing.has(record.path));
    for await (const piece of pieces(recorded)) {
      if (this.aborted) return;
      const rows: NewRow[] = [];
      for (const record of piece) {
        const row = await rowFromRecord(root, record, missing.get(record.path)).catch(() => null);
        if (row !== null) rows.push(row);
      }
      await index.rebuilding.addSegments(rows);
      for (const row of rows) missing.delete(row.path);
      this.report.indexed += rows.length;
      this.report.fromRecords += rows.length;
    }
    for (const [file, look] of missing) {
      if (this.aborted) return;
      const row = await this.addFile(file);
      const record = segments.get(file);
      if (row === undefined || record === undefined || record.sizeBytes === look?.sizeBytes) continue;
      if (this.restore !== null) this.suspects.push({ record, found: row });
      else await this.doors.tampering?.changed(record, row, true);
    }
  }

  /** A row for a closed file that has no record that fits: the file is read. Null: nothing whole is in it, undefined: it failed. */
  private async addFile(relative: string): Promise<NewRow | null | undefined> {
    const { root, index, integrity, log } = this.doors;
    try {
      const row = await rowFromFile(root, relative);
      if (row === null) return null;
      const { startMs, endMs, codec, width, height } = row;
      const facts = { path: relative, startMs, endMs, codec, width, height };
      // its name may be what could not be made durable
      await syncFolder(path.dirname(path.join(root, relative)));
      await integrity?.recordFound({ ...facts, how: 'rebuilt' });
      await index.segments.put({ ...row, open: false });
      this.report.indexed++;
      return row;
    } catch (error) {
      log.warn({ err: error, path: relative }, 'a file could not be indexed');
      return error instanceof Mp4Error ? null : undefined;
    }
  }

  /** Drops rows of a day whose files are not there: none that can't be told, none that meanwhile has another name. */
  private async dropLost(folder: string, lost: KnownFile[], records: DayRecords): Promise<void> {
    const { root, index, isOurs, tampering } = this.doors;
    const old = lost.filter((row) => row.id <= this.lastRow && !isOurs(path.join(root, row.path)));
    if (old.length === 0 || this.isUnread(folder)) return;
    const gone: KnownFile[] = [];
    for await (const piece of pieces(old)) {
      const found = await this.looker.look(piece.map((row) => row.path));
      gone.push(...piece.filter((_row, i) => found[i] === null));
    }
    const still = new Set((await index.rebuilding.under(folder)).map(({ id, path }) => `${id} ${path}`));
    const dropped = gone.filter(({ id, path }) => still.has(`${id} ${path}`));
    const paths = new Set(dropped.map(({ path }) => path));
    const ours = records.deletions.filter(({ path }) => paths.has(path));
    await addDeletions(index, ours);
    const deleted = new Set(ours.map(({ path }) => path));
    const closed = dropped.filter((row) => !row.open);
    await tampering?.removed(await tampering.notByUs(closed, deleted));
    await tampering?.removed(await this.takenWhileOpen(dropped.filter((row) => row.open)));
    await index.segments.drop(dropped.map(({ id }) => id));
    this.report.droppedRows += dropped.length;
  }

  /** Files that were being written when the recorder died, and that somebody took before this start. */
  private async takenWhileOpen(rows: readonly KnownFile[]): Promise<KnownRecording[]> {
    const { index, lifeMs } = this.doors;
    const taken: KnownRecording[] = [];
    for (const { path: relative, startMs } of rows) {
      const named = readSegmentName(relative);
      if (named === null || lifeMs == null || lifeMs - startMs < WAS_THERE_MS) continue;
      const range = { startMs, endMs: lifeMs };
      // closed in the last moment, it has another name
      const there = await index.segments.within(named.cameraId, named.stream, range);
      if (there.every((one) => one.endMs <= startMs + SEAM_MS)) taken.push({ path: relative, ...range });
    }
    return taken;
  }

  /** Rows of days that are no more. Not when a folder could not be read, nor when the whole place is empty. */
  private async dropLostDays(): Promise<void> {
    const { index } = this.doors;
    if (this.unread.size > 0) return;
    // an empty place may be a disk that is not mounted; the keys are beside the recordings from the first start on
    if (this.walked.size === 0 && !(await exists(path.join(this.doors.root, KEYS_FILE)))) return;
    for (let from = ''; !this.aborted; ) {
      const first = await index.rebuilding.pathFrom(from);
      if (first === null) return;
      const folder = `${first.split('/').slice(0, 3).join('/')}/`;
      if (!this.walked.has(folder))
        await this.dropLost(folder, await index.rebuilding.under(folder), await this.recordsOf(folder));
      from = behind(folder);
    }
  }
}
