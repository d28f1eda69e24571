import type { Fragment, FragmentSink, StreamInit } from '../fragment.js';
import { mustOpen, readBoxHeader } from './box.js';
import { Mp4Error } from './error.js';
import { readMoof, type TrackRun } from './moof.js';
import { movieOf, readInit } from './movie.js';
import { renewedInit } from './parameter-sets.js';

/** Room for most fragments of a camera; it grows to the largest that comes. */
const FIRST_BYTES = 256 * 1024;
/** A read finds at least this much room. */
const READ_BYTES = 64 * 1024;

/** A picture that lasts this much longer than it took the next to come was given a false duration, ms. */
const SLACK_MS = 2000;

export interface ReaderLimits {
  /** largest `moof` + `mdat` taken; default 64 MiB */
  fragmentBytes?: number;
  /** largest `ftyp` + `moov` taken; default 4 MiB */
  initBytes?: number;
  /** clock for `Fragment.arrivedMs`; default Date.now */
  now?: () => number;
}

/**
 * Parser of a fragmented MP4 byte stream (`ftyp moov (moof mdat)*`), fed in chunks cut anywhere: by `push`, or without
 * a copy by reading into `room` and telling `took`.
 * Calls `init` at each `moov`, and before a keyframe whose parameter sets are others (another resolution), `fragment` as soon as the last byte of a `moof` + `mdat` is in; the bytes of a fragment
 * are the reader's own and good until that call returns. A fragment without pictures (sound only) has samples 0,
 * durationTicks 0 and key false.
 * Throws Mp4Error when the bytes are no such stream; a reader that has thrown takes nothing more.
 */
export class FragmentReader {
  /** What has come and is not taken yet lies from `begin` to `end`; used again, so that reading costs no memory. */
  private store = Buffer.allocUnsafeSlow(FIRST_BYTES);
  private begin = 0;
  private end = 0;
  /** where the next box begins: `begin`, or behind the `moof` at `begin` that waits for its `mdat` */
  private at = 0;
  /** bytes of the box under way that are of no use and still to come */
  private skipping = 0;
  private ftyp: Buffer | null = null;
  private init: StreamInit | null = null;
  /** size of the `moof` at `begin`; 0: none is under way */
  private moofBytes = 0;
  /** when the fragment before arrived */
  private previousMs: number | null = null;
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

  /** Takes a chunk; the caller may use it again. */
  push(chunk: Buffer): void {
    if (chunk.length === 0) return;
    chunk.copy(this.room(chunk.length));
    this.took(chunk.length);
  }

  /** Memory to read the next bytes into, at least `bytes` of it. Good until the next call of anything here. */
  room(bytes = READ_BYTES): Buffer {
    if (this.store.length - this.end < bytes) {
      const waiting = this.end - this.begin;
      let size = this.store.length;
      while (size - waiting < bytes) size *= 2;
      const roomy = size > this.store.length ? Buffer.allocUnsafeSlow(size) : this.store;
      this.store.copy(roomy, 0, this.begin, this.end);
      this.store = roomy;
      this.at -= this.begin;
      this.begin = 0;
      this.end = waiting;
    }
    return this.end === 0 ? this.store : this.store.subarray(this.end);
  }

  /** `bytes` bytes were read into `room`. */
  took(bytes: number): void {
    if (this.failed) throw this.failed;
    this.end += bytes;
    try {
      while (this.step());
    } catch (error) {
      this.begin = this.at = this.end = 0;
      if (error instanceof Mp4Error) this.failed = error;
      throw error;
    }
  }

  /** Takes one box if it is whole; false when more bytes are needed. */
  private step(): boolean {
    if (this.skipping > 0) {
      const bytes = Math.min(this.skipping, this.end - this.begin);
      this.dropTo(this.begin + bytes);
      this.skipping -= bytes;
      return this.begin < this.end;
    }
    const { at } = this;
    const header = readBoxHeader(this.store, at, this.end);
    if (!header) return false;
    const { type, size } = header;
    if (!this.opened) mustOpen(type);
    this.opened = true;
    if (size === 0) throw new Mp4Error('unsupported', `box ${type} without a size in a stream`);
    const inFragment = this.moofBytes > 0;
    if (!inFragment && type !== 'ftyp' && type !== 'moov' && type !== 'moof') {
      if (size > this.fragmentBytes) throw new Mp4Error('too-big', `box ${type} of ${size} bytes`);
      this.skipping = size;
      return true;
    }
    const limit = inFragment || type === 'moof' ? this.fragmentBytes - (at - this.begin) : this.initBytes;
    if (size > limit) throw new Mp4Error('too-big', `box ${type} of ${size} bytes`);
    if (this.end - at < size) return false;
    if (inFragment) {
      this.at = at + size;
      if (type === 'mdat') this.finish();
      return true;
    }
    if (type === 'moof') {
      if (!this.init) throw new Mp4Error('bad-box', 'a moof before any moov');
      this.moofBytes = size;
      this.at = at + size;
      return true;
    }
    const bytes = Buffer.from(this.store.subarray(at, at + size));
    if (type === 'ftyp') this.ftyp = bytes;
    else {
      this.init = readInit(Buffer.concat([this.ftyp ?? Buffer.alloc(0), bytes]));
      this.sink.init(this.init);
    }
    this.dropTo(at + size);
    return true;
  }

  /** The `mdat` is in: a whole fragment lies from `begin` to `at`. */
  private finish(): void {
    const init = this.init!;
    const bytes = this.store.subarray(this.begin, this.at);
    const runs = readMoof(bytes.subarray(0, this.moofBytes), movieOf(init));
    checkStretches(runs, bytes.length);
    this.moofBytes = 0;
    this.renewInit(init, bytes, runs);
    const arrivedMs = this.now();
    this.mendLastDuration(init, bytes, runs, arrivedMs);
    const { key, startTicks, durationTicks, samples } = summary(runs, init);
    this.sink.fragment({ bytes, key, startTicks, durationTicks, samples, arrivedMs });
    this.dropTo(this.at);
  }

  /**
   * When a camera sets its clock forward, ffmpeg lets the picture before that last until then. It lasts no longer than
   * it took for the next one to arrive.
   */
  private mendLastDuration(init: StreamInit, bytes: Buffer, runs: TrackRun[], arrivedMs: number): void {
    const video = runs.find((run) => run.trackId === init.videoTrackId);
    if (!video) return;
    const sinceMs = arrivedMs - (this.previousMs ?? arrivedMs);
    this.previousMs = arrivedMs;
    const last = video.durations.at(-1)!;
    if (video.lastDurationAt === null || (last * 1000) / init.timescale < Math.max(0, sinceMs) + SLACK_MS)
      return;
    const usual = video.durations.at(-2) ?? Math.round(init.timescale / 25);
    bytes.writeUInt32BE(usual, video.lastDurationAt);
    video.durations[video.durations.length - 1] = usual;
    video.durationTicks += usual - last;
  }

  /** A keyframe of another size than the head says gets a head of its own. */
  private renewInit(init: StreamInit, bytes: Buffer, runs: TrackRun[]): void {
    const video = runs.find((run) => run.trackId === init.videoTrackId);
    if (!video?.keys[0]) return;
    const { at } = video.stretches[0]!;
    const renewed = renewedInit(init, bytes.subarray(at, at + video.sizes[0]!));
    if (renewed === null) return;
    this.init = renewed;
    this.sink.init(renewed);
  }

  private dropTo(at: number): void {
    this.begin = at;
    if (this.begin === this.end) this.begin = this.end = 0;
    this.at = this.begin;
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
