import { open } from 'node:fs/promises';
import PQueue from 'p-queue';
import { WorldError } from '../src/base/errors.js';
import { everyFrameOnce, type Ffmpeg, type RunResult, runFfmpeg } from '../src/base/ffmpeg.js';
import { loadSegments, type SegmentInfo } from './clip.js';
import type { Fragment, StreamInit } from './fragment.js';
import { readBoxHeader } from './mp4/box.js';
import { entryBoxes } from './mp4/codec.js';
import { firstBehindLoss } from './mp4/frame-num.js';
import { leadingOf } from './mp4/leading.js';
import { readMoof } from './mp4/moof.js';
import { movieOf, type Track } from './mp4/movie.js';
import { placed } from './mp4/plan.js';
import { mediaMs } from './mp4/prft.js';
import { readFully } from './mp4/scan.js';

export interface PictureOptions {
  /** scaled down to this width, never up */
  width?: number | undefined;
  /** from the call, waiting for a free decoder included; default 5000 */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
}

export interface Picture {
  jpeg: Buffer;
  width: number;
  height: number;
  /** how long after the keyframe's place in the first fragment the pictured frame was taken, ms */
  offsetMs: number;
}

/** Two at once keep both cores of a small machine busy; more only make everyone wait. */
const queue = new PQueue({ concurrency: 2 });
const TIMEOUT_MS = 5000;
const LARGEST_JPEG = 32 * 1024 * 1024;

/**
 * The newest frame of a GOP held in memory, as JPEG. `gop` is every fragment since (and with) the last key one.
 * Falls back to the last frame that decodes cleanly, then to the keyframe; never a grey or smeared picture.
 * WorldError: no-footage (nothing decodable), timeout, cancelled.
 */
export function newestFrame(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Pick<Fragment, 'bytes' | 'startTicks'>[],
  options: PictureOptions = {},
): Promise<Picture> {
  return picture(ffmpeg, init, gop, Number.POSITIVE_INFINITY, options);
}

/** The recorded frame shown at `atMs`, with its true wall clock. WorldError as newestFrame. */
export async function pictureAt(
  ffmpeg: Ffmpeg,
  segments: SegmentInfo[],
  atMs: number,
  options: PictureOptions = {},
): Promise<Omit<Picture, 'offsetMs'> & { frameMs: number }> {
  const pieces = placed(await loadSegments(segments, options.signal)).filter(
    (piece) => piece.startMs <= atMs,
  );
  const last = pieces.at(-1);
  const from = pieces.findLastIndex((piece) => piece.fragment.key);
  const gop = pieces.slice(from).filter((piece) => piece.path === last?.path);
  const first = gop[0];
  if (from < 0 || !first?.fragment.key || !gop.some((piece) => piece.endMs > atMs))
    throw new WorldError('no-footage', 'nothing is recorded at that moment');
  const handle = await open(first.path, 'r');
  try {
    const fragments: Pick<Fragment, 'bytes' | 'startTicks'>[] = [];
    for (const { fragment } of gop) {
      const bytes = Buffer.allocUnsafe(fragment.size);
      if ((await readFully(handle, bytes, fragment.offset)) < bytes.length)
        throw new WorldError('no-footage', 'a segment is shorter than it was');
      fragments.push({ bytes, startTicks: fragment.startTicks });
    }
    const { offsetMs, ...shown } = await picture(
      ffmpeg,
      first.init,
      fragments,
      atMs - first.startMs,
      options,
    );
    return { ...shown, frameMs: first.startMs + offsetMs };
  } finally {
    await handle.close();
  }
}

/** The last frame of `gop` shown at or before `untilMs` after its start. */
async function picture(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Pick<Fragment, 'bytes' | 'startTicks'>[],
  untilMs: number,
  options: PictureOptions,
): Promise<Picture> {
  const { timeoutMs = TIMEOUT_MS, signal } = options;
  const frames = shownFrames(init, gop);
  if (frames.length === 0) throw new WorldError('no-footage', 'no picture to show yet');
  const shown = Math.max(1, frames.filter((frame) => frame.offsetMs <= untilMs).length);
  const deadline = AbortSignal.timeout(timeoutMs);
  const stop = signal ? AbortSignal.any([signal, deadline]) : deadline;
  try {
    return (await queue.add(
      () => decode(ffmpeg, init, gop, frames.slice(0, shown), { ...options, signal: stop }),
      {
        signal: stop,
      },
    )) as Picture;
  } catch (error) {
    if (signal?.aborted) throw new WorldError('cancelled', 'the picture was cancelled', { cause: error });
    if (deadline.aborted)
      throw new WorldError('timeout', `no picture within ${timeoutMs} ms`, { cause: error });
    throw error;
  }
}

interface Frame {
  /** presentation time as ffmpeg sees it, seconds */
  shownS: number;
  offsetMs: number;
}

/** The frames a decoder gives for a GOP that stands alone, up to a loss, in the order they are shown. */
function shownFrames(init: StreamInit, gop: Pick<Fragment, 'bytes' | 'startTicks'>[]): Frame[] {
  const movie = movieOf(init);
  const runs = gop.flatMap(({ bytes }) => videoRuns(init, bytes));
  const first = runs[0];
  if (!first) return [];
  const ms = (ticks: number) => (ticks * 1000) / init.timescale;
  const keyDelay = first.offsets?.[0] ?? 0;
  const opensMs = ms(leadingOf(runs).ticks);
  const frames: Frame[] = [];
  const lossAt = isH264(init) ? firstBehindLoss(codecData(movie.video), samplesOf(init, gop)) : null;
  let index = 0;
  for (const run of runs) {
    let ticks = Number(run.startTicks - first.startTicks);
    for (const [i, duration] of run.durations.entries()) {
      const afterKey = ticks + (run.offsets?.[i] ?? 0) - keyDelay;
      if (afterKey >= 0 && (lossAt === null || index < lossAt))
        frames.push({
          shownS: mediaMs(first.startTicks, init.timescale) / 1000 + ms(afterKey + keyDelay) / 1000,
          offsetMs: opensMs + ms(afterKey),
        });
      ticks += duration;
      index++;
    }
  }
  return frames.sort((a, b) => a.offsetMs - b.offsetMs);
}

const isH264 = (init: StreamInit) => /^avc[13]/.test(init.codec);

const codecData = (video: Track) =>
  entryBoxes(video.entry, 'video').find((box) => box.type === 'avcC')?.body ?? Buffer.alloc(0);

/** The bytes of each video sample, in decoding order. */
function* samplesOf(init: StreamInit, gop: Pick<Fragment, 'bytes'>[]): Generator<Buffer> {
  for (const { bytes } of gop)
    for (const run of videoRuns(init, bytes)) {
      const whole = run.stretches.map(({ at, size }) => bytes.subarray(at, at + size));
      const media = whole.length === 1 ? whole[0]! : Buffer.concat(whole);
      let at = 0;
      for (const size of run.sizes) {
        yield media.subarray(at, at + size);
        at += size;
      }
    }
}

const videoRuns = (init: StreamInit, bytes: Buffer) =>
  readMoof(bytes.subarray(0, readBoxHeader(bytes)?.size ?? 0), movieOf(init)).filter(
    (run) => run.trackId === init.videoTrackId,
  );

/** How many of the newest frames the second try looks at, should the newest itself not come out. */
const SECOND_TRY_FRAMES = 8;

/** The last of `frames` (the keyframe first) that decodes cleanly. */
async function decode(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Pick<Fragment, 'bytes'>[],
  frames: Frame[],
  options: PictureOptions,
): Promise<Picture> {
  const input = [init.bytes, ...gop.map((fragment) => fragment.bytes)];
  const run = async (select: Select) => {
    const result = await runFfmpeg(ffmpeg, pictureArgs(select, options.width, ffmpeg.major), {
      input,
      maxOutputBytes: LARGEST_JPEG,
      signal: options.signal,
    });
    options.signal?.throwIfAborted();
    return result;
  };
  const last = frames.at(-1)!;
  const newest = await run({ fromS: last.shownS, toS: last.shownS });
  if (isClean(newest)) return asPicture(newest.stdout, last);
  if (!isBroken(newest) && frames.length > 1) {
    // nothing to complain about, but fewer frames than samples: the last of those that did come out
    const from = frames.at(-1 - SECOND_TRY_FRAMES) ?? frames[0]!;
    const late = await run({ fromS: from.shownS, toS: last.shownS });
    const jpegs = splitJpegs(late.stdout);
    const shownS = [...late.stderr.matchAll(/pts_time:\s*([\d.]+)/g)].at(-1)?.[1];
    const frame = frames.findLast((one) => one.shownS <= Number(shownS) + SAME_S);
    if (jpegs.length > 0 && frame && !isBroken(late)) return asPicture(jpegs.at(-1)!, frame);
  }
  const keyframe = await run('keyframe');
  if (isClean(keyframe)) return asPicture(keyframe.stdout, frames[0]!);
  throw new WorldError('no-footage', `no frame can be decoded: ${lastLine(newest)}`);
}

type Select = { fromS: number; toS: number } | 'keyframe';

/** Two moments closer than this are the same frame's, seconds. */
const SAME_S = 0.0005;

/**
 * Arguments that turn an fMP4 on stdin into JPEGs on stdout: the frames shown from `fromS` to `toS` (media time),
 * or the first keyframe. A range is told frame by frame on stderr (`pts_time:`).
 */
export function pictureArgs(select: Select, width: number | undefined, major: number): string[] {
  const filters: string[] = [];
  let several = false;
  if (select !== 'keyframe') {
    several = select.toS > select.fromS;
    const from = (select.fromS - SAME_S).toFixed(6);
    const to = (select.toS + SAME_S).toFixed(6);
    filters.push(`select='between(t,${from},${to})'`);
    if (several) filters.push('showinfo');
  }
  if (width !== undefined) filters.push(`scale='min(${Math.floor(width)},iw)':-2`);
  return [
    ...['-hide_banner', '-nostats', '-v', several ? 'info' : 'error', '-nostdin'],
    ...['-probesize', '32768', '-analyzeduration', '0', '-protocol_whitelist', 'pipe'],
    ...[...(select === 'keyframe' ? ['-skip_frame', 'nokey'] : []), '-copyts', '-f', 'mp4', '-i', 'pipe:0'],
    ...['-map', '0:v:0', ...(filters.length ? ['-vf', filters.join(',')] : []), ...everyFrameOnce(major)],
    ...(several ? [] : ['-frames:v', '1']),
    ...['-c:v', 'mjpeg', '-q:v', '3', '-f', 'image2pipe', 'pipe:1'],
  ];
}

const isClean = (result: RunResult) =>
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

const isBroken = (result: RunResult) => BROKEN.test(result.stderr);

const lastLine = (result: RunResult) => result.stderr.trim().split('\n').at(-1) ?? '';

/** JPEGs written one behind the other. */
function splitJpegs(bytes: Buffer): Buffer[] {
  const start = Buffer.from([0xff, 0xd8, 0xff]);
  const jpegs: Buffer[] = [];
  for (let at = bytes.indexOf(start); at >= 0; ) {
    const next = bytes.indexOf(start, at + 3);
    jpegs.push(bytes.subarray(at, next < 0 ? bytes.length : next));
    at = next;
  }
  return jpegs;
}

function asPicture(jpeg: Buffer, frame: Frame): Picture {
  return { jpeg, ...jpegSize(jpeg), offsetMs: frame.offsetMs };
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
