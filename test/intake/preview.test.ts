import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { pino } from 'pino';
import sharp from 'sharp';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { findFfmpeg } from '../../src/base/ffmpeg.js';
import { makePreviews } from '../../src/intake/preview.js';
import { runFfmpeg } from '../support/ffmpeg.js';

let dir: string;
beforeAll(() => {
  dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mat-than-preview-'));
});
afterAll(() => fs.rmSync(dir, { recursive: true, force: true }));

/** A clip with sound whose whole picture changes all the time. @param noise hard to make small */
async function clip(name: string, { size = '640x360', seconds = 9, noise = false } = {}) {
  const file = path.join(dir, name);
  const picture = `testsrc=size=${size}:rate=25:duration=${seconds}${noise ? ',noise=alls=100:allf=t' : ''}`;
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', picture, '-f', 'lavfi', '-i', `anullsrc=r=44100:cl=mono:d=${seconds}`],
    ...['-c:v', 'libx264', '-preset', 'ultrafast', '-pix_fmt', 'yuv420p', '-c:a', 'aac', '-y', file],
  ]);
  return { path: file, sizeBytes: fs.statSync(file).size, fileName: name };
}

const makeReal = async () =>
  makePreviews({
    ffmpeg: await findFfmpeg({ configured: process.env.FFMPEG_PATH }),
    log: pino({ level: 'silent' }),
  });

it('a clip becomes a small GIF that moves, of its first seconds and its shape', async () => {
  const make = await makeReal();
  const gif = path.join(dir, 'a.gif');
  const made = await make(await clip('a.mp4'), gif, 5_000_000);
  const about = await sharp(gif, { pages: -1 }).metadata();
  expect(about).toMatchObject({ format: 'gif', width: 480, pageHeight: 270, loop: 0 });
  expect(made).toEqual({ sizeBytes: fs.statSync(gif).size, width: 480, height: 270 });
  expect(made!.sizeBytes).toBeLessThanOrEqual(5_000_000);
  const shownMs = (about.delay ?? []).reduce((sum, ms) => sum + ms, 0);
  expect(shownMs).toBeGreaterThan(5500);
  expect(shownMs).toBeLessThan(6500);
  const page = (at: number) => sharp(gif, { page: at }).raw().toBuffer();
  expect(about.pages).toBeGreaterThan(30);
  expect((await page(0)).equals(await page(about.pages! - 1))).toBe(false);
}, 60_000);

it('steps down until it fits, and gives up where nothing does', async () => {
  const make = await makeReal();
  const noisy = await clip('b.mp4', { size: '480x270', seconds: 1, noise: true });
  const gif = path.join(dir, 'b.gif');
  const large = (await make(noisy, gif, 50_000_000))!;
  expect(large.width).toBe(480);
  const smaller = (await make(noisy, gif, large.sizeBytes - 1))!;
  expect(smaller.width).toBeLessThan(480);
  expect(smaller.sizeBytes).toBeLessThan(large.sizeBytes);
  expect(smaller.sizeBytes).toBe(fs.statSync(gif).size);
  expect(await make(noisy, gif, 1000)).toBeNull();
  expect(fs.existsSync(gif)).toBe(false);
}, 60_000);

it('a portrait of a phone keeps its shape; what is no video gives none', async () => {
  const make = await makeReal();
  const gif = path.join(dir, 'c.gif');
  const made = (await make(await clip('c.mp4', { size: '360x640', seconds: 1 }), gif, 5_000_000))!;
  expect([made.width, made.height]).toEqual([480, 854]);
  const broken = path.join(dir, 'd.mp4');
  fs.writeFileSync(broken, 'đây không phải phim');
  expect(await make({ path: broken, sizeBytes: 20, fileName: 'd.mp4' }, gif, 5_000_000)).toBeNull();
  expect(fs.existsSync(gif)).toBe(false);
}, 60_000);
