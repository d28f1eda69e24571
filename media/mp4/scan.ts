import { type FileHandle, open } from 'node:fs/promises';
import type { Fragment, StreamInit } from '../fragment.js';
import { type BoxHeader, mustOpen, readBoxHeader } from './box.js';
import { Mp4Error } from './error.js';
import { readMoof } from './moof.js';
import { movieOf, readInit } from './movie.js';
import { mediaMs, readPrft, wallClockOf } from './prft.js';
import { checkStretches, summary } from './reader.js';

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
}

export interface ScannedFile {
  init: StreamInit;
  fragments: FileFragment[];
  /** where the last whole fragment ends, bytes */
  wholeBytes: number;
  sizeBytes: number;
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

/** Several fragments a read: reading on is quicker than asking again, and a clip needs the pictures anyway. */
const WINDOW_BYTES = 512 * 1024;
/** Larger than the heads we write. */
const HEAD_BYTES = 8 * 1024;
const LARGEST_MOOV = 4 * 1024 * 1024;
const LARGEST_MOOF = 8 * 1024 * 1024;

/**
 * Reads headers and `moof` boxes of a segment file, never its pictures. Only whole fragments are given, so a file
 * still being written can be read. Null when not even the `moov` is whole. Throws Mp4Error when it is no such file,
 * the file system's errors as they are. A broken box in the middle ends the list there.
 */
export async function scanFile(file: string | FileHandle): Promise<ScannedFile | null> {
  if (typeof file !== 'string') return scan(file);
  const handle = await open(file, 'r');
  try {
    return await scan(handle);
  } finally {
    await handle.close();
  }
}

async function scan(handle: FileHandle): Promise<ScannedFile | null> {
  const { size: sizeBytes } = await handle.stat();
  const window = new Window(handle, sizeBytes);
  let at = 0;
  let ftyp: Buffer | null = null;
  let init: StreamInit | null = null;
  let wholeBytes = 0;
  let arrivedMs: number | null = null;
  let open: { offset: number; moof: Buffer } | null = null;
  const fragments: FileFragment[] = [];
  while (at < sizeBytes) {
    let header: BoxHeader | null;
    try {
      header = readBoxHeader(await window.upTo(at, 16));
      if (at === 0 && header) mustOpen(header.type);
    } catch (error) {
      if (init && error instanceof Mp4Error) break;
      throw error;
    }
    if (!header || header.size === 0 || at + header.size > sizeBytes) break;
    const body = async (most: number) => {
      if (header.size > most) throw new Mp4Error('too-big', `box ${header.type} of ${header.size} bytes`);
      return Buffer.from(await window.upTo(at, header.size));
    };
    if (header.type === 'ftyp') {
      ftyp = await body(LARGEST_MOOV);
    } else if (header.type === 'moov') {
      // a second moov would begin another recording; ours never write one
      if (init) break;
      init = readInit(Buffer.concat([ftyp ?? Buffer.alloc(0), await body(LARGEST_MOOV)]));
      wholeBytes = at + header.size;
    } else if (header.type === 'prft') {
      arrivedMs = readPrft((await body(1024)).subarray(header.headerSize));
    } else if (header.type === 'moof') {
      if (!init || header.size > LARGEST_MOOF) break;
      open = { offset: at, moof: await body(LARGEST_MOOF) };
    } else if (header.type === 'mdat' && init && open) {
      const size = at + header.size - open.offset;
      try {
        const runs = readMoof(open.moof, movieOf(init));
        checkStretches(runs, size);
        fragments.push({ ...open, size, ...summary(runs, init), arrivedMs });
      } catch (error) {
        if (error instanceof Mp4Error) break;
        throw error;
      }
      open = null;
      arrivedMs = null;
      wholeBytes = at + header.size;
    }
    at += header.size;
  }
  return init && { init, fragments, wholeBytes, sizeBytes };
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

/** Reads a file forward in small pieces; what is asked for next is mostly in the piece already read. */
class Window {
  private buffer = Buffer.alloc(0);
  private piece = this.buffer;
  private from = 0;

  constructor(
    private readonly handle: FileHandle,
    private readonly fileBytes: number,
    private readonly pieceBytes = WINDOW_BYTES,
  ) {}

  /** `bytes` bytes from `at`, fewer at the end of the file; valid until the next call. */
  async upTo(at: number, bytes: number): Promise<Buffer> {
    const wanted = Math.max(0, Math.min(bytes, this.fileBytes - at));
    if (at < this.from || at + wanted > this.from + this.piece.length) {
      const size = Math.min(Math.max(wanted, this.pieceBytes), this.fileBytes - at);
      if (this.buffer.length < size) this.buffer = Buffer.allocUnsafeSlow(size);
      const filled = await readFully(this.handle, this.buffer.subarray(0, size), at);
      this.piece = this.buffer.subarray(0, filled);
      this.from = at;
    }
    return this.piece.subarray(at - this.from, at - this.from + wanted);
  }
}

/** Fills `buffer` from `at`; gives how much the file had. */
export async function readFully(handle: FileHandle, buffer: Buffer, at: number): Promise<number> {
  let filled = 0;
  while (filled < buffer.length) {
    const { bytesRead } = await handle.read(buffer, filled, buffer.length - filled, at + filled);
    if (bytesRead === 0) break;
    filled += bytesRead;
  }
  return filled;
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
    const fragments = scanned.fragments.filter(({ offset, size }) => offset + size <= most);
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
