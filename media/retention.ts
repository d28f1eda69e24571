import fs from 'node:fs/promises';
import path from 'node:path';
import { setImmediate as breathe } from 'node:timers/promises';
import { type Clock, DAY_MS } from '../src/base/clock.js';
import type { Log } from '../src/base/log.js';
import { EDGE_MS } from './holds/cover.js';
import type { Holds } from './holds/holds.js';
import { fullAt, nextTold, Room, type Told } from './holds/room.js';
import type { RecorderIndex } from './index/index.js';
import type { SegmentRow } from './index/rows.js';
import type { Integrity } from './integrity/integrity.js';
import type { TrustedClock } from './trusted-clock.js';
import type { Hold, HoldsHealth, Range, RecorderEventKind, StreamName } from './types.js';

/** The newest recordings stay while the disk is only short: without them there is nothing to show at all, ms. */
const KEEP_NEWEST_MS = 10 * 60_000;
/** On a full disk so much of them stays, ms. */
const KEEP_NEWEST_FULL_MS = 60_000;
/** Free for so much recording is wanted on any disk, ms, as long as that is at most this share of the disk. */
const AHEAD_MS = 120_000;
const AHEAD_SHARE = 0.05;
/** Freed at once when a write found the disk full, whatever its figures say, bytes. */
const FULL_BYTES = 4 * 1024 * 1024;
/**
 * Files of one stream that go by age in one round: many more than a minute brings, few enough that a clock that is
 * wrongly far ahead takes a day, not a minute, to delete a month.
 */
const OLD_PER_ROUND = 30;
/** Read of each stream at a time when the oldest of all are wanted. */
const PAGE = 10;
/** All keeps together, share of the disk. */
const KEEPS_SHARE = 0.1;
const HELD_MEASURED_EVERY_MS = 10 * 60_000;
const STUCK_AGAIN_MS = 6 * 3_600_000;
const EVENT_DAYS = 90;
const SEGMENT_EVENT_DAYS = 7;
/** Settings of the index: what was told of the forecast. */
const FORECAST = 'holdsForecast';

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
  /** held segments are never chosen */
  isHeld: (segment: SegmentRow) => boolean;
  /** the trusted time, which no wrong clock sets ahead; ages go by it */
  trustedMs: number;
  /** what recordings are dated by; the newest go by it */
  wallMs: number;
  /** days to keep a camera's recordings */
  daysOf: (cameraId: string) => number;
  /** how much younger a recording is than its date, ms: the clock was behind when it was made */
  lateMs?: (segment: SegmentRow) => number;
  /** free now, and wanted free, bytes */
  freeBytes: number;
  wantedBytes: number;
  /** recordings this near to now stay, ms; default ten minutes */
  keepNewestMs?: number;
}

/** Which recordings go: everything beyond its days, then the oldest until enough is free; never what is held. */
export function chooseVictims(facts: VictimFacts): Victim[] {
  const { segments, isHeld, trustedMs, wallMs, daysOf, wantedBytes, keepNewestMs = KEEP_NEWEST_MS } = facts;
  const oldestFirst = segments
    .filter((one) => !one.open && !isHeld(one))
    .sort((a, b) => a.startMs - b.startMs || a.id - b.id);
  const victims: Victim[] = [];
  let free = facts.freeBytes;
  const rest: SegmentRow[] = [];
  for (const segment of oldestFirst) {
    if (segment.endMs + (facts.lateMs?.(segment) ?? 0) < trustedMs - daysOf(segment.cameraId) * DAY_MS) {
      victims.push({ segment, reason: 'age' });
      free += segment.sizeBytes;
    } else rest.push(segment);
  }
  for (const segment of rest) {
    if (free >= wantedBytes) break;
    if (Math.abs(wallMs - segment.endMs) < keepNewestMs) continue;
    victims.push({ segment, reason: 'space' });
    free += segment.sizeBytes;
  }
  return victims;
}

/** Bytes to keep free: the larger of the two limits. */
export const wantedFree = (disk: Disk, minFreeBytes: number, minFreePercent: number) =>
  Math.max(minFreeBytes, (disk.totalBytes * minFreePercent) / 100);

/** The keep that goes first: the one that would end first. */
export const firstToDrop = (keeps: readonly Hold[]): Hold | undefined =>
  [...keeps].sort((a, b) => (a.untilMs ?? 0) - (b.untilMs ?? 0) || a.createdMs - b.createdMs)[0];

/** What retention needs of the index. */
export interface RetentionIndex {
  cameras: Pick<RecorderIndex['cameras'], 'retentionDays'>;
  segments: Pick<
    RecorderIndex['segments'],
    'recordedSince' | 'oldestOf' | 'bytesOf' | 'bytesBegunIn' | 'newestBefore' | 'drop'
  >;
  deletions: Pick<RecorderIndex['deletions'], 'add'>;
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

export async function readDisk(root: string): Promise<Disk> {
  const { bavail, blocks, bsize } = await fs.statfs(root);
  return { freeBytes: bavail * bsize, totalBytes: blocks * bsize };
}

/** Finds out what a disk's figures don't tell: that it fails, or is read-only. */
export async function tryDisk(root: string): Promise<void> {
  await fs.access(root, fs.constants.R_OK | fs.constants.W_OK);
  const file = path.join(root, '.write-test');
  const handle = await fs.open(file, 'w', 0o640);
  try {
    await handle.writeFile(Buffer.alloc(4096));
    await handle.sync();
  } finally {
    await handle.close();
    await fs.rm(file, { force: true });
  }
}

async function removeFromDisk(file: string): Promise<void> {
  await fs.rm(file, { force: true });
  await fs.rmdir(path.dirname(file)).catch(() => {});
}

const codeOf = (error: unknown) => (error as NodeJS.ErrnoException).code ?? 'unknown';

/** Deletes what is too old and what stands in the way of recording; twice a minute. Never what is held. */
export class Retention {
  /** as last read; null before, or while the disk can't be read */
  disk: Disk | null = null;
  private state: 'ok' | 'low' | 'failing' = 'ok';
  private readonly room: Room;
  private behind = false;
  private running: Promise<void> | null = null;
  private removing: Promise<unknown> = Promise.resolve();
  /** the disk refused a write for want of space, this round */
  private full = false;
  private doubted = false;
  private stuckToldMs: number | null = null;
  private rate = 0;
  private measured = { atMs: Number.NEGATIVE_INFINITY, heldBytes: 0, keptBytes: 0, holds: '' };
  private fullAtMs: number | null = null;

  constructor(private readonly options: RetentionOptions) {
    this.room = new Room(options.index);
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
    return this.state === 'low';
  }

  /** Resolves when no file is being removed: what is held now and still there, stays. */
  async settled(): Promise<void> {
    await this.removing;
  }

  health(): HoldsHealth {
    const { holds } = this.options;
    const { heldBytes, keptBytes } = this.measured;
    return {
      readable: holds.fault === null,
      holds: holds.active('hold').length,
      keeps: holds.active('keep').length,
      ...{ heldBytes, keptBytes, fullAtMs: this.fullAtMs },
    };
  }

  private async look(): Promise<Disk> {
    try {
      this.disk = await (this.options.readDisk ?? readDisk)(this.options.root);
      return this.disk;
    } catch (error) {
      this.disk = null;
      this.tellFailing(codeOf(error));
      throw error;
    }
  }

  /** Whether the disk takes anything; a full one is no failing one. */
  private async tryIt(): Promise<void> {
    try {
      await (this.options.tryDisk ?? tryDisk)(this.options.root);
      this.full = false;
    } catch (error) {
      this.full = ['ENOSPC', 'EDQUOT'].includes(codeOf(error));
      if (this.full) return;
      this.disk = null;
      this.tellFailing(codeOf(error));
      throw error;
    }
  }

  private tellFailing(code: string): void {
    if (this.state !== 'failing') this.options.tell('disk-failing', null, { code });
    this.state = 'failing';
  }

  private async round(): Promise<void> {
    const { index, clock, holds, trusted } = this.options;
    await this.look();
    await this.tryIt();
    this.tellDoubt(await trusted.look());
    const known = await holds.agree();
    this.rate = await this.room.rate(clock.now());
    let freed: 'enough' | 'short' | 'nothing-left' = 'short';
    if (known && (this.options.ready?.() ?? true)) {
      const days = await index.cameras.retentionDays();
      const daysOf = (cameraId: string) => days.get(cameraId) ?? this.options.retentionDays;
      const cameras = await index.segments.recordedSince();
      await this.removeOld(cameras, daysOf);
      await this.boundKeeps();
      freed = await this.freeSpace(cameras, daysOf);
      await this.measure(await this.look());
      if (this.full) await this.tryIt();
    }
    const disk = await this.look();
    this.judge(disk);
    this.tellStuck(disk, freed);
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

  /** The space without which recording stops within minutes, bytes. */
  private leastFree(totalBytes: number): number {
    return Math.min(this.rate * AHEAD_MS, totalBytes * AHEAD_SHARE);
  }

  private wanted(disk: Disk): number {
    const { minFreeBytes, minFreePercent } = this.options;
    return Math.max(wantedFree(disk, minFreeBytes, minFreePercent), this.leastFree(disk.totalBytes));
  }

  private isHeld({ cameraId, stream, startMs, endMs }: SegmentRow): boolean {
    return this.options.holds.cover().held(cameraId, stream, { startMs, endMs }) !== null;
  }

  /**
   * The oldest closed recordings of a stream that nobody holds. Held stretches are stepped over, not read; between
   * queries, which hold up this thread, the recording has its turn.
   */
  private async oldestFree(
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

  private async removeOld(cameras: Map<string, number>, daysOf: (cameraId: string) => number): Promise<void> {
    const behind: string[] = [];
    for (const [cameraId, sinceMs] of cameras)
      for (const stream of ['main', 'sub'] as const) {
        const beforeMs = this.options.trusted.now() - daysOf(cameraId) * DAY_MS;
        if (sinceMs >= beforeMs) continue;
        const segments = await this.oldestFree(cameraId, stream, sinceMs, OLD_PER_ROUND + 1, beforeMs);
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
    return chooseVictims({ segments, daysOf, isHeld: (one) => this.isHeld(one), lateMs, ...times, ...space });
  }

  private tellBehind(cameras: string[]): void {
    if (cameras.length > 0 && !this.behind)
      this.options.log.warn(
        { cameras },
        'much is beyond its days at once: it is deleted little by little. Is the clock of this machine right?',
      );
    this.behind = cameras.length > 0;
  }

  /** The oldest free recordings of all cameras, in order: as far as every stream's page reaches. */
  private async oldestOfAll(
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

  /** Deletes the oldest, then drops keeps, until enough is free. Never a hold. */
  private async freeSpace(
    cameras: Map<string, number>,
    daysOf: (cameraId: string) => number,
  ): Promise<'enough' | 'short' | 'nothing-left'> {
    const { clock } = this.options;
    // a write was refused: the figures do not tell how much is missing
    const owedBytes = this.full ? (await this.look()).freeBytes + FULL_BYTES : 0;
    for (;;) {
      const disk = await this.look();
      const wantedBytes = Math.max(this.wanted(disk), owedBytes);
      const { freeBytes } = disk;
      if (freeBytes >= wantedBytes) return 'enough';
      const hard = this.full || freeBytes < this.leastFree(disk.totalBytes);
      const keepNewestMs = hard ? KEEP_NEWEST_FULL_MS : KEEP_NEWEST_MS;
      const oldest = await this.oldestOfAll(cameras, clock.now(), keepNewestMs);
      const victims = this.choose(oldest, daysOf, { freeBytes, wantedBytes, keepNewestMs });
      if (victims.length === 0) {
        if (await this.dropKeep('space')) continue;
        return 'nothing-left';
      }
      const goneBytes = await this.remove(victims);
      if (goneBytes === 0) return 'short';
      const after = await this.look();
      // a disk that gives no space back: what went wrong is not mended by deleting everything
      if (after.freeBytes - freeBytes < goneBytes / 2)
        return after.freeBytes >= wantedBytes ? 'enough' : 'short';
    }
  }

  /** Bytes that only keeps hold. */
  private async keptBytes(): Promise<number> {
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

  /** Keeps have a tenth of the disk, and no more. */
  private async boundKeeps(): Promise<void> {
    const { holds } = this.options;
    if (holds.active('keep').length === 0) return;
    const budget = (await this.look()).totalBytes * KEEPS_SHARE;
    if ((await this.room.covered(holds.cover('keep'))) <= budget) return;
    while ((await this.keptBytes()) > budget) if (!(await this.dropKeep('budget'))) return;
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
      if (holds.fault !== null || this.isHeld(victim.segment)) continue;
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
    await index.deletions.add({ atMs: clock.now(), cameraId, stream, startMs, endMs, sizeBytes, reason });
    await this.options.integrity?.recordDeletion({ path: segment.path, startMs, endMs, sizeBytes, reason });
    try {
      await (this.options.removeFile ?? removeFromDisk)(path.join(root, segment.path));
    } catch (error) {
      log.error({ err: error, path: segment.path }, 'a file could not be deleted');
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

  private judge(disk: Disk): void {
    const state = this.full || disk.freeBytes < this.wanted(disk) ? 'low' : 'ok';
    if (state === this.state) return;
    this.state = state;
    const { freeBytes, totalBytes } = disk;
    this.options.tell(state === 'low' ? 'disk-low' : 'disk-ok', null, { freeBytes, totalBytes });
  }

  /** Nothing is left but what officers hold: loud, since recording stops. */
  private tellStuck(disk: Disk, freed: 'enough' | 'short' | 'nothing-left'): void {
    const short = this.full || disk.freeBytes < this.leastFree(disk.totalBytes);
    if (freed !== 'nothing-left' || !short || this.measured.heldBytes === 0) {
      if (freed === 'enough') this.stuckToldMs = null;
      return;
    }
    const nowMs = performance.now();
    if (this.stuckToldMs !== null && nowMs - this.stuckToldMs < STUCK_AGAIN_MS) return;
    this.stuckToldMs = nowMs;
    const { heldBytes } = this.measured;
    const holds = this.options.holds.active('hold').length;
    this.options.tell('disk-full-of-holds', null, { ...disk, heldBytes, holds });
  }

  /** Sums up what is held, and tells when that will fill the disk. */
  private async measure(disk: Disk): Promise<void> {
    const { holds, clock, index } = this.options;
    const nowMs = clock.now();
    const officers = holds.active('hold');
    const names = [...officers, ...holds.active('keep')].map(({ id }) => id).join();
    const age = performance.now() - this.measured.atMs;
    if (names !== this.measured.holds || age > HELD_MEASURED_EVERY_MS || this.full)
      this.measured = {
        atMs: performance.now(),
        heldBytes: await this.room.covered(holds.cover('hold')),
        keptBytes: holds.active('keep').length === 0 ? 0 : await this.keptBytes(),
        holds: names,
      };
    const { heldBytes } = this.measured;
    const before = JSON.parse((await index.settings.read(FORECAST)) ?? '{"level":0,"atMs":0}') as Told;
    this.fullAtMs = heldBytes === 0 ? null : await this.forecast(disk, heldBytes, nowMs);
    const { told, tell } = nextTold(before, this.fullAtMs === null ? null : this.fullAtMs - nowMs, nowMs);
    if (told.level !== before.level || told.atMs !== before.atMs)
      await index.settings.write(FORECAST, JSON.stringify(told));
    if (tell)
      this.options.tell('holds-fill-disk', null, {
        ...disk,
        fullAtMs: this.fullAtMs,
        ...{ heldBytes, holds: officers.length, bytesPerDay: Math.round(this.rate * DAY_MS) },
      });
  }

  private async forecast(disk: Disk, heldBytes: number, nowMs: number): Promise<number | null> {
    const cover = this.options.holds.cover('hold');
    const heldSince = async (fromMs: number) => {
      let bytes = 0;
      for (const { cameraId, stream, startMs, endMs } of cover.stretches())
        if (endMs > fromMs - EDGE_MS)
          bytes += await this.options.index.segments.bytesOf(cameraId, stream, {
            startMs: Math.max(startMs, fromMs),
            endMs,
          });
      return bytes;
    };
    const enough = 2 * DAY_MS * this.rate - disk.freeBytes;
    const deletableBytes = enough <= 0 ? 0 : await this.room.deletable(nowMs, enough, heldSince);
    return fullAt({ nowMs, freeBytes: disk.freeBytes, deletableBytes, heldBytes, rate: this.rate });
  }
}
