import { randomUUID } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { DAY_MS } from '../../src/base/clock.js';
import { WorldError } from '../../src/base/errors.js';
import type { Log } from '../../src/base/log.js';
import type { RecorderIndex } from '../index/index.js';
import type { Hold, HoldRank, HoldRequest, Range, RecorderEventKind, StreamName } from '../types.js';
import { Cover, inForce } from './cover.js';
import type { HoldFiles, SpoiltFile } from './files.js';

/** A keep is made by a machine: no report needs more than a day of one camera. */
const LONGEST_KEEP_MS = DAY_MS;
const LONGEST_HOLD_MS = 366 * DAY_MS;

export interface HoldsOptions {
  files: HoldFiles;
  index: { holds: Pick<RecorderIndex['holds'], 'list' | 'put'> };
  log: Log;
  tell: (kind: RecorderEventKind, cameraId: string | null, data: Record<string, unknown>) => void;
  /** wall clock, epoch ms: what is written down */
  wall: () => number;
  /** a clock that is never ahead, epoch ms: what ends holds */
  now: () => number;
}

/** What may not be deleted. The files are the truth, the index has a copy, and what is asked is answered from memory. */
export class Holds {
  private all = new Map<string, Hold>();
  /** asked for, not durable yet: they protect already */
  private readonly coming = new Map<string, Hold>();
  /** dropped keeps that no full disk would take: they are dropped all the same, and written when it can be */
  private readonly unwritten = new Map<string, Hold>();
  private work: Promise<unknown> = Promise.resolve();
  private covers = new Map<HoldRank | 'any', { cover: Cover; untilMs: number }>();
  /** why nobody knows what is held: nothing may be deleted then; null when all is well */
  fault: string | null = 'the holds are not read yet';

  constructor(private readonly options: HoldsOptions) {}

  private inTurn<T>(what: () => Promise<T>): Promise<T> {
    const done = this.work.then(what, what);
    this.work = done.catch(() => {});
    return done;
  }

  private changed(): void {
    this.covers = new Map();
  }

  /**
   * Reads the files again and makes files, index and memory agree: a file wins, what has none gets its file back, one
   * that can't be read is put aside and written anew from index or memory. False when somebody's hold may be unknown:
   * the folder can't be read, or a file whose hold nothing else knows.
   */
  agree(): Promise<boolean> {
    return this.inTurn(async () => {
      const { files, index, log } = this.options;
      const rows = await index.holds.list().catch((error) => {
        log.error({ err: error }, 'the index tells no holds');
        return null;
      });
      // what is in memory was written last
      const copies = new Map([...(rows ?? []), ...this.all.values()].map((hold) => [hold.id, hold]));
      let read: Awaited<ReturnType<HoldFiles['read']>>;
      try {
        read = await files.read();
      } catch (error) {
        this.fault = error instanceof Error ? error.message : String(error);
        log.error({ err: error }, 'the holds can not be read: nothing is deleted');
        this.all = copies;
        this.changed();
        return false;
      }
      const all = new Map(read.holds.map((hold) => [hold.id, hold]));
      const unknown: SpoiltFile[] = [];
      for (const spoilt of read.spoilt) {
        const hold = copies.get(spoilt.id);
        if (hold === undefined) unknown.push(spoilt);
        else {
          all.set(hold.id, hold);
          await this.mend(spoilt, hold);
        }
      }
      for (const hold of copies.values()) {
        if (all.has(hold.id)) continue;
        all.set(hold.id, hold);
        await files
          .write(hold)
          .catch((error) => log.error({ err: error, hold: hold.id }, 'a hold has no file'));
      }
      for (const hold of this.unwritten.values()) {
        all.set(hold.id, hold);
        await files.write(hold).then(
          () => this.unwritten.delete(hold.id),
          () => {},
        );
      }
      this.all = all;
      this.fault = unknown.length === 0 ? null : unknown.map(({ why }) => why).join('; ');
      this.changed();
      const known = new Map(rows?.map((hold) => [hold.id, hold]));
      if (rows !== null)
        for (const hold of all.values())
          if (!isDeepStrictEqual(known.get(hold.id), hold)) await this.copy(hold);
      if (this.fault !== null)
        log.error(
          { fault: this.fault },
          'a hold can not be read and nothing else knows it: nothing is deleted',
        );
      return this.fault === null;
    });
  }

  /** Writes a hold's file anew beside the one that can't be read. What the disk does not take is tried again. */
  private async mend({ name, why }: SpoiltFile, hold: Hold): Promise<void> {
    const { files, log, tell } = this.options;
    try {
      // so that never only memory knows it
      await this.copy(hold);
      const aside = await files.putAside(name);
      await files.write(hold);
      log.warn({ hold: hold.id, aside, why }, 'the file of a hold was spoilt; it is written anew');
      const { id, startMs, endMs, released } = hold;
      tell('hold-file-mended', hold.cameraId, { id, startMs, endMs, released: released !== null, aside });
    } catch (error) {
      log.error({ err: error, hold: hold.id }, 'the spoilt file of a hold could not be written anew');
    }
  }

  private async copy(hold: Hold): Promise<void> {
    await this.options.index.holds
      .put(hold)
      .catch((error) => this.options.log.error({ err: error, hold: hold.id }, 'the index took no hold'));
  }

  /** All there ever were, newest first. */
  list(): Hold[] {
    return [...this.all.values()].sort((a, b) => b.createdMs - a.createdMs || (a.id < b.id ? -1 : 1));
  }

  isActive(hold: Hold): boolean {
    return inForce(hold, this.options.now());
  }

  active(rank: HoldRank): Hold[] {
    return this.list().filter((hold) => hold.rank === rank && this.isActive(hold));
  }

  /** What is held now, by one rank or by any. */
  cover(rank: HoldRank | 'any' = 'any'): Cover {
    const nowMs = this.options.now();
    const known = this.covers.get(rank);
    if (known !== undefined && nowMs < known.untilMs) return known.cover;
    const holds = [...this.all.values(), ...this.coming.values()].filter(
      (hold) => (rank === 'any' || hold.rank === rank) && inForce(hold, nowMs),
    );
    const untilMs = Math.min(
      Number.POSITIVE_INFINITY,
      ...holds.map((hold) => hold.untilMs ?? Number.POSITIVE_INFINITY),
    );
    const cover = new Cover(holds);
    this.covers.set(rank, { cover, untilMs });
    return cover;
  }

  /** Active holds of a stream within a range, clipped to it, ascending. */
  heldIn(
    cameraId: string,
    stream: StreamName,
    { startMs, endMs }: Range,
  ): (Range & Pick<Hold, 'id' | 'rank'>)[] {
    return [...this.all.values()]
      .filter(
        (hold) =>
          hold.cameraId === cameraId &&
          (hold.streams === 'both' || hold.streams === stream) &&
          hold.startMs < endMs &&
          hold.endMs > startMs &&
          this.isActive(hold),
      )
      .map((hold) => ({
        ...{ id: hold.id, rank: hold.rank },
        startMs: Math.max(hold.startMs, startMs),
        endMs: Math.min(hold.endMs, endMs),
      }))
      .sort((a, b) => a.startMs - b.startMs || a.endMs - b.endMs);
  }

  /**
   * Holds footage. From the call on nothing of it is deleted; when this resolves, its file is durable.
   * WorldError: invalid; disk-full.
   */
  make(request: HoldRequest): Promise<Hold> {
    const hold = this.checked(request);
    const key = randomUUID();
    this.coming.set(key, hold);
    this.changed();
    return this.inTurn(async () => {
      const before = this.all.get(hold.id);
      if (before !== undefined) {
        const same = { ...hold, createdMs: before.createdMs, released: before.released };
        if (isDeepStrictEqual(same, before)) return before;
        throw new WorldError('invalid', `there is another hold ${hold.id}`);
      }
      await this.write(hold);
      this.all.set(hold.id, hold);
      await this.copy(hold);
      const { id, rank, startMs, endMs, by, why, untilMs } = hold;
      this.options.tell('hold-made', hold.cameraId, { id, rank, startMs, endMs, by, why, untilMs });
      return hold;
    }).finally(() => {
      this.coming.delete(key);
      this.changed();
    });
  }

  private checked(request: HoldRequest): Hold {
    const { rank = 'hold', startMs, endMs, untilMs = null } = request;
    const nowMs = this.options.wall();
    const refuse = (why: string): never => {
      throw new WorldError('invalid', why);
    };
    if (!(endMs > startMs)) refuse('a range ends after it begins');
    if (endMs - startMs > (rank === 'keep' ? LONGEST_KEEP_MS : LONGEST_HOLD_MS))
      refuse(rank === 'keep' ? 'a keep is at most 24 hours long' : 'a hold is at most 366 days long');
    if (rank === 'keep' && untilMs === null) refuse('a keep needs an end (untilMs)');
    if (untilMs !== null && untilMs <= nowMs) refuse('untilMs is over already');
    return {
      ...{ id: request.id ?? randomUUID(), rank, cameraId: request.cameraId },
      ...{ streams: request.streams ?? 'both', startMs, endMs, by: request.by, why: request.why },
      ...{ createdMs: nowMs, untilMs, released: null },
    };
  }

  private async write(hold: Hold): Promise<void> {
    try {
      await this.options.files.write(hold);
    } catch (error) {
      if (['ENOSPC', 'EDQUOT'].includes((error as NodeJS.ErrnoException).code ?? ''))
        throw new WorldError('disk-full', 'the disk has no place for the hold', { cause: error });
      throw error;
    }
  }

  /** Lets footage go, with a reason; the record stays. WorldError: not-found; invalid; disk-full. */
  release(id: string, { by, why }: { by: string; why: string }): Promise<Hold> {
    return this.inTurn(async () => {
      const hold = this.all.get(id);
      if (hold === undefined) throw new WorldError('not-found', `there is no hold ${id}`);
      if (why.trim() === '' || by.trim() === '')
        throw new WorldError('invalid', 'a release needs who and why');
      if (hold.released !== null) throw new WorldError('invalid', `the hold ${id} is released already`);
      const after = { ...hold, released: { atMs: this.options.wall(), by, why } };
      await this.write(after);
      await this.replaced(after);
      this.options.tell('hold-released', hold.cameraId, { id, rank: hold.rank, by, why });
      return after;
    });
  }

  private async replaced(hold: Hold): Promise<void> {
    this.all.set(hold.id, hold);
    this.changed();
    await this.copy(hold);
  }

  /** Gives up a keep, for want of room. Its footage is ordinary then, even where the full disk takes no note of it. */
  drop(keep: Hold, cause: 'budget' | 'space'): Promise<void> {
    return this.inTurn(async () => {
      const now = this.all.get(keep.id);
      if (now === undefined || now.rank !== 'keep' || now.released !== null) return;
      const after = { ...now, released: { atMs: this.options.wall(), by: 'recorder', why: cause } };
      await this.options.files.write(after).catch((error) => {
        this.options.log.error({ err: error, hold: keep.id }, 'a dropped keep could not be noted yet');
        this.unwritten.set(keep.id, after);
      });
      await this.replaced(after);
      const { id, startMs, endMs, why, untilMs } = now;
      this.options.tell('keep-dropped', now.cameraId, { id, startMs, endMs, why, untilMs, cause });
    });
  }
}
