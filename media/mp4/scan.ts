import type { FileHandle } from 'node:fs/promises';
import type { Fragment, StreamInit } from '../fragment.js';

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
export function describeFragment(_fragment: Fragment, _offset: number): FileFragment {
  throw new Error('being built');
}

/**
 * Reads headers and `moof` boxes of a segment file, never its pictures. Only whole fragments are given, so a file
 * still being written can be read. Null when not even the `moov` is whole. Throws Mp4Error when it is no such file,
 * the file system's errors as they are. A broken box in the middle ends the list there.
 */
export function scanFile(_file: string | FileHandle): Promise<ScannedFile | null> {
  throw new Error('being built');
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
 */
export function recoverFile(_path: string): Promise<RecoveredFile | null> {
  throw new Error('being built');
}
