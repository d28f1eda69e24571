import { setImmediate as breathe } from 'node:timers/promises';
import { DAY_MS } from '../../src/base/clock.js';
import { isLoss } from '../coverage.js';
import type { RecorderIndex } from '../index/index.js';
import type { DeletionRow, GapRow } from '../index/rows.js';
import { type DayRecords, readClockSteps } from '../integrity/day-records.js';
import { chainOf, dayOf } from '../integrity/record.js';
import { dayOfFolder } from './folders.js';

/** Rows put back at once: meanwhile the recording waits, some ms. */
export const ROWS_AT_ONCE = 250;

type GapRecord = DayRecords['gaps'][number];
/** What counts of a record of a gap. */
type GapTold = Pick<GapRecord, 'cameraId' | 'stream' | 'startMs' | 'endMs' | 'cause' | 'at' | 'n'>;

/** A list in pieces between which the recording has its turn: the index answers without giving it one. */
export async function* pieces<T>(list: readonly T[]): AsyncGenerator<T[]> {
  for (let at = 0; at < list.length; at += ROWS_AT_ONCE) {
    await breathe();
    yield list.slice(at, at + ROWS_AT_ONCE);
  }
}

/**
 * The gaps that records tell, of all streams. A stream has one at a time, besides what was lost of its recordings: one that
 * was never ended lasted until the next began, the last one until `lifeMs`, the last sign of life; null: not known, then
 * that one is not told.
 */
export function gapsOf(records: readonly GapTold[], lifeMs: number | null): Omit<GapRow, 'id'>[] {
  const found: Omit<GapRow, 'id'>[] = [];
  const open = new Map<string, GapTold>();
  const add = ({ cameraId, stream, startMs, cause }: GapTold, endMs: number | null) => {
    if (endMs !== null && endMs > startMs) found.push({ cameraId, stream, startMs, endMs, cause });
  };
  for (const record of [...records].sort((a, b) => a.at - b.at || a.n - b.n)) {
    if (isLoss(record.cause)) {
      add(record, record.endMs);
      continue;
    }
    const stream = `${record.cameraId} ${record.stream}`;
    const before = open.get(stream);
    open.delete(stream);
    if (record.endMs !== null) {
      add(record, record.endMs);
      // told late, of what was before the gap that lasts
      if (before && record.startMs < before.startMs && record.endMs <= before.startMs)
        open.set(stream, before);
    } else {
      if (before !== undefined) add(before, record.startMs);
      open.set(stream, record);
    }
  }
  for (const record of open.values()) add(record, lifeMs);
  return found;
}

const isSame = (one: Omit<GapRow, 'id'>, other: Omit<GapRow, 'id'>) =>
  one.cameraId === other.cameraId &&
  one.stream === other.stream &&
  one.startMs === other.startMs &&
  one.cause === other.cause;

/** Puts the rows of what records tell as deleted back, but for those that are there. */
export async function addDeletions(index: RecorderIndex, records: DayRecords['deletions']): Promise<void> {
  const rows = records.map(({ path, at, startMs, endMs, sizeBytes, reason }): DeletionRow => {
    const { cameraId, stream } = chainOf(path)!;
    const why = reason === 'age' ? 'age' : 'space';
    return { cameraId, stream, atMs: at, startMs, endMs, sizeBytes, reason: why };
  });
  for await (const piece of pieces(rows)) await index.rebuilding.addDeletions(piece);
}

export interface RestoreOptions {
  root: string;
  index: RecorderIndex;
  /** the index lacks what was told from then on, epoch ms */
  sinceMs: number;
  /** the last sign of life before this start, epoch ms; null: not known */
  lifeMs: number | null;
  /** records from this start on are in the index already, epoch ms */
  startedMs: number;
  /** gaps that the index left open; what the records tell is how they ended */
  openGaps: readonly GapRow[];
}

/**
 * Puts what only records tell back into an index that was lost, or that is older than the recordings: what was deleted and
 * why, gaps and clock steps.
 */
export class Restore {
  private readonly gaps: GapRecord[] = [];

  private readonly fromDay: string;

  constructor(private readonly options: RestoreOptions) {
    this.fromDay = dayOf(options.sinceMs - DAY_MS);
  }

  /**
   * Whether the index may lack what is told in the chain of this day's folder. Deletions stand in the chains of older days too:
   * they show by their rows.
   */
  wants(folder: string): boolean {
    return dayOfFolder(folder) >= this.fromDay;
  }

  /** Takes a day's records. */
  async take({ deletions, gaps }: DayRecords): Promise<void> {
    const { index, startedMs } = this.options;
    for (const gap of gaps) if (gap.at < startedMs) this.gaps.push(gap);
    await addDeletions(
      index,
      deletions.filter(({ at }) => at < startedMs),
    );
  }

  /** Every day was taken. Throws when the clock steps can't be read. */
  async finish(): Promise<void> {
    const { root, index, lifeMs, startedMs, openGaps } = this.options;
    const told: GapTold[] = openGaps.map((gap) => ({ ...gap, endMs: null, at: gap.startMs, n: 0 }));
    for (const gap of this.gaps) told.push(gap);
    const gaps = gapsOf(told, lifeMs);
    for (const open of openGaps) {
      const ended = gaps.find((one) => isSame(one, open));
      await index.gaps.end(open.id, ended?.endMs ?? open.startMs);
    }
    for await (const piece of pieces(gaps)) await index.rebuilding.addGaps(piece);
    const steps = (await readClockSteps(root)).filter(({ at }) => at < startedMs);
    await index.rebuilding.addClockSteps(steps);
  }
}
