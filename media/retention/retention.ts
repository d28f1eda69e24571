import fs from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Clock, DAY_MS } from '../../src/base/clock.js';
import type { Log } from '../../src/base/log.js';
import type { Holds } from '../holds/holds.js';
import { Room } from '../holds/room.js';
import type { RecorderIndex } from '../index/index.js';
import type { SegmentRow } from '../index/rows.js';
import type { Integrity } from '../integrity/integrity.js';
import type { TrustedClock } from '../trusted-clock.js';
import type { HoldsHealth, RecorderEventKind } from '../types.js';
import { type Disk, DiskState } from './disk-state.js';
import { Forecast } from './forecast.js';
import { Oldest } from './oldest.js';
import { Unreadable } from './unreadable.js';
import { chooseVictims, firstToDrop, KEEP_NEWEST_MS, type Victim, type VictimFacts } from './victims.js';

/** On a full disk so much of them stays, ms. */
const KEEP_NEWEST_FULL_MS = 60_000;
/** Freed at once when a write found the disk full, whatever its figures say, bytes. */
const FULL_BYTES = 4 * 1024 * 1024;
/**
 * Files of one stream that go by age in one round: many more than a minute brings, few enough that a clock that is
 * wrongly far ahead takes a day, not a minute, to delete a month.
 */
const OLD_PER_ROUND = 30;
/** All keeps together, share of the disk. */
const KEEPS_SHARE = 0.1;
const EVENT_DAYS = 90;
const SEGMENT_EVENT_DAYS = 7;

/** What retention needs of the index. */
export interface RetentionIndex {
  cameras: Pick<RecorderIndex['cameras'], 'retentionDays'>;
  segments: Pick<
    RecorderIndex['segments'],
    'recordedSince' | 'oldestOf' | 'bytesOf' | 'bytesBegunIn' | 'newestBefore' | 'drop'
  >;
  deletions: Pick<RecorderIndex['deletions'], 'add' | 'withdraw'>;
  events: Pick<RecorderIndex['events'], 'forget'>;
  settings: Pick<RecorderIndex['settings'], 'read' | 'write'>;
}

export interface RetentionOptions {
  root: string;
  index: RetentionIndex;
  holds: Holds;
  /** what ages go by */
  trusted: Pick<TrustedClock, 'look' | 'now'> & Partial<Pick<TrustedClock, 'late'>>;
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
  /** writes and removes something, to see whether the disk takes it; throws what it says */
  tryDisk?: (root: string) => Promise<void>;
  /** default: from the disk; resolves where there is none already */
  removeFile?: (file: string) => Promise<void>;
  /** false while index and files do not agree yet: nobody knows then what is oldest, so nothing is deleted */
  ready?: () => boolean;
}

async function removeFromDisk(file: string): Promise<void> {
  await fs.rm(file, { force: true });
  await fs.rmdir(path.dirname(file)).catch(() => {});
}

/** Deletes what is too old and what stands in the way of recording; twice a minute. Never what is held. */
export class Retention {
  private readonly state: DiskState;
  private readonly oldest: Oldest;
  private readonly room: Room;
  private readonly unreadable: Unreadable;
  private readonly forecast: Forecast;
  private behind = false;
  private running: Promise<void> | null = null;
  private removing: Promise<unknown> = Promise.resolve();
  private doubted = false;

  constructor(private readonly options: RetentionOptions) {
    this.state = new DiskState(options);
    this.oldest = new Oldest(options);
    this.room = new Room(options.index);
    this.unreadable = new Unreadable(options, this.state);
    this.forecast = new Forecast(options, this.room, this.oldest, this.state, this.unreadable);
  }

  /** as last read; null before, or while the disk can't be read */
  get disk(): Disk | null {
    return this.state.disk;
  }

  /** One round; a second call joins the one under way. Never throws: an unreadable disk deletes nothing. */
  run(): Promise<void> {
    this.running ??= this.round()
      .catch((error) => this.options.log.error({ err: error }, 'retention failed; nothing more is deleted'))
      .finally(() => {
        this.running = null;
      });
    return this.running;
  }

  get low(): boolean {
    return this.state.low;
  }

  /** Resolves when no file is being removed: what is held now and still there, stays. */
  async settled(): Promise<void> {
    await this.removing;
  }

  health(): HoldsHealth {
    return this.forecast.health();
  }

  private async round(): Promise<void> {
    const { index, clock, holds, trusted } = this.options;
    await this.state.look();
    await this.state.tryIt();
    this.tellDoubt(await trusted.look());
    const known = await holds.agree();
    this.state.rate = await this.room.rate(clock.now());
    await this.unreadable.judge(known ? null : holds.fault, await this.state.look());
    let freed: 'enough' | 'short' | 'nothing-left' = 'short';
    if (known && (this.options.ready?.() ?? true)) {
      const days = await index.cameras.retentionDays();
      const daysOf = (cameraId: string) => days.get(cameraId) ?? this.options.retentionDays;
      const cameras = await index.segments.recordedSince();
      await this.removeOld(cameras, daysOf);
      await this.boundKeeps();
      freed = await this.freeSpace(cameras, daysOf);
      await this.forecast.measure(await this.state.look());
      if (this.state.full) await this.state.tryIt();
    }
    const disk = await this.state.look();
    this.state.judge(disk, known);
    this.forecast.tellStuck(disk, freed);
    const now = trusted.now();
    await index.events.forget(now - EVENT_DAYS * DAY_MS, now - SEGMENT_EVENT_DAYS * DAY_MS);
  }

  private tellDoubt({ aheadMs }: { aheadMs: number | null }): void {
    if ((aheadMs !== null) === this.doubted) return;
    this.doubted = aheadMs !== null;
    const wallMs = this.options.clock.now();
    if (aheadMs === null) this.options.tell('clock-trusted', null, { wallMs });
    else this.options.tell('clock-doubted', null, { wallMs, trustedMs: Math.round(wallMs - aheadMs) });
  }

  private async removeOld(cameras: Map<string, number>, daysOf: (cameraId: string) => number): Promise<void> {
    const behind: string[] = [];
    for (const [cameraId, sinceMs] of cameras)
      for (const stream of ['main', 'sub'] as const) {
        const beforeMs = this.options.trusted.now() - daysOf(cameraId) * DAY_MS;
        if (sinceMs >= beforeMs) continue;
        const segments = await this.oldest.oldestFree(cameraId, stream, sinceMs, OLD_PER_ROUND + 1, beforeMs);
        const victims = this.choose(segments, daysOf, { freeBytes: 1, wantedBytes: 0 });
        await this.remove(victims.slice(0, OLD_PER_ROUND));
        if (victims.length > OLD_PER_ROUND) behind.push(cameraId);
      }
    this.tellBehind(behind);
  }

  private choose(
    segments: SegmentRow[],
    daysOf: (cameraId: string) => number,
    space: Pick<VictimFacts, 'freeBytes' | 'wantedBytes' | 'keepNewestMs'>,
  ): Victim[] {
    const { trusted, clock } = this.options;
    const times = { trustedMs: trusted.now(), wallMs: clock.now() };
    const lateMs = ({ startMs }: SegmentRow) => trusted.late?.(startMs)?.byMs ?? 0;
    return chooseVictims({
      segments,
      daysOf,
      isHeld: (one) => this.oldest.isHeld(one),
      lateMs,
      ...times,
      ...space,
    });
  }

  private tellBehind(cameras: string[]): void {
    if (cameras.length > 0 && !this.behind)
      this.options.log.warn(
        { cameras },
        'much is beyond its days at once: it is deleted little by little. Is the clock of this machine right?',
      );
    this.behind = cameras.length > 0;
  }

  /** Deletes the oldest, then drops keeps, until enough is free. Never a hold. */
  private async freeSpace(
    cameras: Map<string, number>,
    daysOf: (cameraId: string) => number,
  ): Promise<'enough' | 'short' | 'nothing-left'> {
    const { clock } = this.options;
    // a write was refused: the figures do not tell how much is missing
    const owedBytes = this.state.full ? (await this.state.look()).freeBytes + FULL_BYTES : 0;
    for (;;) {
      const disk = await this.state.look();
      const wantedBytes = Math.max(this.state.wanted(disk), owedBytes);
      const { freeBytes } = disk;
      if (freeBytes >= wantedBytes) return 'enough';
      const hard = this.state.isShort(disk);
      const keepNewestMs = hard ? KEEP_NEWEST_FULL_MS : KEEP_NEWEST_MS;
      const oldest = await this.oldest.oldestOfAll(cameras, clock.now(), keepNewestMs);
      const victims = this.choose(oldest, daysOf, { freeBytes, wantedBytes, keepNewestMs });
      if (victims.length === 0) {
        if (await this.dropKeep('space')) continue;
        return 'nothing-left';
      }
      const goneBytes = await this.remove(victims);
      if (goneBytes === 0) return 'short';
      const after = await this.state.look();
      // a disk that gives no space back: what went wrong is not mended by deleting everything
      if (after.freeBytes - freeBytes < goneBytes / 2)
        return after.freeBytes >= wantedBytes ? 'enough' : 'short';
    }
  }

  /** Keeps have a tenth of the disk, and no more. */
  private async boundKeeps(): Promise<void> {
    const { holds } = this.options;
    if (holds.active('keep').length === 0) return;
    const budget = (await this.state.look()).totalBytes * KEEPS_SHARE;
    if ((await this.room.covered(holds.cover('keep'))) <= budget) return;
    while ((await this.oldest.keptBytes()) > budget) if (!(await this.dropKeep('budget'))) return;
  }

  private async dropKeep(cause: 'budget' | 'space'): Promise<boolean> {
    const { holds, log } = this.options;
    const keep = firstToDrop(holds.active('keep'));
    if (keep === undefined) return false;
    log.warn({ hold: keep.id, cause }, 'a keep is dropped');
    await holds.drop(keep, cause);
    return true;
  }

  /** The one place where recordings are removed: one file at a time. How many bytes went. */
  private async remove(victims: Victim[]): Promise<number> {
    const gone: Victim[] = [];
    for (const victim of victims) {
      const { holds } = this.options;
      await breathe();
      // nothing is awaited between this look and the removal
      if (holds.fault !== null || this.oldest.isHeld(victim.segment)) continue;
      const removed = this.removeOne(victim);
      this.removing = removed;
      if (await removed) gone.push(victim);
    }
    this.tellGone(gone);
    return gone.reduce((sum, { segment }) => sum + segment.sizeBytes, 0);
  }

  /** Row of the deletion, record in the chain, file, row of the segment (README, "Delete"). */
  private async removeOne({ segment, reason }: Victim): Promise<boolean> {
    const { index, root, log, clock } = this.options;
    const { cameraId, stream, startMs, endMs, sizeBytes } = segment;
    const atMs = clock.now();
    const id = await index.deletions.add({ atMs, cameraId, stream, startMs, endMs, sizeBytes, reason });
    await this.options.integrity?.recordDeletion({ path: segment.path, startMs, endMs, sizeBytes, reason });
    try {
      await (this.options.removeFile ?? removeFromDisk)(path.join(root, segment.path));
    } catch (error) {
      log.error({ err: error, path: segment.path }, 'a file could not be deleted');
      await index.deletions.withdraw(id);
      return false;
    }
    await index.segments.drop([segment.id]);
    this.room.forget(segment);
    return true;
  }

  private tellGone(gone: Victim[]): void {
    for (const cameraId of new Set(gone.map((one) => one.segment.cameraId))) {
      const list = gone.filter((one) => one.segment.cameraId === cameraId);
      const starts = list.map((one) => one.segment.startMs);
      const ends = list.map((one) => one.segment.endMs);
      this.options.tell('footage-deleted', cameraId, {
        startMs: Math.min(...starts),
        endMs: Math.max(...ends),
        files: list.length,
        sizeBytes: list.reduce((sum, one) => sum + one.segment.sizeBytes, 0),
        reason: list[0]!.reason,
      });
    }
  }
}
