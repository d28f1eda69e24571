import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import { behind, type KnownFile } from './index/rebuilding.js';
import { type DayRecords, readDayRecords } from './integrity/day-records.js';
import { rowFromFile, rowFromRecord } from './recording/adopt.js';
import { dayFolders, dayOfFolder, isHour, namesIn, newestDayFirst } from './recording/folders.js';
import { type Look, Looker } from './recording/looker.js';
import { readSegmentName } from './recording/names.js';
import type { Tampering } from './tampering.js';

/** `newest`: the newest two days, often; `whole`: everything there is. */
export type Round = 'newest' | 'whole';

/** A round begins so long after the last one of its kind, ms. */
const EVERY_MS: Record<Round, number> = { newest: 3_600_000, whole: 6 * 3_600_000 };
/** It is spread over at most this share of that time. */
const SPREAD = 0.5;
const LEAST_PAUSE_MS = 50;
const MOST_PAUSE_MS = 5000;
/** What looks wrong is looked at again so much later, ms: a file is closed or deleted in several steps. */
const AGAIN_MS = 5000;

/** Which round is due; null: none. `begunMs`: when each began last, on the clock of `nowMs`; absent: never. */
export function dueRound(
  begunMs: Partial<Record<Round, number>>,
  nowMs: number,
  everyMs = EVERY_MS,
): Round | null {
  const due = (round: Round) => nowMs - (begunMs[round] ?? Number.NEGATIVE_INFINITY) >= everyMs[round];
  return due('newest') ? 'newest' : due('whole') ? 'whole' : null;
}

/** The days that a round looks at, the newest first. Each is a folder `camera/stream/day/`. */
export function daysFor(round: Round, folders: readonly string[]): string[] {
  const days = [...new Set(folders.map(dayOfFolder))].sort().reverse();
  const wanted = new Set(round === 'newest' ? days.slice(0, 2) : days);
  return folders.filter((folder) => wanted.has(dayOfFolder(folder)));
}

/** How long to wait between two hours, so that a round does not end sooner than it need, ms. */
export const pauseFor = (hours: number, everyMs: number): number =>
  Math.min(MOST_PAUSE_MS, Math.max(LEAST_PAUSE_MS, (everyMs * SPREAD) / Math.max(1, hours)));

export interface Difference {
  /** rows whose file is gone */
  removed: KnownFile[];
  /** files without a row */
  added: string[];
  /** rows whose file has another size */
  changed: KnownFile[];
}

/** What index and files do not agree in; nothing is said of a file that could not be looked at, or is being written. */
export function differenceOf(
  rows: readonly KnownFile[],
  looks: ReadonlyMap<string, Look>,
  isOurs: (path: string) => boolean,
): Difference {
  const closed = rows.filter((row) => !row.open && !isOurs(row.path));
  const known = new Set(rows.map((row) => row.path));
  return {
    removed: closed.filter(({ path }) => looks.get(path) === null),
    added: [...looks.keys()].filter((path) => {
      const named = readSegmentName(path);
      return !known.has(path) && looks.get(path)?.isFile && named?.open === false && !isOurs(path);
    }),
    changed: closed.filter(({ path, sizeBytes }) => {
      const look = looks.get(path);
      return look != null && (look.sizeBytes !== sizeBytes || !look.isFile);
    }),
  };
}

const isNothing = ({ removed, added, changed }: Difference) =>
  removed.length + added.length + changed.length === 0;

export interface ArchiveCheckOptions {
  root: string;
  index: RecorderIndex;
  log: Log;
  tampering: Tampering;
  /** absolute paths that are being written now */
  isOurs: (file: string) => boolean;
  /** resolves when recovery is done: before, index and files do not agree by our own doing */
  agreed: () => Promise<void>;
  /** false while the disk can't be read, or is another: nothing is done then */
  readable: () => Promise<boolean>;
  everyMs?: Record<Round, number>;
  againMs?: number;
}

/**
 * Finds what others changed, slowly and beside the recording: files removed, added or of another size than their row.
 * The index is mended and the officers are told once a round. The chains are left as they are: `verify-recordings` finds
 * there what was done.
 */
export class ArchiveCheck {
  private readonly stopping = new AbortController();
  private readonly begunMs: Partial<Record<Round, number>> = {};
  private running: Promise<void> = Promise.resolve();

  constructor(private readonly options: ArchiveCheckOptions) {}

  start(): void {
    this.running = this.run();
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
  }

  private get aborted(): boolean {
    return this.stopping.signal.aborted;
  }

  private wait(ms: number): Promise<void> {
    return pause(ms, undefined, { signal: this.stopping.signal }).catch(() => {});
  }

  private get everyMs(): Record<Round, number> {
    return this.options.everyMs ?? EVERY_MS;
  }

  private due(): Round | null {
    return dueRound(this.begunMs, performance.now(), this.everyMs);
  }

  private async run(): Promise<void> {
    while (!this.aborted) {
      await this.options.agreed();
      const due = this.aborted ? null : this.due();
      if (due !== null) await this.round(due);
      await this.wait(Math.min(60_000, this.everyMs.newest / 10));
    }
  }

  /** Never throws: what fails is tried in the next round. */
  private async round(round: Round): Promise<void> {
    const { root, log } = this.options;
    this.begunMs[round] = performance.now();
    const looker = new Looker(root);
    try {
      const days = daysFor(round, await this.allDays());
      const pauseMs = pauseFor(days.length * 24, this.everyMs[round]);
      for (const day of days)
        for (const hour of await this.hoursOf(day)) {
          if (this.aborted) return;
          await this.checkHour(day, hour, looker);
          await this.wait(pauseMs);
          if (round === 'whole' && this.due() === 'newest') await this.round('newest');
        }
    } catch (error) {
      log.error({ err: error, round }, 'a round through the archive failed');
    } finally {
      await looker.close();
      await this.options.tampering
        .tell()
        .catch((error) => log.error({ err: error }, 'what others did could not be told'));
    }
  }

  /** The days of the disk and of the index: one of them may be gone as a whole. */
  private async allDays(): Promise<string[]> {
    const { root, index } = this.options;
    const days = new Set(await dayFolders(root, new Set()));
    for (let from = ''; ; ) {
      const first = await index.rebuilding.pathFrom(from);
      if (first === null) break;
      const folder = `${first.split('/').slice(0, 3).join('/')}/`;
      days.add(folder);
      from = behind(folder);
    }
    return [...days].sort(newestDayFirst);
  }

  private async hoursOf(day: string): Promise<string[]> {
    const { root, index } = this.options;
    const names = (await namesIn(path.join(root, day)))?.filter(isHour) ?? [];
    const hours = new Set(names.map((name) => `${day}${name}/`));
    for (let from = day; ; ) {
      const first = await index.rebuilding.pathFrom(from);
      if (!first?.startsWith(day)) return [...hours];
      const hour = `${path.posix.dirname(first)}/`;
      hours.add(hour);
      from = behind(hour);
    }
  }

  private async checkHour(day: string, hour: string, looker: Looker): Promise<void> {
    const { readable, agreed, index, tampering } = this.options;
    await agreed();
    const first = await this.compare(hour, looker);
    if (first === null || isNothing(first)) return;
    await this.wait(this.options.againMs ?? AGAIN_MS);
    const second = await this.compare(hour, looker);
    if (this.aborted || second === null || !(await readable())) return;
    const records = await readDayRecords(this.options.root, day);
    const both = (a: { path: string }[], { path }: { path: string }) => a.some((one) => one.path === path);
    const removed = second.removed.filter((row) => both(first.removed, row));
    const deleted = new Set(records.deletions.map((one) => one.path));
    await tampering.removed(await tampering.notByUs(removed, deleted));
    await index.segments.drop(removed.map(({ id }) => id));
    for (const file of second.added) if (first.added.includes(file)) await this.mend(file, records, looker);
    for (const row of second.changed)
      if (both(first.changed, row)) await this.mend(row.path, records, looker, row);
  }

  /** Null: the folder could not be read. */
  private async compare(hour: string, looker: Looker): Promise<Difference | null> {
    const { root, index, isOurs } = this.options;
    const names = await namesIn(path.join(root, hour));
    if (names === null) return null;
    const rows = await index.rebuilding.under(hour);
    const files = [...new Set([...names.map((name) => `${hour}${name}`), ...rows.map((row) => row.path)])];
    const looks = await looker.look(files);
    const ours = (relative: string) => isOurs(path.join(root, relative));
    return differenceOf(rows, new Map(files.map((file, i) => [file, looks[i]])), ours);
  }

  /** Puts the row right, and says what was done; nothing where the record fits, so that only the index was wrong. */
  private async mend(
    file: string,
    { segments }: DayRecords,
    looker: Looker,
    row: KnownFile | null = null,
  ): Promise<void> {
    const { root, index, log, tampering } = this.options;
    const record = segments.get(file);
    const [look] = await looker.look([file]);
    const recorded = record === undefined ? null : await rowFromRecord(root, record, look).catch(() => null);
    const found = recorded ?? (await rowFromFile(root, file).catch(() => null));
    if (recorded === null && row !== null) await tampering.changed(record ?? row, found);
    else if (recorded === null && found !== null) await tampering.added(file);
    if (found !== null) await index.segments.put({ ...found, open: false });
    else if (row !== null) await index.segments.drop([row.id]);
    else log.warn({ path: file }, 'a file in the archive is no recording');
  }
}
