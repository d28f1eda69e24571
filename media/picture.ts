import { WorldError } from '../src/base/errors.js';
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { Fragment, StreamInit } from './fragment.js';
import {
  inTurn,
  isBroken,
  isClean,
  jpegSize,
  lastLine,
  NOW,
  PAST,
  type PictureOptions,
  runForJpegs,
  SAME_S,
  type Select,
  splitJpegs,
} from './jpegs.js';
import { readBoxHeader } from './mp4/box.js';
import { entryBoxes } from './mp4/codec.js';
import { firstBehindLoss } from './mp4/frame-num.js';
import { leadingOf } from './mp4/leading.js';
import { readMoof } from './mp4/moof.js';
import { movieOf, type Track } from './mp4/movie.js';
import { canBeWhole, nalLengthBytes } from './mp4/nal.js';
import { mediaMs } from './mp4/prft.js';

export interface Picture {
  jpeg: Buffer;
  width: number;
  height: number;
  /** how long after the keyframe's place in the first fragment the pictured frame was taken, ms */
  offsetMs: number;
}

type Gop = Pick<Fragment, 'bytes' | 'startTicks'>[];

/**
 * The newest frame of a GOP held in memory, as JPEG. `gop` is every fragment since (and with) the last key one.
 * Falls back to the last frame that decodes cleanly, then to the keyframe; never a grey or smeared picture.
 * WorldError: no-footage (nothing decodable), timeout, cancelled.
 */
export async function newestFrame(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Gop,
  options: PictureOptions = {},
): Promise<Picture> {
  const frames = shownFrames(init, gop, false);
  if (frames.length === 0) throw new WorldError('no-footage', 'no picture to show yet');
  return inTurn(options, NOW, (within) => decode(ffmpeg, init, gop, frames, within));
}

/**
 * For each of some moments (ms after the start of `gop`) the frame that is shown then, by one ffmpeg where nothing is damaged;
 * else as near before it as there is a clean one. Null: none can be decoded. WorldError: timeout, cancelled.
 */
export async function framesShown(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Gop,
  momentsMs: readonly number[],
  options: PictureOptions = {},
): Promise<(Picture | null)[]> {
  const frames = shownFrames(init, gop, true);
  if (frames.length === 0) return momentsMs.map(() => null);
  const counts = momentsMs.map((ms) => Math.max(1, frames.filter(({ offsetMs }) => offsetMs <= ms).length));
  const distinct = [...new Set(counts)].sort((a, b) => a - b);
  const pictures = await inTurn(options, PAST, (within) =>
    decodeEach(ffmpeg, init, gop, frames, distinct, within),
  );
  return counts.map((count) => pictures.get(count) ?? null);
}

/** By how many frames are shown up to then: the last of them. */
async function decodeEach(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  gop: Gop,
  frames: Frame[],
  counts: number[],
  options: PictureOptions,
): Promise<Map<number, Picture>> {
  if (counts.length > 1) {
    const wanted = counts.map((count) => frames[count - 1]!);
    const atS = wanted.map(({ shownS }) => shownS);
    const result = await runForJpegs(ffmpeg, bytesOf(init, gop), { atS }, options);
    const jpegs = splitJpegs(result.stdout);
    if (isClean(result) && jpegs.length === wanted.length)
      return new Map(counts.map((count, i) => [count, asPicture(jpegs[i]!, wanted[i]!)]));
  }
  const pictures = new Map<number, Picture>();
  for (const count of counts) {
    const shown = await decode(ffmpeg, init, gop, frames.slice(0, count), options).catch(noneToShow);
    if (shown !== null) pictures.set(count, shown);
  }
  return pictures;
}

function noneToShow(error: unknown): null {
  if (error instanceof WorldError && error.kind === 'no-footage') return null;
  throw error;
}

const bytesOf = (init: StreamInit, gop: Pick<Fragment, 'bytes'>[]) => [
  init.bytes,
  ...gop.map(({ bytes }) => bytes),
];

interface Frame {
  /** presentation time as ffmpeg sees it, seconds */
  shownS: number;
  offsetMs: number;
}

/** The frames a decoder gives for a GOP that stands alone, up to a loss, in the order they are shown. A file may be torn. */
function shownFrames(init: StreamInit, gop: Gop, fromFile: boolean): Frame[] {
  const movie = movieOf(init);
  const runs = gop.flatMap(({ bytes }) => videoRuns(init, bytes));
  const first = runs[0];
  if (!first) return [];
  const ms = (ticks: number) => (ticks * 1000) / init.timescale;
  const keyDelay = first.offsets?.[0] ?? 0;
  const opensMs = ms(leadingOf(runs).ticks);
  const frames: Frame[] = [];
  const lost = isH264(init) ? firstBehindLoss(codecData(movie.video), samplesOf(init, gop)) : null;
  const torn = fromFile ? firstTorn(movie.video, samplesOf(init, gop)) : null;
  const lossAt = Math.min(lost ?? Number.POSITIVE_INFINITY, torn ?? Number.POSITIVE_INFINITY);
  let index = 0;
  for (const run of runs) {
    let ticks = Number(run.startTicks - first.startTicks);
    for (const [i, duration] of run.durations.entries()) {
      const afterKey = ticks + (run.offsets?.[i] ?? 0) - keyDelay;
      if (afterKey >= 0 && index < lossAt)
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

/** Index of the first sample that can't be as it was recorded; null: none. */
function firstTorn(video: Track, samples: Iterable<Buffer>): number | null {
  const lengthBytes = nalLengthBytes(video);
  let index = 0;
  for (const sample of samples) {
    if (!canBeWhole(sample, lengthBytes)) return index;
    index++;
  }
  return null;
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
  const run = (select: Select) => runForJpegs(ffmpeg, bytesOf(init, gop), select, options);
  const last = frames.at(-1)!;
  const newest = await run({ atS: [last.shownS] });
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

function asPicture(jpeg: Buffer, frame: Frame): Picture {
  return { jpeg, ...jpegSize(jpeg), offsetMs: frame.offsetMs };
}
