import fs from 'node:fs/promises';
import path from 'node:path';
import { type Clock, DAY_MS } from '../src/base/clock.js';
import type { Log } from '../src/base/log.js';
import type { RecorderIndex } from './index/index.js';
import type { Integrity } from './integrity/integrity.js';
import type { SegmentRow } from './index/rows.js';
import type { RecorderEventKind } from './types.js';

/** The newest recordings stay even on a full disk: without them there is nothing to show at all. */
const KEEP_NEWEST_MS = 10 * 60_000;
/**
 * Files of one camera that go by age in one round: many more than a minute brings, few enough that a clock that is
 * wrongly far ahead takes a day, not a minute, to delete a month.
 */
const OLD_PER_ROUND = 30;
const EVENT_DAYS = 90;
const SEGMENT_EVENT_DAYS = 7;
const BATCH = 500;

export interface Disk {
  freeBytes: number;
  totalBytes: number;
}

export interface Victim {
  segment: SegmentRow;
  reason: 'age' | 'space';
}

export interface VictimFacts {
  /** closed segments, oldest first; open ones are never chosen */
  segments: SegmentRow[];
  nowMs: number;
  /** days to keep a camera's recordings */
  daysOf: (cameraId: string) => number;
  /** free now, and wanted free, bytes */
  freeBytes: number;
  wantedBytes: number;
}

/** Which recordings go: everything beyond its days, then the oldest until enough is free. */
export function chooseVictims({ segments, nowMs, daysOf, freeBytes, wantedBytes }: VictimFacts): Victim[] {
  const oldestFirst = segments
    .filter((one) => !one.open)
    .sort((a, b) => a.startMs - b.startMs || a.id - b.id);
  const victims: Victim[] = [];
  let free = freeBytes;
  const rest: SegmentRow[] = [];
  for (const segment of oldestFirst) {
    if (segment.endMs < nowMs - daysOf(segment.cameraId) * DAY_MS) {
      victims.push({ segment, reason: 'age' });
      free += segment.sizeBytes;
    } else rest.push(segment);
  }
  for (const segment of rest) {
    if (free >= wantedBytes) break;
    if (segment.endMs > nowMs - KEEP_NEWEST_MS) continue;
    victims.push({ segment, reason: 'space' });
    free += segment.sizeBytes;
  }
  return victims;
}

/** Bytes to keep free: the larger of the two limits. */
export const wantedFree = (disk: Disk, minFreeBytes: number, minFreePercent: number) =>
  Math.max(minFreeBytes, (disk.totalBytes * minFreePercent) / 100);

export interface RetentionOptions {
  root: string;
  index: RecorderIndex;
  log: Log;
  clock: Clock;
  /** days, for cameras without their own */
  retentionDays: number;
  minFreeBytes: number;
  minFreePercent: number;
  tell: (kind: RecorderEventKind, cameraId: string | null, data: Record<string, unknown>) => void;
  /** default: the file system's own figures */
  readDisk?: (root: string) => Promise<Disk>;
  /** told of each deletion before the file goes */
  integrity?: Pick<Integrity, 'recordDeletion'> | undefined;
}

export async function readDisk(root: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await fs.statfs(root);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Deletes what is too old and what stands in the way of recording; once a minute. */
export class Retention {
  /** as last read; null before, or while the disk can't be read */
  disk: Disk | null = null;
  low = false;
  private behind = false;
  private running: Promise<void> | null = null;

  constructor(private readonly options: RetentionOptions) {}

  /** One round; a second call joins the one under way. Never throws: an unreadable disk deletes nothing. */
  run(): Promise<void> {
    this.running ??= this.round()
      .catch((error) => this.options.log.error({ err: error }, 'retention failed; nothing more is deleted'))
      .finally(() => {
        this.running = null;
      });
    return this.running;
  }

  private async look(): Promise<Disk> {
    try {
      this.disk = await (this.options.readDisk ?? readDisk)(this.options.root);
      await fs.access(this.options.root, fs.constants.R_OK | fs.constants.W_OK);
      return this.disk;
    } catch (error) {
      this.disk = null;
      throw error;
    }
  }

  private async round(): Promise<void> {
    const { index, clock, minFreeBytes, minFreePercent } = this.options;
    const first = await this.look();
    const wantedBytes = wantedFree(first, minFreeBytes, minFreePercent);
    const days = await index.retentionDays();
    const daysOf = (cameraId: string) => days.get(cameraId) ?? this.options.retentionDays;
    const behind: string[] = [];
    for (const [cameraId, sinceMs] of await index.recordedSince()) {
      const beforeMs = clock.now() - daysOf(cameraId) * DAY_MS;
      if (sinceMs >= beforeMs) continue;
      const segments = await index.oldestSegments(OLD_PER_ROUND + 1, { cameraId, beforeMs });
      const free = { freeBytes: 1, wantedBytes: 0 };
      const victims = chooseVictims({ segments, nowMs: clock.now(), daysOf, ...free });
      await this.remove(victims.slice(0, OLD_PER_ROUND));
      if (victims.length > OLD_PER_ROUND) behind.push(cameraId);
    }
    this.tellBehind(behind);
    for (;;) {
      const { freeBytes } = await this.look();
      if (freeBytes >= wantedBytes) break;
      const segments = await index.oldestSegments(BATCH);
      const victims = chooseVictims({ segments, nowMs: clock.now(), daysOf, freeBytes, wantedBytes });
      if ((await this.remove(victims)) === 0) break;
    }
    this.judge(await this.look(), wantedBytes);
    const now = clock.now();
    await index.forgetEvents(now - EVENT_DAYS * DAY_MS, now - SEGMENT_EVENT_DAYS * DAY_MS);
  }

  private tellBehind(cameras: string[]): void {
    if (cameras.length > 0 && !this.behind)
      this.options.log.warn(
        { cameras },
        'much is beyond its days at once: it is deleted little by little. Is the clock of this machine right?',
      );
    this.behind = cameras.length > 0;
  }

  /** Row of the deletion, file, row of the segment, event (README, "Delete"). How many went. */
  private async remove(victims: Victim[]): Promise<number> {
    const { index, root, log, clock, tell } = this.options;
    const gone: Victim[] = [];
    for (const { segment, reason } of victims) {
      const { cameraId, stream, startMs, endMs, sizeBytes } = segment;
      await index.addDeletion({ atMs: clock.now(), cameraId, stream, startMs, endMs, sizeBytes, reason });
      await this.options.integrity?.recordDeletion({ path: segment.path, startMs, endMs, sizeBytes, reason });
      try {
        await fs.rm(path.join(root, segment.path), { force: true });
      } catch (error) {
        log.error({ err: error, path: segment.path }, 'a file could not be deleted');
        continue;
      }
      await index.dropSegments([segment.id]);
      await fs.rmdir(path.dirname(path.join(root, segment.path))).catch(() => {});
      gone.push({ segment, reason });
    }
    for (const cameraId of new Set(gone.map((one) => one.segment.cameraId))) {
      const list = gone.filter((one) => one.segment.cameraId === cameraId);
      const starts = list.map((one) => one.segment.startMs);
      const ends = list.map((one) => one.segment.endMs);
      tell('footage-deleted', cameraId, {
        startMs: Math.min(...starts),
        endMs: Math.max(...ends),
        files: list.length,
        sizeBytes: list.reduce((sum, one) => sum + one.segment.sizeBytes, 0),
        reason: list[0]!.reason,
      });
    }
    return gone.length;
  }

  private judge({ freeBytes, totalBytes }: Disk, wantedBytes: number): void {
    const low = freeBytes < wantedBytes;
    if (low === this.low) return;
    this.low = low;
    this.options.tell(low ? 'disk-low' : 'disk-ok', null, { freeBytes, totalBytes });
  }
}
