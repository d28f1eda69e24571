import { beforeAll, describe, expect, it } from 'vitest';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { jpegSize } from '../../media/jpegs.js';
import { keyframeJpegs } from '../../media/keyframes.js';
import { readMoof } from '../../media/mp4/moof.js';
import { movieOf } from '../../media/mp4/movie.js';
import { framesShown, newestFrame } from '../../media/picture.js';
import { type Ffmpeg, runFfmpeg } from '../../src/base/ffmpeg.js';
import { ffmpeg, oldFfmpeg, readStream, shoot } from './footage.js';

const FPS = 15;

let system: Ffmpeg;
let old: Ffmpeg;
let h264: { init: StreamInit; fragments: Fragment[] };
let bframes: typeof h264;
let h265: typeof h264;
/** the recorded pictures, small and grey */
let truth: Buffer[];

beforeAll(async () => {
  [system, old] = await Promise.all([ffmpeg(), oldFfmpeg()]);
  const stream = await shoot({ seconds: 6, fps: FPS });
  h264 = readStream(stream);
  bframes = readStream(await shoot({ seconds: 6, fps: FPS, bFrames: 2 }));
  h265 = readStream(await shoot({ seconds: 6, fps: FPS, codec: 'libx265' }));
  const raw = await grey(stream, 'mp4');
  truth = Array.from({ length: raw.length / PIXELS }, (_, i) => raw.subarray(i * PIXELS, (i + 1) * PIXELS));
});

const PIXELS = 320 * 180;

async function grey(bytes: Buffer, format: string): Promise<Buffer> {
  const result = await runFfmpeg(
    system,
    [
      '-v',
      'error',
      '-f',
      format,
      '-i',
      'pipe:0',
      '-vf',
      'scale=320:180',
      '-pix_fmt',
      'gray',
      '-f',
      'rawvideo',
      'pipe:1',
    ],
    { input: [bytes] },
  );
  if (result.code !== 0) throw new Error(result.stderr);
  return result.stdout;
}

/** Which of the recorded frames a JPEG shows. */
async function frameShown(jpeg: Buffer): Promise<number> {
  const seen = await grey(jpeg, 'mjpeg');
  const distances = truth.map((frame) => {
    let sum = 0;
    for (let i = 0; i < PIXELS; i += 7) sum += Math.abs(frame[i]! - seen[i]!);
    return sum;
  });
  return distances.indexOf(Math.min(...distances));
}

/** The fragments from the last key one up to `end`, as the recorder keeps them. */
const gopUntil = ({ fragments }: typeof h264, end: number) => {
  const until = fragments.slice(0, end);
  return until.slice(until.findLastIndex((fragment) => fragment.key));
};

const ticksMs = (init: StreamInit, ticks: number) => (ticks * 1000) / init.timescale;

describe.each([
  ['system', () => system],
  ['2018', () => old],
])('the newest frame, with the %s ffmpeg', (_, which) => {
  it('is the very last one received, with its time', async () => {
    const gop = gopUntil(h264, h264.fragments.length - 1);
    const frames = gop.reduce((sum, { samples }) => sum + samples, 0);
    const picture = await newestFrame(which(), h264.init, gop);
    expect(picture).toMatchObject({ width: 320, height: 180 });
    expect(picture.offsetMs).toBeCloseTo(((frames - 1) * 1000) / FPS, 0);
    expect(await frameShown(picture.jpeg)).toBe(60 + frames - 1);
  });

  it('of a GOP of one frame is that frame', async () => {
    const [init, gop] = [h264.init, readStream(await shoot({ seconds: 0.06, fps: FPS })).fragments];
    expect(gop).toHaveLength(1);
    expect((await newestFrame(which(), init, gop)).offsetMs).toBe(0);
  });

  it('comes from B-frames and H.265 as well', async () => {
    for (const source of [bframes, h265]) {
      const gop = gopUntil(source, source.fragments.length);
      const picture = await newestFrame(which(), source.init, gop);
      expect(await frameShown(picture.jpeg)).toBe(89);
      expect(picture.offsetMs).toBeGreaterThan(ticksMs(source.init, gop.at(-1)!.durationTicks));
    }
  });

  it('comes from open GOPs as well, with its time', async () => {
    for (const codec of ['libx264', 'libx265'] as const) {
      const source = readStream(await shoot({ seconds: 6, fps: FPS, codec, bFrames: 3, openGop: true }));
      const gop = gopUntil(source, source.fragments.length);
      const picture = await newestFrame(which(), source.init, gop);
      expect(await frameShown(picture.jpeg)).toBe(89);
      const place = ticksMs(source.init, Number(gop[0]!.startTicks));
      expect(Math.abs(place + picture.offsetMs - (89 * 1000) / FPS)).toBeLessThan(1);
    }
  });

  it('is the keyframe rather than a smeared picture when packets were lost', async () => {
    for (const source of [h264, h265]) {
      const gop = gopUntil(source, source.fragments.length).map(({ bytes, startTicks }, i) => {
        const damaged = Buffer.from(bytes);
        if (i > 0) damaged.fill(0x5a, damaged.indexOf('mdat') + 60);
        return { bytes: damaged, startTicks };
      });
      const picture = await newestFrame(which(), source.init, gop);
      expect(picture.offsetMs).toBeLessThan(600);
      expect(await frameShown(picture.jpeg)).toBe(60 + Math.round((picture.offsetMs * FPS) / 1000));
    }
  });

  it('is the last whole one before a loss, or the keyframe', async () => {
    for (const source of [h264, h265]) {
      const gop = gopUntil(source, source.fragments.length);
      const picture = await newestFrame(which(), source.init, [gop[0]!, ...gop.slice(2)]);
      const shown = await frameShown(picture.jpeg);
      expect(shown).toBe(60 + Math.round((picture.offsetMs * FPS) / 1000));
      expect(shown).toBe(source === h264 ? 60 + gop[0]!.samples - 1 : 60);
    }
  });

  it('without a keyframe is refused rather than grey', async () => {
    for (const source of [h264, h265]) {
      const tail = source.fragments.slice(1, 4);
      expect(tail[0]!.key).toBe(false);
      await expect(newestFrame(which(), source.init, tail)).rejects.toMatchObject({ kind: 'no-footage' });
    }
  });
});

describe('a picture', () => {
  it('is scaled down to the width wanted, never up', async () => {
    const gop = gopUntil(h264, 3);
    expect(await newestFrame(system, h264.init, gop, { width: 160 })).toMatchObject({
      width: 160,
      height: 90,
    });
    expect(await newestFrame(system, h264.init, gop, { width: 4000 })).toMatchObject({
      width: 320,
      height: 180,
    });
  });

  it('is given up at its deadline and when nobody wants it any more', async () => {
    const gop = gopUntil(h264, h264.fragments.length);
    await expect(newestFrame(system, h264.init, gop, { timeoutMs: 1 })).rejects.toMatchObject({
      kind: 'timeout',
    });
    const signal = AbortSignal.abort();
    await expect(newestFrame(system, h264.init, gop, { signal })).rejects.toMatchObject({
      kind: 'cancelled',
    });
  });

  it('of many asked at once is right for each', async () => {
    const asked = [1, 2, 3, 4, 5, 6].map((end) => gopUntil(h264, end));
    const pictures = await Promise.all(asked.map((gop) => newestFrame(system, h264.init, gop)));
    for (const [i, { offsetMs }] of pictures.entries()) {
      const samples = asked[i]!.reduce((sum, fragment) => sum + fragment.samples, 0);
      expect(offsetMs).toBeCloseTo(((samples - 1) * 1000) / FPS, 0);
    }
  });

  it('of some moments of a GOP is the frame then shown, each once decoded or not', async () => {
    for (const [source, which] of [
      [h264, system],
      [h264, old],
      [bframes, system],
      [h265, system],
      [h265, old],
    ] as const) {
      const gop = gopUntil(source, source.fragments.length);
      const moments = [-5, 0, 70, 990, 1001, 1999, 5000];
      const pictures = await framesShown(which, source.init, gop, moments);
      const shown = await Promise.all(pictures.map((picture) => frameShown(picture!.jpeg)));
      expect(shown).toEqual([60, 60, 61, 74, 75, 89, 89]);
      for (const [i, picture] of pictures.entries())
        expect(picture!.offsetMs).toBeCloseTo(((shown[i]! - 60) * 1000) / FPS, 0);
    }
  });

  it('of a moment behind damage is the last clean one before it, with its own time', async () => {
    for (const source of [h264, h265]) {
      const gop = gopUntil(source, source.fragments.length).map(({ bytes, startTicks }, i) => {
        const damaged = Buffer.from(bytes);
        if (i === 2) damaged.fill(0x5a, damaged.indexOf('mdat') + 60);
        return { bytes: damaged, startTicks };
      });
      const pictures = await framesShown(system, source.init, gop, [0, 400, 1900]);
      for (const picture of pictures) {
        const shown = await frameShown(picture!.jpeg);
        expect(shown).toBe(60 + Math.round((picture!.offsetMs * FPS) / 1000));
      }
      expect(await frameShown(pictures[1]!.jpeg)).toBe(66);
      expect(pictures[2]!.offsetMs).toBeLessThan(1001);
    }
  });
});

/** The keyframes of a stream as they lie in it, one sample each. */
const keysOf = ({ init, fragments }: typeof h264) =>
  fragments
    .filter(({ key }) => key)
    .map(({ bytes }) => {
      const moof = bytes.subarray(0, bytes.readUInt32BE(0));
      const run = readMoof(moof, movieOf(init)).find(({ trackId }) => trackId === init.videoTrackId)!;
      const { at } = run.stretches[0]!;
      return bytes.subarray(at, at + run.sizes[0]!);
    });

describe.each([
  ['system', () => system],
  ['2018', () => old],
])('keyframes taken out of a recording, with the %s ffmpeg', (_, which) => {
  it('come in one go, in their order, each as it was', async () => {
    for (const source of [h264, bframes, h265]) {
      const keys = keysOf(source);
      expect(keys).toHaveLength(3);
      const jpegs = await keyframeJpegs(
        which(),
        source.init,
        [2, 0, 1, 1].map((i) => keys[i]!),
        { width: 160 },
      );
      expect(jpegs.map((jpeg) => jpegSize(jpeg!))).toEqual(Array(4).fill({ width: 160, height: 90 }));
      expect(await Promise.all(jpegs.map((jpeg) => frameShown(jpeg!)))).toEqual([60, 0, 30, 30]);
    }
  });

  it('of open GOPs come as well', async () => {
    for (const codec of ['libx264', 'libx265'] as const) {
      const source = readStream(await shoot({ seconds: 6, fps: FPS, codec, bFrames: 3, openGop: true }));
      const keys = keysOf(source);
      const jpegs = await keyframeJpegs(which(), source.init, keys, {});
      expect(await Promise.all(jpegs.map((jpeg) => frameShown(jpeg!)))).toEqual([0, 30, 60]);
    }
  });

  it('that are damaged are none, and the others stay', async () => {
    for (const source of [h264, h265]) {
      const keys = keysOf(source);
      const torn = Buffer.from(keys[1]!);
      // what is wrong within a picture of H.265 can't be seen unless it is nothing
      torn.fill(source === h264 ? 0x5a : 0, Math.floor(torn.length / 2));
      const empty = Buffer.alloc(keys[0]!.length);
      const jpegs = await keyframeJpegs(
        which(),
        source.init,
        [keys[0]!, torn, keys[2]!, empty, keys[1]!],
        {},
      );
      expect(jpegs.map((jpeg) => jpeg !== null)).toEqual([true, false, true, false, true]);
      expect(await frameShown(jpegs[2]!)).toBe(60);
      expect(await frameShown(jpegs[4]!)).toBe(30);
    }
  });
});
