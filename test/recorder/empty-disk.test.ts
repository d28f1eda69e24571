import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import { KEYS_FILE } from '../../media/integrity/keys.js';
import { recover } from '../../media/recording/recover.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { migrate, quiet, tempFolder } from './stand.js';

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

/** Recovers an index of one file over a recordings' folder in which there is none; how many rows are left. */
async function rowsLeft(root: string, place: string): Promise<number> {
  const index = await RecorderIndex.open(await migrate(place), makeSeal(makeKey()));
  closing.push(() => index.close());
  await index.segments.add({
    ...{ cameraId: 'cam1', stream: 'main', startMs: 1_790_000_000_000, endMs: 1_790_000_060_000 },
    ...{
      path: 'cam1/main/2026-09-21/20/x.mp4',
      sizeBytes: 1,
      codec: 'avc1',
      width: 1,
      height: 1,
      open: false,
    },
  });
  const doors = { root, index, log: quiet, isOurs: () => false, onRecovered() {} };
  await recover(doors, await index.segments.newestId());
  return (await index.segments.page(0, 10)).length;
}

it('an empty place without our keys may be a disk that is not mounted: nothing is forgotten', async () => {
  const place = await tempFolder();
  closing.push(() => fs.rm(place, { recursive: true, force: true }));
  const root = path.join(place, 'recordings');
  await fs.mkdir(root);
  expect(await rowsLeft(root, place)).toBe(1);
});

it('an empty place with our keys is the disk, as a power cut left it: what it lost has no row', async () => {
  const place = await tempFolder();
  closing.push(() => fs.rm(place, { recursive: true, force: true }));
  const root = path.join(place, 'recordings');
  await fs.mkdir(root);
  await fs.writeFile(path.join(root, KEYS_FILE), '{}');
  expect(await rowsLeft(root, place)).toBe(0);
});
