import { type FileHandle, open } from 'node:fs/promises';
import type { Fragment, StreamInit } from '../fragment.js';
import { type BoxHeader, mustOpen, readBoxHeader } from './box.js';
import { Mp4Error } from './error.js';
import { readMoof } from './moof.js';
import { movieOf, readInit } from './movie.js';
import { mediaMs, readPrft, wallClockOf } from './prft.js';
import { checkStretches, summary } from './reader.js';
import { WINDOW_BYTES, Window } from './window.js';

/** A fragment as it lies in a file: everything but its pictures. */
export interface FileFragment {
  /** of the `moof` in the file, bytes */
  offset: number;
  /** `moof` + `mdat`, bytes */
  size: number;
  /** the `moof` box itself */
  moof: Buffer;
  key: boolean;
  startTicks: bigint;
  durationTicks: number;
  samples: number;
  /** from the `prft` box before it; null where there is none */
  arrivedMs: number | null;
  /** what came before it is damaged: its pictures follow on none that are there, unless it is a key one */
  afterHole?: true;
}

export interface ScannedFile {
  init: StreamInit;
  fragments: FileFragment[];
  /** where the last whole fragment ends that nothing damaged stands before, bytes */
  wholeBytes: number;
  sizeBytes: number;
  /** its first pictures may be gone, so the start that others tell of it is not that of its first fragment */
  startLost: boolean;
}

/** The description of a fragment held in memory that was (or will be) written with its `moof` at `offset`. */
export function describeFragment(fragment: Fragment, offset: number): FileFragment {
  const { bytes } = fragment;
  const header = readBoxHeader(bytes);
  if (header?.type !== 'moof' || header.size > bytes.length)
    throw new Mp4Error('bad-box', 'a fragment that does not begin with its moof');
  return {
    offset,
    size: bytes.length,
    // a copy: a slice would keep the pictures in memory
    moof: Buffer.from(bytes.subarray(0, header.size)),
    key: fragment.key,
    startTicks: fragment.startTicks,
    durationTicks: fragment.durationTicks,
    samples: fragment.samples,
    arrivedMs: fragment.arrivedMs,
  };
}

/** Larger than the heads we write. */
const HEAD_BYTES = 8 * 1024;
const LARGEST_MOOV = 4 * 1024 * 1024;
const LARGEST_MOOF = 8 * 1024 * 1024;

/**
 * Reads headers and `moof` boxes of a segment file, never its pictures. Only whole fragments are given, so a file
 * still being written can be read. Behind something damaged it goes on with the next fragment that can be found.
 * Null when not even the `moov` is whole. Throws Mp4Error when it is no such file, the file system's errors as they are.
 * @param head of another file of the same stream: this file's own is lost, and what follows it is read by that one
 */
export async function scanFile(file: string | FileHandle, head?: StreamInit): Promise<ScannedFile | null> {
  if (typeof file !== 'string') return scan(file, head);
  const handle = await open(file, 'r');
  try {
    return await scan(handle, head);
  } finally {
    await handle.close();
  }
}

async function scan(handle: FileHandle, head?: StreamInit): Promise<ScannedFile | null> {
  const { size: sizeBytes } = await handle.stat();
  const reading = new Reading(new Window(handle, sizeBytes), sizeBytes, head);
  const begin = head === undefined ? 0 : await reading.nextFragment(-1);
  for (let at = begin; at !== null && at < sizeBytes; ) {
    const next: number | null = await reading.box(at);
    if (next === null && reading.init === null) break;
    at = next ?? (await reading.nextFragment(at));
  }
  const { init, fragments, wholeBytes, startLost } = reading;
  return init && { init, fragments, wholeBytes, sizeBytes, startLost };
}

/** What has been read of a file, box by box. */
export class Reading {
  init: StreamInit | null;
  readonly fragments: FileFragment[] = [];
  wholeBytes = 0;
  startLost = false;
  private ftyp = Buffer.alloc(0);
  private arrivedMs: number | null = null;
  private open: { offset: number; moof: Buffer } | null = null;
  /** something was damaged since the last fragment with pictures */
  private torn = false;
  /** something was damaged */
  private hurt = false;
  /** where the pictures go on if none is missing, ticks */
  private dueTicks: bigint | null = null;

  constructor(
    private readonly window: Window,
    private readonly sizeBytes: number,
    /** known already: of another file of the stream, or read before */
    head?: StreamInit,
  ) {
    this.init = head ?? null;
  }

  /** Something damaged was met. */
  get isHurt(): boolean {
    return this.hurt;
  }

  /** Takes the box at `at`; where the next begins, null: nothing that can be read stands here. */
  async box(at: number): Promise<number | null> {
    let header: BoxHeader | null;
    try {
      header = readBoxHeader(await this.window.upTo(at, 16));
      if (at === 0 && header) mustOpen(header.type);
      if (!header || header.size === 0 || at + header.size > this.sizeBytes) return null;
      return await this.take(header, at);
    } catch (error) {
      if (this.init && error instanceof Mp4Error) return null;
      throw error;
    }
  }

  private async take({ type, size, headerSize }: BoxHeader, at: number): Promise<number | null> {
    const body = async (most: number) => {
      if (size > most) throw new Mp4Error('too-big', `box ${type} of ${size} bytes`);
      return Buffer.from(await this.window.upTo(at, size));
    };
    if (type === 'ftyp') {
      this.ftyp = await body(LARGEST_MOOV);
    } else if (type === 'moov') {
      // a second moov would begin another recording; ours never write one
      if (this.init) return null;
      this.init = readInit(Buffer.concat([this.ftyp, await body(LARGEST_MOOV)]));
      this.wholeBytes = at + size;
    } else if (type === 'prft') {
      this.arrivedMs = readPrft((await body(1024)).subarray(headerSize));
    } else if (type === 'moof') {
      if (!this.init) return null;
      if (this.open) this.tear();
      this.open = { offset: at, moof: await body(LARGEST_MOOF) };
    } else if (type === 'mdat' && this.init && this.open) {
      return this.finish(this.init, this.open, at + size);
    } else if (this.init) {
      this.tear();
    }
    return at + size;
  }

  /** The `mdat` of a fragment says that it ends at `saidEnd`; gives back where it does. */
  private async finish(
    init: StreamInit,
    open: { offset: number; moof: Buffer },
    saidEnd: number,
  ): Promise<number> {
    const runs = readMoof(open.moof, movieOf(init));
    checkStretches(runs, saidEnd - open.offset);
    const ends = runs.flatMap((run) => run.stretches.map((stretch) => stretch.at + stretch.size));
    const filled = open.offset + Math.max(0, ...ends);
    // a damaged size would hide what follows
    const lies = filled < saidEnd && openingIn(await this.window.upTo(filled, OPENING_BYTES)) === 0;
    const end = lies ? filled : saidEnd;
    const size = end - open.offset;
    if (lies) this.hurt = true;
    else if (filled !== saidEnd) throw new Mp4Error('bad-box', 'samples that do not fill their fragment');
    const told = summary(runs, init);
    const fragment: FileFragment = { ...open, size, ...told, arrivedMs: this.arrivedMs };
    if (told.samples > 0) {
      if (this.torn && this.dueTicks !== told.startTicks) {
        fragment.afterHole = true;
        if (this.dueTicks === null) this.startLost = true;
      }
      this.torn = false;
      this.dueTicks = told.startTicks + BigInt(told.durationTicks);
    }
    this.fragments.push(fragment);
    this.open = null;
    this.arrivedMs = null;
    if (!this.hurt) this.wholeBytes = end;
    return end;
  }

  private tear(): void {
    this.torn = true;
    this.hurt = true;
    this.open = null;
    this.arrivedMs = null;
  }

  /** What stands at `damaged` can't be read: where the next fragment may begin behind it; null: there is none. */
  async nextFragment(damaged: number): Promise<number | null> {
    // it may be the size of the `moof` before that led here
    const from = (this.open?.offset ?? damaged) + 1;
    this.tear();
    return openingFrom(this.window, from, this.sizeBytes);
  }
}

/** So much is looked at to tell where a fragment begins. */
const OPENING_BYTES = 16;
const PRFT_BYTES = 32;
const MFHD_BYTES = 16;

/** Where from `from` on, and before `to`, a fragment may begin; null: nowhere. */
export async function openingFrom(
  window: Window,
  from: number,
  to: number,
  pieceBytes = WINDOW_BYTES,
): Promise<number | null> {
  for (let at = from; at < to; at += pieceBytes - OPENING_BYTES) {
    const found = openingIn(await window.upTo(at, pieceBytes));
    if (found !== null) return at + found;
  }
  return null;
}

/** The first place in `bytes` where a `prft` as we write it begins, or a `moof`. */
function openingIn(bytes: Buffer): number | null {
  const places = ['prft', 'moof'].map((type) => {
    for (let at = bytes.indexOf(type, 4, 'latin1'); at >= 0; at = bytes.indexOf(type, at + 1, 'latin1')) {
      const begin = at - 4;
      if (begin + OPENING_BYTES > bytes.length) break;
      const size = bytes.readUInt32BE(begin);
      const fits =
        type === 'prft'
          ? size === PRFT_BYTES && bytes[begin + 8] === 1
          : size <= LARGEST_MOOF &&
            bytes.readUInt32BE(begin + 8) === MFHD_BYTES &&
            bytes.toString('latin1', begin + 12, begin + 16) === 'mfhd';
      if (fits) return begin;
    }
    return Number.POSITIVE_INFINITY;
  });
  const first = Math.min(...places);
  return Number.isFinite(first) ? first : null;
}

/** The head of a segment file, without its fragments; null when it is not whole, or no such file. */
export async function readHead(file: string): Promise<StreamInit | null> {
  const handle = await open(file, 'r');
  try {
    const window = new Window(handle, (await handle.stat()).size, HEAD_BYTES);
    const ftyp = readBoxHeader(await window.upTo(0, 16));
    if (ftyp?.type !== 'ftyp' || ftyp.size > LARGEST_MOOV) return null;
    const moov = readBoxHeader(await window.upTo(ftyp.size, 16));
    if (moov?.type !== 'moov' || moov.size === 0 || moov.size > LARGEST_MOOV) return null;
    const head = await window.upTo(0, ftyp.size + moov.size);
    return head.length < ftyp.size + moov.size ? null : readInit(Buffer.from(head));
  } catch (error) {
    if (error instanceof Mp4Error) return null;
    throw error;
  } finally {
    await handle.close();
  }
}

export interface RecoveredFile {
  keptBytes: number;
  droppedBytes: number;
  init: StreamInit;
  fragments: FileFragment[];
  /** wall clock of the first frame and of the end, from the file's own `prft` boxes; null where it has none */
  startMs: number | null;
  endMs: number | null;
}

/**
 * After a crash: cuts the file behind its last whole `moof` + `mdat`, syncs it, and dates it from itself.
 * Null when nothing whole remains (the file is left as it is).
 * @param most of its bytes that may be believed; default all
 */
export async function recoverFile(
  path: string,
  most = Number.POSITIVE_INFINITY,
): Promise<RecoveredFile | null> {
  const handle = await open(path, 'r+');
  try {
    const scanned = await scan(handle).catch((error: unknown) => {
      if (error instanceof Mp4Error) return null;
      throw error;
    });
    if (scanned === null) return null;
    const { init, sizeBytes } = scanned;
    const believed = Math.min(most, scanned.wholeBytes);
    const fragments = scanned.fragments.filter(({ offset, size }) => offset + size <= believed);
    if (!fragments.some(({ samples }) => samples > 0)) return null;
    const end = fragments.at(-1)!;
    const wholeBytes = Math.min(scanned.wholeBytes, end.offset + end.size);
    if (wholeBytes < sizeBytes) await handle.truncate(wholeBytes);
    await handle.sync();
    return {
      keptBytes: wholeBytes,
      droppedBytes: sizeBytes - wholeBytes,
      init,
      fragments,
      ...datesOf(fragments, init),
    };
  } finally {
    await handle.close();
  }
}

/** Wall clock of the first frame and of the end of a file's fragments; null where no arrival is told. */
export function datesOf(
  fragments: FileFragment[],
  init: StreamInit,
): { startMs: number | null; endMs: number | null } {
  const pictures = fragments.filter((fragment) => fragment.samples > 0);
  const offset = wallClockOf(pictures, init.timescale);
  const first = pictures[0];
  const last = pictures.at(-1);
  if (offset === null || !first || !last) return { startMs: null, endMs: null };
  return {
    startMs: mediaMs(first.startTicks, init.timescale) + offset,
    endMs: mediaMs(last.startTicks + BigInt(last.durationTicks), init.timescale) + offset,
  };
}
