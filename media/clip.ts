import type { Ffmpeg } from './ffmpeg.js';
import type { StreamInit } from './fragment.js';
import type { FileFragment } from './mp4/scan.js';
import type { ClipFormat, ClipPart, Range } from './types.js';

/** A segment file to cut from. Frames are dated `startMs` + their media time since the file's first frame. */
export interface SegmentInfo extends Range {
  path: string;
  /** known from memory for the file being written; otherwise the file is scanned */
  known?: { init: StreamInit; fragments: FileFragment[] };
}

export interface ClipOrder extends Range {
  /** every segment that overlaps the range, any order; the live one too */
  segments: SegmentInfo[];
  format: ClipFormat;
  /** largest file wanted; default no limit */
  maxBytes?: number;
  /** existing folder of this clip's own */
  outDir: string;
  /** only used for transcoding; null: a chat clip of H.265 fails with WorldError('invalid') */
  ffmpeg: Ffmpeg | null;
  /** 0–1 */
  onProgress?: (progress: number) => void;
  signal?: AbortSignal;
}

export interface MadePart extends ClipPart {
  path: string;
}

export interface MadeClip {
  parts: MadePart[];
  /** missing stretches over 0.5 s between start and end of what was asked, ascending */
  gaps: Range[];
}

/**
 * Makes the MP4 files of a clip in `outDir` (`part-0.mp4`, …).
 * WorldError: no-footage, too-big (one GOP alone is over maxBytes), cancelled, disk-full, invalid, timeout.
 */
export function makeClip(_order: ClipOrder): Promise<MadeClip> {
  throw new Error('being built');
}
