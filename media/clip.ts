import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { WorldError } from '../src/base/errors.js';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { StreamInit } from './fragment.js';
import { buildMp4 } from './mp4/build.js';
import { fileCodec, isPlainH264 } from './mp4/codec.js';
import { Mp4Error } from './mp4/error.js';
import { type PictureShape, scanHeadless } from './mp4/headless.js';
import { movieOf } from './mp4/movie.js';
import { type ClipPlan, type LoadedSegment, type PlannedPart, planClip } from './mp4/plan.js';
import { datesOf, type FileFragment, type ScannedFile, scanFile } from './mp4/scan.js';
import { commonGaps, type Ordered, timelines } from './timelines.js';
import { secondsThatFit, transcode } from './transcode.js';
import type { ClipFormat, ClipPart, Range } from './types.js';

export { type ClipPlan, type LoadedSegment, planClip };

/** A segment file to cut from. Frames are dated `startMs` + their media time since the file's first frame. */
export interface SegmentInfo extends Ordered {
  path: string;
  /** of its row in the index, while it is being written */
  rowId?: number | null;
  /** known from memory for the file being written; otherwise the file is scanned */
  known?: { init: StreamInit; fragments: FileFragment[] };
  /** what the index knows of its pictures: another file's head stands in for one that is lost */
  pictures?: PictureShape;
}

export interface ClipOrder extends Range {
  /** every segment that overlaps the range, any order; the live one too */
  segments: SegmentInfo[];
  format: ClipFormat;
  /** largest file wanted; default no limit */
  maxBytes?: number | undefined;
  /** existing folder of this clip's own */
  outDir: string;
  /** only used for transcoding; null: a chat clip of H.265 fails with WorldError('invalid') */
  ffmpeg: Ffmpeg | null;
  /** 0–1 */
  onProgress?: (progress: number) => void;
  signal?: AbortSignal | undefined;
  /** a file that is not where it should be: a gap (true), or ENOENT is thrown, since it may just have been renamed */
  skipMissing?: boolean;
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
export async function makeClip(order: ClipOrder): Promise<MadeClip> {
  const { maxBytes, signal, startMs, endMs } = order;
  if (!(endMs > startMs)) throw new WorldError('invalid', 'a clip must end after it starts');
  const plans: ClipPlan[] = [];
  for (const line of timelines(order.segments))
    plans.push(planParts(await loadSegments(line, signal, order.skipMissing ?? true), order));
  const plan = {
    parts: plans.flatMap(({ parts }) => parts),
    gaps: commonGaps(plans.map(({ gaps }) => gaps)),
  };
  if (plan.parts.length === 0) throw new WorldError('no-footage', 'nothing is recorded in that range');
  const total = plan.parts.reduce((sum, part) => sum + part.mostBytes, 0);
  let before = 0;
  const parts: MadePart[] = [];
  try {
    for (const [index, part] of plan.parts.entries()) {
      const path = join(order.outDir, `part-${index}.mp4`);
      const share = part.mostBytes / total;
      const made = await makePart(part, path, {
        ...order,
        maxBytes,
        onProgress: (progress) => order.onProgress?.(Math.min(1, before + progress * share)),
      });
      before += share;
      parts.push({ index, startMs: part.startMs, endMs: part.endMs, ...made, path });
    }
    if (signal?.aborted) throw new WorldError('cancelled', 'the clip was cancelled');
  } catch (error) {
    for (const { path } of parts) await rm(path, { force: true, maxRetries: 5 });
    throw error;
  }
  order.onProgress?.(1);
  return { parts, gaps: plan.gaps };
}

/** The fragments of each segment; one that has gone or is no recording is left out (a gap). */
export async function loadSegments(
  segments: SegmentInfo[],
  signal?: AbortSignal | undefined,
  skipMissing = true,
): Promise<LoadedSegment[]> {
  const load = async ({ path, startMs, known, pictures }: SegmentInfo): Promise<LoadedSegment | null> => {
    if (signal?.aborted) throw new WorldError('cancelled', 'the clip was cancelled');
    try {
      if (known) return { path, startMs, init: known.init, fragments: await stillIn(path, known.fragments) };
      const scanned = (await scanWhole(path)) ?? (pictures && (await scanHeadless(path, pictures)));
      if (!scanned) return null;
      const { init, fragments } = scanned;
      const beganMs = scanned.startLost ? datesOf(fragments, init).startMs : null;
      return { path, startMs: beganMs ?? startMs, init, fragments };
    } catch (error) {
      if (skipMissing && (error as NodeJS.ErrnoException).code === 'ENOENT') return null;
      throw error;
    }
  };
  const loaded: LoadedSegment[] = [];
  // a few at a time: enough to keep a disk busy, not enough to starve the recording
  for (let from = 0; from < segments.length; from += 4)
    for (const segment of await Promise.all(segments.slice(from, from + 4).map(load)))
      if (segment) loaded.push(segment);
  return loaded;
}

/** A file as it is; null when its head is not whole or says something else. */
async function scanWhole(path: string): Promise<ScannedFile | null> {
  return scanFile(path).catch((error: unknown) => {
    if (error instanceof Mp4Error) return null;
    throw error;
  });
}

/** What of the fragments known from memory the file still has: others may have cut it. */
async function stillIn(path: string, fragments: FileFragment[]): Promise<FileFragment[]> {
  const { size: sizeBytes } = await stat(path);
  return fragments.filter(({ offset, size }) => offset + size <= sizeBytes);
}

/** Must the pictures of this file be changed for a chat? One that can't be read needs nothing. */
export async function needsTranscoding(segment: SegmentInfo): Promise<boolean> {
  const [loaded] = await loadSegments([segment]);
  return loaded !== undefined && mustTranscode(loaded.init, 'chat');
}

const mustTranscode = (init: StreamInit, format: ClipFormat) => format === 'chat' && !isPlainH264(init.codec);

/** Parts as they will be delivered: footage that is transcoded is cut by time, not by its recorded size. */
function planParts(segments: LoadedSegment[], order: ClipOrder): ClipPlan {
  const { startMs, endMs, maxBytes } = order;
  const whole = planClip(segments, { startMs, endMs });
  if (maxBytes === undefined) return whole;
  const split = planClip(segments, { startMs, endMs, maxBytes });
  if (!whole.parts.some((part) => mustTranscode(part.pieces[0]!.init, order.format))) return split;
  const mostMs = secondsThatFit(maxBytes) * 1000;
  const parts = whole.parts.flatMap((part) =>
    mustTranscode(part.pieces[0]!.init, order.format)
      ? cutByTime(part, mostMs)
      : split.parts.filter((one) => one.startMs >= part.startMs && one.endMs <= part.endMs),
  );
  return { parts, gaps: whole.gaps };
}

/** Cuts a part at keyframes into equally long ones of at most `mostMs` (longer only when a GOP is). */
export function cutByTime(part: PlannedPart, mostMs: number): PlannedPart[] {
  const lengthMs = part.pieces.reduce((sum, piece) => sum + piece.endMs - piece.startMs, 0);
  const aimMs = lengthMs / Math.ceil(lengthMs / mostMs);
  const parts: PlannedPart[] = [];
  let usedMs = Number.POSITIVE_INFINITY;
  for (const [i, piece] of part.pieces.entries()) {
    let current = parts.at(-1);
    const gopEnd = part.pieces.findIndex((one, at) => at > i && one.fragment.key);
    const gop = part.pieces.slice(i, gopEnd < 0 ? undefined : gopEnd);
    const gopMs = gop.reduce((sum, one) => sum + one.endMs - one.startMs, 0);
    if (!current || (piece.fragment.key && usedMs + gopMs > Math.min(mostMs, aimMs + gopMs / 2))) {
      current = { ...part, startMs: piece.opensMs, pieces: [], gaps: [], mostBytes: 0, oversize: false };
      parts.push(current);
      usedMs = 0;
    }
    usedMs += piece.endMs - piece.startMs;
    current.pieces.push(piece);
    current.endMs = piece.endMs;
    current.mostBytes += (part.mostBytes * (piece.endMs - piece.startMs)) / lengthMs;
  }
  for (const one of parts)
    one.gaps = part.gaps.filter((gap) => gap.startMs >= one.startMs && gap.endMs <= one.endMs);
  return parts;
}

type Made = Pick<ClipPart, 'durationMs' | 'sizeBytes' | 'width' | 'height' | 'codec'>;

async function makePart(part: PlannedPart, path: string, order: ClipOrder): Promise<Made> {
  const { signal, maxBytes, onProgress } = order;
  const { init } = part.pieces[0]!;
  const recoded = mustTranscode(init, order.format) || (part.oversize && order.format === 'chat');
  if (part.oversize && !recoded)
    throw new WorldError('too-big', 'one group of pictures alone is over the limit');
  const build = (to: string, share: number) => {
    let written = 0;
    return buildMp4(part.pieces, to, {
      startMs: part.startMs,
      signal,
      onBytes: (bytes) => {
        written += bytes;
        onProgress?.(Math.min(1, written / part.mostBytes) * share);
      },
    });
  };
  if (!recoded) {
    const built = await build(path, 1);
    const { width, height } = init;
    return {
      durationMs: built.durationMs,
      sizeBytes: built.sizeBytes,
      width,
      height,
      codec: fileCodec(movieOf(init).video.entry),
    };
  }
  if (!order.ffmpeg) throw new WorldError('invalid', `${init.codec} needs ffmpeg to be made fit for chat`);
  const original = `${path}.original`;
  try {
    const { durationMs } = await build(original, 0.05);
    const { sizeBytes } = await transcode(order.ffmpeg, original, path, {
      durationMs,
      maxBytes,
      signal,
      onProgress: (progress) => onProgress?.(0.05 + progress * 0.95),
    });
    return { durationMs, sizeBytes, ...(await told(path)) };
  } catch (error) {
    await rm(path, { force: true, maxRetries: 5 });
    throw error;
  } finally {
    await rm(original, { force: true, maxRetries: 5 });
  }
}

/** Size and codec of a file made by ffmpeg. */
async function told(path: string): Promise<Pick<ClipPart, 'width' | 'height' | 'codec'>> {
  const scanned = await scanFile(path);
  if (!scanned) throw new Error('a transcoded clip without a head');
  const { width, height, codec } = scanned.init;
  return { width, height, codec };
}
