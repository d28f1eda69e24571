import { type FileHandle, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { SegmentInfo } from '../../media/clip.js';
import { type ScannedFile, scanFile } from '../../media/mp4/scan.js';
import { cutAround, seekAround } from '../../media/mp4/seek.js';
import { record, type Shot, shoot, tempFolder } from './footage.js';

const START = Date.UTC(2026, 10, 21, 7, 30, 0);
const SECONDS = 60;
const SHOTS: Record<string, Shot> = {
  'short groups of pictures': { seconds: SECONDS, gop: 15, bitrate: '400k' },
  'long ones, B-frames': { seconds: SECONDS, gop: 180, bFrames: 2, bitrate: '400k' },
  'one keyframe at all': { seconds: SECONDS, gop: 2000, bitrate: '200k' },
  'open ones, H.265, sound': {
    ...{ seconds: SECONDS, codec: 'libx265', gop: 30, bFrames: 3, openGop: true, audio: 'aac' },
  },
};

const opened: FileHandle[] = [];
afterEach(async () => {
  for (const handle of opened.splice(0)) await handle.close();
});

/** A file, and how many of its bytes have been read through the handle. */
async function counted(path: string): Promise<{ handle: FileHandle; read: () => number }> {
  const handle = await open(path, 'r');
  opened.push(handle);
  let bytes = 0;
  const plain = handle.read.bind(handle) as (...args: unknown[]) => Promise<{ bytesRead: number }>;
  handle.read = (async (...args: unknown[]) => {
    const result = await plain(...args);
    bytes += result.bytesRead;
    return result;
  }) as typeof handle.read;
  return { handle, read: () => bytes };
}

const offsets = (fragments: { offset: number }[] | null | undefined) =>
  fragments?.map(({ offset }) => offset);

/** What the whole file says of a moment. */
function scannedAt({ init, fragments }: ScannedFile, atMs: number) {
  const first = fragments.find(({ samples }) => samples > 0)!;
  const at = first.startTicks + BigInt(Math.floor((atMs * init.timescale) / 1000));
  return cutAround(fragments, at, init);
}

describe.each(Object.entries(SHOTS))('a file with %s', (_, shot) => {
  let segment: SegmentInfo;
  let scanned: ScannedFile;
  beforeAll(async () => {
    const folder = await tempFolder();
    [segment] = (await record(folder, 'seek', await shoot(shot), START, SECONDS * 2)) as [SegmentInfo];
    scanned = (await scanFile(segment.path))!;
  }, 120_000);

  it('gives at each moment what the whole file gives', async () => {
    const lengthMs = segment.endMs - segment.startMs;
    const { handle } = await counted(segment.path);
    for (let atMs = 0; atMs < lengthMs; atMs += 457) {
      const found = await seekAround(handle, atMs, lengthMs);
      const wanted = scannedAt(scanned, atMs);
      expect(offsets(found?.fragments), `${atMs}`).toEqual(offsets(wanted));
      expect(found!.fragments[0]!.key).toBe(true);
      expect(found!.firstTicks).toBe(scanned.fragments[0]!.startTicks);
    }
  });

  it('is found with a wrong length, too', async () => {
    const { handle } = await counted(segment.path);
    for (const lengthMs of [1, 5000, 10 * SECONDS * 1000])
      for (const atMs of [0, 17_300, 59_000])
        expect(offsets((await seekAround(handle, atMs, lengthMs))?.fragments)).toEqual(
          offsets(scannedAt(scanned, atMs)),
        );
  });

  it('that is damaged somewhere gives the same or nothing, never something else', async () => {
    const whole = await readFile(segment.path);
    const lengthMs = segment.endMs - segment.startMs;
    const path = join(await tempFolder(), 'damaged.mp4');
    for (const share of [0.2, 0.5, 0.8]) {
      const bytes = Buffer.from(whole);
      bytes.fill(0, Math.floor(whole.length * share), Math.floor(whole.length * (share + 0.05)));
      await writeFile(path, bytes);
      const { handle } = await counted(path);
      const told = (await scanFile(path))!;
      for (let atMs = 0; atMs < lengthMs; atMs += 2900) {
        const found = await seekAround(handle, atMs, lengthMs);
        if (found !== null)
          expect(offsets(found.fragments), `${share} ${atMs}`).toEqual(offsets(scannedAt(told, atMs)));
      }
    }
  });
});

it('reads a small part of a file for one moment', async () => {
  const shot: Shot = { seconds: SECONDS, size: '640x360', fps: 25, gop: 50, bitrate: '4000k' };
  const [segment] = await record(await tempFolder(), 'large', await shoot(shot), START, SECONDS * 2);
  const { path, startMs, endMs } = segment!;
  const size = (await readFile(path)).length;
  expect(size).toBeGreaterThan(8e6);
  for (const atMs of [1000, 20_000, 33_333, 58_000]) {
    const { handle, read } = await counted(path);
    expect(await seekAround(handle, atMs, endMs - startMs)).not.toBeNull();
    expect(read(), `${atMs}`).toBeLessThan(size / 8);
  }
}, 120_000);
