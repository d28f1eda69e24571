/** Many keyframes of a recording as JPEGs by one ffmpeg. */
import type { Ffmpeg } from '../src/base/ffmpeg.js';
import type { StreamInit } from './fragment.js';
import { isClean, type PictureOptions, runForJpegs, splitJpegs } from './jpegs.js';
import { box, fullBox, u32 } from './mp4/box.js';
import { movieOf } from './mp4/movie.js';
import { canBeWhole, isIdr, nalLengthBytes } from './mp4/nal.js';

/**
 * Each of some keyframes (the bytes of one sample each, all of this `init`) as a JPEG, in their order; null for one that does not
 * decode cleanly. One ffmpeg while nothing is damaged: what it complains of is looked for by halves. Those that do not
 * end what was before them are decoded one by one, or they might come in another order.
 */
export async function keyframeJpegs(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  keyframes: readonly Buffer[],
  options: PictureOptions,
): Promise<(Buffer | null)[]> {
  const { video } = movieOf(init);
  const lengthBytes = nalLengthBytes(video);
  const jpegs = new Map<Buffer, Buffer | null>();
  const take = async (some: Buffer[]) => {
    const made = await decoded(ffmpeg, init, some, options);
    for (const [i, one] of some.entries()) jpegs.set(one, made[i]!);
  };
  const whole = [...new Set(keyframes)].filter((one) => canBeWhole(one, lengthBytes));
  await take(whole.filter((one) => isIdr(one, video)));
  for (const one of whole) if (!jpegs.has(one)) await take([one]);
  return keyframes.map((one) => jpegs.get(one) ?? null);
}

async function decoded(
  ffmpeg: Ffmpeg,
  init: StreamInit,
  keyframes: readonly Buffer[],
  options: PictureOptions,
): Promise<(Buffer | null)[]> {
  if (keyframes.length === 0) return [];
  const result = await runForJpegs(ffmpeg, film(init, keyframes), 'keyframes', options);
  const jpegs = splitJpegs(result.stdout);
  if (isClean(result) && jpegs.length === keyframes.length) return jpegs;
  if (keyframes.length === 1) return [null];
  const half = Math.ceil(keyframes.length / 2);
  return [
    ...(await decoded(ffmpeg, init, keyframes.slice(0, half), options)),
    ...(await decoded(ffmpeg, init, keyframes.slice(half), options)),
  ];
}

const BASE_IS_MOOF = 0x020000;
/** a `trun` that tells the offset of its data, and of each sample the duration, size and flags */
const TRUN_FLAGS = 0x1 | 0x100 | 0x200 | 0x400;
/** "depends on no other" */
const SYNC_SAMPLE = 0x02000000;

/** A fragmented MP4 of nothing but keyframes, one a second. */
export function* film(init: StreamInit, keyframes: Iterable<Buffer>): Generator<Buffer> {
  yield init.bytes;
  let index = 0;
  for (const sample of keyframes) {
    yield fragmentOf(init, index, sample.length);
    yield sample;
    index++;
  }
}

/** `moof` and the head of an `mdat` for one sample. */
function fragmentOf({ videoTrackId, timescale }: StreamInit, index: number, bytes: number): Buffer {
  const moof = (dataAt: number) =>
    box(
      'moof',
      fullBox('mfhd', 0, 0, u32(index + 1)),
      box(
        'traf',
        fullBox('tfhd', 0, BASE_IS_MOOF, u32(videoTrackId)),
        fullBox('tfdt', 0, 0, u32(index * timescale)),
        fullBox('trun', 0, TRUN_FLAGS, u32(1, dataAt, timescale, bytes, SYNC_SAMPLE)),
      ),
    );
  const mdat = Buffer.alloc(8);
  mdat.writeUInt32BE(bytes + mdat.length, 0);
  mdat.write('mdat', 4, 'latin1');
  return Buffer.concat([moof(moof(0).length + mdat.length), mdat]);
}
