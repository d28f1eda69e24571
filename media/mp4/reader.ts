import type { Fragment, FragmentSink, StreamInit } from '../fragment.js';
import { mustOpen, readBoxHeader } from './box.js';
import { Mp4Error } from './error.js';
import { readMoof, type TrackRun } from './moof.js';
import { movieOf, readInit } from './movie.js';

/** Room for most fragments of a camera; it grows to the largest that comes. */
const FIRST_BYTES = 128 * 1024;

export interface ReaderLimits {
  /** largest `moof` + `mdat` taken; default 64 MiB */
  fragmentBytes?: number;
  /** largest `ftyp` + `moov` taken; default 4 MiB */
  initBytes?: number;
  /** clock for `Fragment.arrivedMs`; default Date.now */
  now?: () => number;
}

/**
 * Push parser of a fragmented MP4 byte stream (`ftyp moov (moof mdat)*`), fed in chunks cut anywhere.
 * Calls `init` at each `moov`, `fragment` as soon as the last byte of a `moof` + `mdat` is in. A fragment without
 * pictures (sound only) has samples 0, durationTicks 0 and key false.
 * Throws Mp4Error when the bytes are no such stream; a reader that has thrown takes nothing more.
 */
export class FragmentReader {
  /** What has come and is not taken yet lies from `begin` to `end`; kept and used again, so that reading costs no memory. */
  private store = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private begin = 0;
  private end = 0;
  /** bytes of the box under way that are of no use and still to come */
  private skipping = 0;
  private ftyp: Buffer | null = null;
  private init: StreamInit | null = null;
  /** the boxes of the fragment under way, from its `moof` on */
  private held: Buffer[] = [];
  private heldBytes = 0;
  private moof: Buffer | null = null;
  private opened = false;
  private failed: Mp4Error | null = null;
  private readonly fragmentBytes: number;
  private readonly initBytes: number;
  private readonly now: () => number;

  constructor(
    private readonly sink: FragmentSink,
    limits: ReaderLimits = {},
  ) {
    this.fragmentBytes = limits.fragmentBytes ?? 64 * 1024 * 1024;
    this.initBytes = limits.initBytes ?? 4 * 1024 * 1024;
    this.now = limits.now ?? Date.now;
  }

  /** Copies what it needs: the caller may use `chunk` again. */
  push(chunk: Buffer): void {
    if (this.failed) throw this.failed;
    if (chunk.length === 0) return;
    this.append(chunk);
    try {
      while (this.step());
    } catch (error) {
      this.begin = this.end = 0;
      this.held = [];
      if (error instanceof Mp4Error) this.failed = error;
      throw error;
    }
  }

  private append(chunk: Buffer): void {
    const waiting = this.end - this.begin;
    if (this.end + chunk.length > this.store.length) {
      let size = this.store.length;
      while (size < waiting + chunk.length) size *= 2;
      const roomy = size > this.store.length ? Buffer.allocUnsafeSlow(size) : this.store;
      this.store.copy(roomy, 0, this.begin, this.end);
      this.store = roomy;
      this.begin = 0;
      this.end = waiting;
    }
    this.end += chunk.copy(this.store, this.end);
  }

  /** Takes one box if it is whole; false when more bytes are needed. */
  private step(): boolean {
    if (this.skipping > 0) {
      const bytes = Math.min(this.skipping, this.end - this.begin);
      this.drop(bytes);
      this.skipping -= bytes;
      return this.begin < this.end;
    }
    const header = readBoxHeader(this.store.subarray(this.begin, this.end));
    if (!header) return false;
    const { type, size } = header;
    if (!this.opened) mustOpen(type);
    this.opened = true;
    if (size === 0) throw new Mp4Error('unsupported', `box ${type} without a size in a stream`);
    const wanted = type === 'ftyp' || type === 'moov' || type === 'moof' || this.moof !== null;
    if (!wanted) {
      if (size > this.fragmentBytes) throw new Mp4Error('too-big', `box ${type} of ${size} bytes`);
      this.skipping = size;
      return true;
    }
    const limit = this.moof || type === 'moof' ? this.fragmentBytes - this.heldBytes : this.initBytes;
    if (size > limit) throw new Mp4Error('too-big', `box ${type} of ${size} bytes`);
    if (this.end - this.begin < size) return false;
    if (type === 'mdat' && this.moof) this.finish(size);
    else this.take(type, Buffer.from(this.shift(size)));
    return true;
  }

  private take(type: string, bytes: Buffer): void {
    if (type === 'ftyp') {
      this.ftyp = bytes;
    } else if (type === 'moov') {
      this.init = readInit(Buffer.concat([this.ftyp ?? Buffer.alloc(0), bytes]));
      this.sink.init(this.init);
    } else if (type === 'moof') {
      if (!this.init) throw new Mp4Error('bad-box', 'a moof before any moov');
      this.moof = bytes;
      this.held = [bytes];
      this.heldBytes = bytes.length;
    } else {
      this.held.push(bytes);
      this.heldBytes += bytes.length;
    }
  }

  /** The `mdat` of `size` bytes is in: one copy into a buffer of the fragment's own. */
  private finish(size: number): void {
    const runs = readMoof(this.moof!, movieOf(this.init!));
    const bytes = Buffer.allocUnsafeSlow(this.heldBytes + size);
    let filled = 0;
    for (const piece of this.held) filled += piece.copy(bytes, filled);
    this.shift(size).copy(bytes, filled);
    checkStretches(runs, bytes.length);
    this.moof = null;
    this.held = [];
    this.heldBytes = 0;
    this.sink.fragment({ bytes, ...summary(runs, this.init!), arrivedMs: this.now() });
  }

  /** The next `size` bytes, good until the next `push`. */
  private shift(size: number): Buffer {
    const bytes = this.store.subarray(this.begin, this.begin + size);
    this.drop(size);
    return bytes;
  }

  private drop(bytes: number): void {
    this.begin += bytes;
    if (this.begin === this.end) this.begin = this.end = 0;
  }
}

/** What a Fragment tells about its pictures. */
export function summary(
  runs: TrackRun[],
  init: StreamInit,
): Pick<Fragment, 'key' | 'startTicks' | 'durationTicks' | 'samples'> {
  const video = runs.find((run) => run.trackId === init.videoTrackId);
  if (video)
    return {
      key: video.keys[0]!,
      startTicks: video.startTicks,
      durationTicks: video.durationTicks,
      samples: video.sizes.length,
    };
  const sound = runs.find((run) => run.trackId === init.audio?.trackId);
  const startTicks =
    sound && init.audio ? (sound.startTicks * BigInt(init.timescale)) / BigInt(init.audio.timescale) : 0n;
  return { key: false, startTicks, durationTicks: 0, samples: 0 };
}

/** Throws when samples lie outside their fragment. */
export function checkStretches(runs: TrackRun[], size: number): void {
  for (const run of runs)
    for (const stretch of run.stretches)
      if (stretch.at < 0 || stretch.at + stretch.size > size)
        throw new Mp4Error('bad-box', 'samples outside their fragment');
}
