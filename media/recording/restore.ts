import { setImmediate as breathe } from 'node:timers/promises';
import { isLoss } from '../coverage.js';
import type { RecorderIndex } from '../index/index.js';
import type { GapRow } from '../index/rows.js';
import { type DayRecords, readClockSteps } from '../integrity/day-records.js';
import { chainOf } from '../integrity/record.js';

/** Rows put back at once: meanwhile the recording waits, some ms. */
export const ROWS_AT_ONCE = 250;

type GapRecord = DayRecords['gaps'][number];

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
export function gapsOf(records: readonly GapRecord[], lifeMs: number | null): Omit<GapRow, 'id'>[] {
  const found: Omit<GapRow, 'id'>[] = [];
  const open = new Map<string, GapRecord>();
  const add = ({ cameraId, stream, startMs, cause }: GapRecord, endMs: number | null) => {
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

export interface RestoreOptions {
  root: string;
  index: RecorderIndex;
  /** the last sign of life before this start, epoch ms; null: not known */
  lifeMs: number | null;
  /** records from this start on are in the index already, epoch ms */
  startedMs: number;
}

/** Puts what only records tell back into an index that was lost: what was deleted and why, gaps and clock steps. */
export class Restore {
  private readonly gaps: GapRecord[] = [];

  constructor(private readonly options: RestoreOptions) {}

  /** Takes a day's records. */
  async take({ deletions, gaps }: DayRecords): Promise<void> {
    const { index, startedMs } = this.options;
    this.gaps.push(...gaps.filter(({ at }) => at < startedMs));
    const rows = deletions
      .filter(({ at }) => at < startedMs)
      .map(({ path, at, startMs, endMs, sizeBytes, reason }) => {
        const { cameraId, stream } = chainOf(path)!;
        const why = reason === 'age' ? ('age' as const) : ('space' as const);
        return { cameraId, stream, atMs: at, startMs, endMs, sizeBytes, reason: why };
      });
    for await (const piece of pieces(rows)) await index.rebuilding.addDeletions(piece);
  }

  /** Every day was taken. Throws when the clock steps can't be read. */
  async finish(): Promise<void> {
    const { root, index, lifeMs, startedMs } = this.options;
    for await (const piece of pieces(gapsOf(this.gaps, lifeMs))) await index.rebuilding.addGaps(piece);
    const steps = (await readClockSteps(root)).filter(({ at }) => at < startedMs);
    await index.rebuilding.addClockSteps(steps);
  }
}
