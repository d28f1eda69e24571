import { beforeAll, describe, expect, it } from 'vitest';
import type { SegmentInfo } from '../../media/clip.js';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { newestFrame, pictureAt } from '../../media/picture.js';
import { type Ffmpeg, runFfmpeg } from '../../src/base/ffmpeg.js';
import { ffmpeg, oldFfmpeg, readStream, record, shoot, tempFolder } from './footage.js';

const START = Date.UTC(2026, 10, 21, 7, 30, 0);
const FPS = 15;

let system: Ffmpeg;
let old: Ffmpeg;
let h264: { init: StreamInit; fragments: Fragment[] };
let bframes: typeof h264;
let h265: typeof h264;
let segments: SegmentInfo[];
/** the recorded pictures, small and grey */
let truth: Buffer[];

beforeAll(async () => {
  [system, old] = await Promise.all([ffmpeg(), oldFfmpeg()]);
  const stream = await shoot({ seconds: 6, fps: FPS });
  h264 = readStream(stream);
  bframes = readStream(await shoot({ seconds: 6, fps: FPS, bFrames: 2 }));
  h265 = readStream(await shoot({ seconds: 6, fps: FPS, codec: 'libx265' }));
  segments = await record(await tempFolder(), 'picture', stream, START, 4);
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

  it('of a moment in the recording is the frame then shown', async () => {
    for (const [atMs, frame] of [
      [0, 0],
      [1990, 29],
      [2000, 30],
      [4700, 70],
    ] as const) {
      const picture = await pictureAt(system, segments, START + atMs);
      expect(await frameShown(picture.jpeg)).toBe(frame);
      expect(picture.frameMs).toBeCloseTo(START + (frame * 1000) / FPS, 0);
    }
    await expect(pictureAt(system, segments, START + 60_000)).rejects.toMatchObject({ kind: 'no-footage' });
    await expect(pictureAt(system, segments, START - 1)).rejects.toMatchObject({ kind: 'no-footage' });
  });
});
