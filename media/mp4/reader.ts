import type { FragmentSink } from '../fragment.js';

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
  constructor(
    readonly sink: FragmentSink,
    readonly limits: ReaderLimits = {},
  ) {}

  /** Keeps references into `chunk`: the caller must not write to it again. */
  push(_chunk: Buffer): void {
    throw new Error('being built');
  }
}
