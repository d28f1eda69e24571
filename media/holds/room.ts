import { setImmediate as breathe } from 'node:timers/promises';
import type { RecorderIndex } from '../index/index.js';
import type { Range } from '../types.js';
import type { Cover } from './cover.js';

const HOUR_MS = 3_600_000;
/** A quarter of a day ago and more, an hour's files are closed and counted once, ms. */
const SETTLED_MS = 20 * 60_000;
/** A rate is measured over this at least, ms. */
const LEAST_SPAN_MS = 30_000;
/** People are told that holds fill the disk this long ahead, ms; the last two come again by themselves. */
const AHEAD_MS = [48 * HOUR_MS, 6 * HOUR_MS, HOUR_MS];
const AGAIN_MS = 24 * HOUR_MS;
/** Holds that take less of the room there is do not fill the disk. */
const LEAST_SHARE = 0.05;

export interface RoomFacts {
  nowMs: number;
  freeBytes: number;
  /** recorded and held by nobody but keeps; counted only as far as it matters */
  deletableBytes: number;
  /** recorded and held by officers */
  heldBytes: number;
  /** bytes a ms, of all cameras */
  rate: number;
}

/**
 * When nothing deletable is left, if from now on everything were held: the earliest moment at which holds can stop the
 * recording. Null: more than two days away, or no matter of holds.
 */
export function fullAt({ nowMs, freeBytes, deletableBytes, heldBytes, rate }: RoomFacts): number | null {
  const room = freeBytes + deletableBytes;
  if (rate <= 0 || heldBytes < LEAST_SHARE * (room + heldBytes)) return null;
  const leftMs = room / rate;
  return leftMs > AHEAD_MS[0]! ? null : Math.round(nowMs + leftMs);
}

export interface Told {
  /** 1: two days, 2: six hours, 3: one hour ahead; 0: nothing told */
  level: number;
  atMs: number;
}

/** What is told now: deeper than before, or the same again after a day. `leftMs` null: it is over. */
export function nextTold(before: Told, leftMs: number | null, nowMs: number): { told: Told; tell: boolean } {
  if (leftMs === null) return { told: { level: 0, atMs: 0 }, tell: false };
  const level = AHEAD_MS.filter((ahead) => leftMs <= ahead).length;
  if (level === 0) return { told: { level: 0, atMs: 0 }, tell: false };
  const tell = level > before.level || Math.abs(nowMs - before.atMs) >= AGAIN_MS;
  return { told: tell ? { level, atMs: nowMs } : before, tell };
}

interface BytesIndex {
  segments: Pick<RecorderIndex['segments'], 'bytesOf' | 'bytesBegunIn' | 'newestBefore'>;
}

/** How much is recorded and held: sums of hours, each made once. */
export class Room {
  private readonly hours = new Map<number, number>();

  constructor(private readonly index: BytesIndex) {}

  /** Something of that time was deleted. */
  forget({ startMs }: Range): void {
    this.hours.delete(Math.floor(startMs / HOUR_MS));
  }

  /** Bytes of recordings that began in that hour (number since 1970). */
  private async hour(hour: number, nowMs: number): Promise<number> {
    const known = this.hours.get(hour);
    if (known !== undefined) return known;
    const endMs = (hour + 1) * HOUR_MS;
    await breathe();
    const bytes = await this.index.segments.bytesBegunIn({ startMs: hour * HOUR_MS, endMs });
    if (endMs < nowMs - SETTLED_MS) this.hours.set(hour, bytes);
    return bytes;
  }

  /** Bytes a ms: the busiest hour of the last day, or the last ten minutes if they are busier. */
  async rate(nowMs: number): Promise<number> {
    const recent = await this.recentRate(nowMs);
    const thisHour = Math.floor(nowMs / HOUR_MS);
    let most = 0;
    for (let hour = thisHour - 1; hour >= thisHour - 24; hour--)
      most = Math.max(most, await this.hour(hour, nowMs));
    return Math.max(recent, most / HOUR_MS);
  }

  private async recentRate(nowMs: number): Promise<number> {
    const range = { startMs: nowMs - 600_000, endMs: nowMs };
    const bytes = await this.index.segments.bytesBegunIn(range);
    if (bytes === 0) return 0;
    const before = await this.index.segments.newestBefore(range.startMs);
    const young = before === null || before.endMs < range.startMs - 60_000;
    return bytes / (young ? await this.spanSince(range) : 600_000);
  }

  /** From the first recording of the range to its end, ms. */
  private async spanSince({ startMs, endMs }: Range): Promise<number> {
    let low = startMs;
    let high = endMs;
    while (high - low > 10_000) {
      const middle = (low + high) / 2;
      if ((await this.index.segments.newestBefore(middle))?.startMs === undefined) low = middle;
      else if ((await this.index.segments.bytesBegunIn({ startMs, endMs: middle })) === 0) low = middle;
      else high = middle;
    }
    return Math.max(LEAST_SPAN_MS, endMs - low);
  }

  /** Bytes of what is recorded of the stretches. */
  async covered(cover: Cover): Promise<number> {
    let bytes = 0;
    for (const { cameraId, stream, ...range } of cover.stretches())
      bytes += await this.index.segments.bytesOf(cameraId, stream, range);
    return bytes;
  }

  /** Deletable bytes: counted back from now until there are `enough`, or no more. `heldSince`: held bytes from a time on. */
  async deletable(
    nowMs: number,
    enough: number,
    heldSince: (fromMs: number) => Promise<number>,
  ): Promise<number> {
    let all = 0;
    let wanted = enough;
    let beforeMs = nowMs + 24 * HOUR_MS;
    for (;;) {
      const newest = await this.index.segments.newestBefore(beforeMs);
      if (newest === null || all >= wanted) {
        const free = Math.max(0, all - (await heldSince(beforeMs)));
        if (newest === null || free >= enough) return free;
        wanted = all + enough - free;
      }
      beforeMs = Math.floor(newest.startMs / HOUR_MS) * HOUR_MS;
      all += await this.hour(beforeMs / HOUR_MS, nowMs);
    }
  }
}
