import type { SegmentInfo } from './clip.js';
import type { Ffmpeg } from './ffmpeg.js';
import type { Fragment, StreamInit } from './fragment.js';

export interface PictureOptions {
  /** scaled down to this width, never up */
  width?: number;
  /** from the call, waiting for a free decoder included; default 5000 */
  timeoutMs?: number;
  signal?: AbortSignal;
}

export interface Picture {
  jpeg: Buffer;
  width: number;
  height: number;
  /** presentation time of the pictured frame after the decode time of the first fragment given, ms */
  offsetMs: number;
}

/**
 * The newest frame of a GOP held in memory, as JPEG. `gop` is every fragment since (and with) the last key one.
 * Falls back to the last frame that decodes cleanly, then to the keyframe; never a grey or smeared picture.
 * WorldError: no-footage (nothing decodable), timeout, cancelled.
 */
export function newestFrame(
  _ffmpeg: Ffmpeg,
  _init: StreamInit,
  _gop: Pick<Fragment, 'bytes' | 'startTicks'>[],
  _options: PictureOptions = {},
): Promise<Picture> {
  throw new Error('being built');
}

/** The recorded frame shown at `atMs`, with its true wall clock. WorldError as newestFrame. */
export function pictureAt(
  _ffmpeg: Ffmpeg,
  _segments: SegmentInfo[],
  _atMs: number,
  _options: PictureOptions = {},
): Promise<Omit<Picture, 'offsetMs'> & { frameMs: number }> {
  throw new Error('being built');
}
