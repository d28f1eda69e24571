/** Asks ffmpeg for JPEGs, and tells clean ones from what it made up. */
import PQueue from 'p-queue';
import { WorldError } from '../src/base/errors.js';
import { everyFrameOnce, type Ffmpeg, type RunResult, runFfmpeg } from '../src/base/ffmpeg.js';

export interface PictureOptions {
  /** scaled down to this width, never up */
  width?: number | undefined;
  /** from the call, waiting for a free decoder included; default 5000 */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

/** Two at once keep both cores of a small machine busy; more only make everyone wait. */
const queue = new PQueue({ concurrency: 2 });
const TIMEOUT_MS = 5000;
const LARGEST_OUTPUT = 32 * 1024 * 1024;

/** Who waits for a picture of now goes before who looks at the past. */
export const NOW = 1;
export const PAST = 0;

/**
 * Does `work` when a decoder is free, in the time there is: its options' signal ends it.
 * WorldError: timeout, cancelled, and what `work` throws.
 */
export async function inTurn<T>(
  options: PictureOptions,
  priority: typeof NOW | typeof PAST,
  work: (options: PictureOptions) => Promise<T>,
): Promise<T> {
  const { timeoutMs = TIMEOUT_MS, signal } = options;
  const deadline = AbortSignal.timeout(timeoutMs);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  try {
    return (await queue.add(() => work({ ...options, signal: stop }), { signal: stop, priority })) as T;
  } catch (error) {
    if (signal?.aborted) throw new WorldError('cancelled', 'the picture was cancelled', { cause: error });
    if (deadline.aborted)
      throw new WorldError('timeout', `no picture within ${timeoutMs} ms`, { cause: error });
    throw error;
  }
}

/** Runs ffmpeg over an fMP4; throws when the signal has ended it. */
export async function runForJpegs(
  ffmpeg: Ffmpeg,
  input: Iterable<Buffer>,
  select: Select,
  { width, signal }: PictureOptions,
): Promise<RunResult> {
  const result = await runFfmpeg(ffmpeg, pictureArgs(select, width, ffmpeg.major), {
    ...{ input, maxOutputBytes: LARGEST_OUTPUT, signal },
  });
  signal?.throwIfAborted();
  return result;
}

/**
 * Frames by when they are shown (media time, seconds): all of a range, each told on stderr (`pts_time:`), or those at
 * some moments, ascending; the first keyframe; or all keyframes.
 */
export type Select = { fromS: number; toS: number } | { atS: number[] } | 'keyframe' | 'keyframes';

/** Two moments closer than this are the same frame's, seconds. */
export const SAME_S = 0.0005;

/** Arguments that turn an fMP4 on stdin into the wanted JPEGs on stdout. */
export function pictureArgs(select: Select, width: number | undefined, major: number): string[] {
  const keys = select === 'keyframe' || select === 'keyframes';
  const ranged = !keys && 'fromS' in select;
  const ranges = keys
    ? []
    : 'atS' in select
      ? select.atS.map((atS) => [atS, atS] as const)
      : [[select.fromS, select.toS] as const];
  const filters: string[] = [];
  if (ranges.length > 0) {
    const terms = ranges.map(
      ([from, to]) => `between(t,${(from - SAME_S).toFixed(6)},${(to + SAME_S).toFixed(6)})`,
    );
    filters.push(`select='${terms.join('+')}'`);
  }
  if (ranged) filters.push('showinfo');
  if (width !== undefined) filters.push(`scale='min(${Math.floor(width)},iw)':-2`);
  const most = select === 'keyframe' ? 1 : keys || ranged ? null : ranges.length;
  return [
    ...['-hide_banner', '-nostats', '-v', ranged ? 'info' : 'error', '-nostdin'],
    ...['-probesize', '32768', '-analyzeduration', '0', '-protocol_whitelist', 'pipe'],
    ...[...(keys ? ['-skip_frame', 'nokey'] : []), '-copyts', '-f', 'mp4', '-i', 'pipe:0'],
    ...['-map', '0:v:0', ...(filters.length ? ['-vf', filters.join(',')] : []), ...everyFrameOnce(major)],
    ...(most === null ? [] : ['-frames:v', String(most)]),
    ...['-c:v', 'mjpeg', '-q:v', '3', '-f', 'image2pipe', 'pipe:1'],
  ];
}

/** It ended well, gave something and complained of nothing. */
export const isClean = (result: RunResult) =>
  result.ended === 'exit' && result.code === 0 && result.stdout.length > 0 && !isBroken(result);

/** What ffmpeg says when it conceals what is missing by grey or smeared pictures; it exits with 0 all the same. */
const BROKEN = new RegExp(
  [
    ...['concealing', 'error while decoding', 'missing reference picture', 'reference picture missing'],
    ...['could not find ref', 'no frame!', 'error constructing', 'corrupt', 'decode_slice', 'slice header'],
    ...['invalid nal', 'invalid data', 'undecodable', 'bytestream', 'cabac', 'non-existing', 'out of range'],
    ...['frame num gap', 'duplicate poc', 'cu_qp_delta', 'overread', 'error submitting packet'],
  ].join('|'),
  'i',
);

export const isBroken = (result: RunResult) => BROKEN.test(result.stderr);

export const lastLine = (result: RunResult) => result.stderr.trim().split('\n').at(-1) ?? '';

/** JPEGs written one behind the other. */
export function splitJpegs(bytes: Buffer): Buffer[] {
  const start = Buffer.from([0xff, 0xd8, 0xff]);
  const jpegs: Buffer[] = [];
  for (let at = bytes.indexOf(start); at >= 0; ) {
    const next = bytes.indexOf(start, at + 3);
    jpegs.push(bytes.subarray(at, next < 0 ? bytes.length : next));
    at = next;
  }
  return jpegs;
}

/** Width and height from the frame header of a JPEG. */
export function jpegSize(jpeg: Buffer): { width: number; height: number } {
  for (let at = 2; at + 9 <= jpeg.length; ) {
    if (jpeg[at] !== 0xff) break;
    const marker = jpeg[at + 1]!;
    if (marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker))
      return { width: jpeg.readUInt16BE(at + 7), height: jpeg.readUInt16BE(at + 5) };
    at += 2 + jpeg.readUInt16BE(at + 2);
  }
  throw new WorldError('no-footage', 'ffmpeg gave something else than a JPEG');
}
