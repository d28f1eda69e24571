import { setImmediate as breathe } from 'node:timers/promises';
import type { SegmentRow } from '../index/rows.js';
import type { Range, StreamName } from '../types.js';
import type { RetentionOptions } from './retention.js';
import { KEEP_NEWEST_MS } from './victims.js';

/** Read of each stream at a time when the oldest of all are wanted. */
const PAGE = 10;

/** Finds in the index what may go, oldest first. */
export class Oldest {
  constructor(private readonly options: Pick<RetentionOptions, 'index' | 'holds' | 'trusted'>) {}

  isHeld({ cameraId, stream, startMs, endMs }: SegmentRow): boolean {
    return this.options.holds.cover().held(cameraId, stream, { startMs, endMs }) !== null;
  }

  /**
   * The oldest closed recordings of a stream that nobody holds. Held stretches are stepped over, not read; between
   * queries, which hold up this thread, the recording has its turn.
   */
  async oldestFree(
    cameraId: string,
    stream: StreamName,
    sinceMs: number,
    limit: number,
    beforeMs = Number.MAX_SAFE_INTEGER,
  ): Promise<SegmentRow[]> {
    const { index, holds } = this.options;
    const found: SegmentRow[] = [];
    const first = holds.cover().held(cameraId, stream, { startMs: sinceMs, endMs: sinceMs });
    let after = { startMs: first !== null && first.startMs <= sinceMs ? first.endMs : 0, id: -1 };
    for (;;) {
      await breathe();
      const page = await index.segments.oldestOf(cameraId, stream, after, beforeMs, limit);
      const cover = holds.cover();
      let steppedTo: number | null = null;
      for (const row of page) {
        const held = cover.held(cameraId, stream, row) ?? this.tooYoung(row, beforeMs);
        if (held === null) found.push(row);
        else if (row.startMs >= held.startMs) {
          steppedTo = held.endMs;
          break;
        }
        if (found.length === limit) return found;
      }
      if (steppedTo !== null) after = { startMs: steppedTo, id: -1 };
      else if (page.length < limit) return found;
      else after = { startMs: page.at(-1)!.startMs, id: page.at(-1)!.id };
    }
  }

  /** The stretch of recordings that only look older than `beforeMs`; null when it is as old as it looks. */
  private tooYoung({ startMs, endMs }: SegmentRow, beforeMs: number): Range | null {
    const late = this.options.trusted.late?.(startMs) ?? null;
    if (late === null || beforeMs === Number.MAX_SAFE_INTEGER || endMs + late.byMs < beforeMs) return null;
    return { startMs: late.fromMs, endMs: late.toMs + 1 };
  }

  /** The oldest free recordings of all cameras, in order: as far as every stream's page reaches. */
  async oldestOfAll(
    cameras: Map<string, number>,
    wallMs: number,
    keepNewestMs: number,
  ): Promise<SegmentRow[]> {
    const all: SegmentRow[] = [];
    let reachMs = Number.POSITIVE_INFINITY;
    for (const [cameraId, sinceMs] of cameras)
      for (const stream of ['main', 'sub'] as const) {
        const page = await this.oldestFree(cameraId, stream, sinceMs, PAGE);
        const deletable = page.filter((one) => Math.abs(wallMs - one.endMs) >= keepNewestMs);
        all.push(...deletable);
        if (page.length === PAGE && deletable.length > 0) reachMs = Math.min(reachMs, page.at(-1)!.startMs);
      }
    return all.filter(({ startMs }) => startMs <= reachMs);
  }

  /** Bytes that only keeps hold. */
  async keptBytes(): Promise<number> {
    const { index, holds } = this.options;
    const officers = holds.cover('hold');
    let bytes = 0;
    for (const { cameraId, stream, ...range } of holds.cover('keep').stretches()) {
      let after = { startMs: Math.max(0, range.startMs - KEEP_NEWEST_MS * 2), id: -1 };
      for (;;) {
        await breathe();
        const page = await index.segments.oldestOf(cameraId, stream, after, Number.MAX_SAFE_INTEGER, 500);
        for (const row of page) {
          const touches = row.startMs < range.endMs && row.endMs > range.startMs;
          if (touches && officers.held(cameraId, stream, row) === null) bytes += row.sizeBytes;
        }
        const last = page.at(-1);
        if (page.length < 500 || last === undefined || last.startMs >= range.endMs) break;
        after = { startMs: last.startMs, id: last.id };
      }
    }
    return bytes;
  }
}
