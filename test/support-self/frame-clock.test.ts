import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import sharp from 'sharp';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readElementaryStream } from '../support/annexb.js';
import { probeFile, runFfmpeg } from '../support/ffmpeg.js';
import {
  FrameDrawing,
  pictureLikeness,
  prepareStream,
  readFrameNumber,
  readFrameNumbers,
  S1,
  streamBytes,
  TINY,
  TINY_HEVC,
  trueFrame,
} from '../support/frame-clock.js';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'mat-than-clock-'));
});
afterAll(() => rm(folder, { recursive: true, force: true }));

function png(number: number, width: number, height: number): Promise<Buffer> {
  const luma = new FrameDrawing(width, height).yuv(number).subarray(0, width * height);
  return sharp(luma, { raw: { width, height, channels: 1 } })
    .png()
    .toBuffer();
}

describe('the picture clock', () => {
  for (const settings of [TINY, TINY_HEVC]) {
    it(`shows every number of a ${settings.codec} stream, in order`, async () => {
      const stream = await prepareStream(settings);
      const numbers = await readFrameNumbers(stream.file);
      expect(numbers).toEqual(Array.from({ length: stream.frames }, (_, n) => n));
    });

    it(`begins a GOP in ${settings.codec} exactly where the settings say`, async () => {
      const stream = await prepareStream(settings);
      const { units } = readElementaryStream(await streamBytes(stream), settings.codec);
      const keys = units.flatMap((unit, n) => (unit.key ? [n] : []));
      expect(units).toHaveLength(stream.frames);
      expect(keys).toEqual(
        Array.from(
          { length: settings.seconds / settings.gopSeconds },
          (_, i) => i * settings.fps * settings.gopSeconds,
        ),
      );
    });
  }

  it('is read from a poor JPEG, from a thumbnail, and from one cell of a contact sheet', async () => {
    const picture = await png(0xabcdef, 1280, 720);
    expect(await readFrameNumber(await sharp(picture).jpeg({ quality: 15 }).toBuffer())).toBe(0xabcdef);
    const small = await sharp(picture).resize(160, 90).jpeg().toBuffer();
    expect(await readFrameNumber(small)).toBe(0xabcdef);
    const sheet = await sharp({ create: { width: 700, height: 400, channels: 3, background: 'teal' } })
      .composite([{ input: await sharp(picture).resize(320, 180).toBuffer(), left: 333, top: 111 }])
      .jpeg()
      .toBuffer();
    expect(await readFrameNumber(sheet)).toBeNull();
    expect(await readFrameNumber(sheet, { left: 333, top: 111, width: 320, height: 180 })).toBe(0xabcdef);
  });

  it('reads no number from a grey picture, from noise, or from a picture torn through the strip', async () => {
    const plain = { create: { width: 640, height: 360, channels: 3 as const, background: '#808080' } };
    expect(await readFrameNumber(await sharp(plain).jpeg().toBuffer())).toBeNull();
    const torn = await sharp(await png(12345, 640, 360))
      .composite([{ input: await sharp(plain).resize(400, 300).png().toBuffer(), left: 100, top: 10 }])
      .jpeg()
      .toBuffer();
    expect(await readFrameNumber(torn)).toBeNull();
  });

  it('tells a whole picture from one whose lower half is grey', async () => {
    const stream = await prepareStream(TINY);
    const file = join(folder, 'whole.jpg');
    await runFfmpeg(['-y', '-i', stream.file, '-vf', 'select=eq(n\\,37)', '-frames:v', '1', file]);
    const drawing = new FrameDrawing(320, 240);
    expect(await readFrameNumber(await readFile(file))).toBe(37);
    expect(await pictureLikeness(file, drawing)).toBeGreaterThan(22);
    const half = { create: { width: 320, height: 120, channels: 3 as const, background: '#808080' } };
    const broken = await sharp(file)
      .composite([{ input: await sharp(half).png().toBuffer(), left: 0, top: 120 }])
      .jpeg()
      .toBuffer();
    expect(await pictureLikeness(broken, drawing)).toBeLessThan(18);
  });

  it('keeps the bitrate of a real camera', async () => {
    const stream = await prepareStream(S1);
    const bytes = await streamBytes(stream);
    const mbps = (bytes.length * 8) / S1.seconds / 1e6;
    expect(mbps).toBeGreaterThan(1.7);
    expect(mbps).toBeLessThan(2.3);
    const copy = join(folder, 's1.mp4');
    await runFfmpeg(['-y', '-framerate', '15', '-i', stream.file, '-c', 'copy', copy]);
    const [video] = (await probeFile(copy)).streams;
    expect(video).toMatchObject({ codec_name: 'h264', width: 1280, height: 720 });
  });

  it('finds the true frame behind a number that has come round again', () => {
    expect(trueFrame(7, 100, 5)).toBe(7);
    expect(trueFrame(99, 100, 101)).toBe(99);
    expect(trueFrame(1, 100, 299)).toBe(301);
  });

  it('refuses an elementary stream whose access units are not marked', async () => {
    const file = join(folder, 'plain.h264');
    await writeFile(file, Buffer.from([0, 0, 0, 1, 0x65, 1, 2, 3]));
    expect(() => readElementaryStream(Buffer.from([0, 0, 1, 0x65, 1, 2]), 'h264')).toThrow(/delimiters/);
  });
});
