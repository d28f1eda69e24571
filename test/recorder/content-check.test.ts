import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeLargeFiles } from '../../bench/archive.js';
import { ContentCheck, paceFor } from '../../media/content-check.js';
import { RecorderIndex } from '../../media/index/index.js';
import { Tampering } from '../../media/tampering.js';
import type { RecorderEvent } from '../../media/types.js';
import { DAY_MS } from '../../src/base/clock.js';
import { holdsFor } from './holds-stand.js';
import { cameraIs, filesIn, migrate, quiet, type Stand, startStand, tempFolder, until } from './stand.js';

let folder: string;
beforeAll(async () => {
  folder = await tempFolder();
});
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

/** One byte in the middle is another; size and dates stay. */
async function change(file: string): Promise<void> {
  const { atime, mtime, size } = await fs.stat(file);
  const handle = await fs.open(file, 'r+');
  const byte = Buffer.alloc(1);
  await handle.read(byte, 0, 1, Math.floor(size / 2));
  byte[0]! ^= 1;
  await handle.write(byte, 0, 1, Math.floor(size / 2));
  await handle.close();
  await fs.utimes(file, atime, mtime);
}

/** Six recorded files of a camera, and a check that has them to itself. */
async function recorded() {
  const place = await fs.mkdtemp(path.join(folder, 'content-'));
  const { root, seal } = await makeLargeFiles(place, 6, 2000);
  const files = (await filesIn(root)).filter((one) => one.endsWith('.mp4'));
  const index = await RecorderIndex.open(await migrate(place), seal);
  const told: unknown[] = [];
  const tampering = new Tampering({
    ...{ index, log: quiet, holds: holdsFor(index, Date.now), settled: async () => {} },
    tell: (_kind, _camera, { changed }) => told.push(changed),
  });
  const one = { readable: true, ours: '' };
  const check = () =>
    new ContentCheck({
      ...{ root, index, log: quiet, tampering, againMs: 1, usedBytes: () => 0 },
      ...{ isOurs: (file) => file === one.ours, agreed: async () => {}, readable: async () => one.readable },
    });
  const at = (n: number) => path.join(root, files[n]!);
  const round = async () => {
    const once = check();
    const report = await once.round();
    await once.stop();
    return report;
  };
  return Object.assign(one, { index, told, at, round, check });
}

describe('reading the recordings again', () => {
  it('takes a week for a large archive, and is neither slower than it need be nor in the way', () => {
    expect(paceFor(0)).toBe(1000);
    const week = 7 * DAY_MS;
    expect(paceFor(3e12) * week).toBeGreaterThanOrEqual(3e12);
    expect(paceFor(1e15)).toBe(20_000);
  });

  it('finds a changed byte, and tells it once', async () => {
    const one = await recorded();
    expect(await one.round()).toMatchObject({ files: 6, bytes: 12_000, changed: 0, whole: true });
    expect(one.told).toEqual([]);
    await change(one.at(2));
    expect(await one.round()).toMatchObject({ files: 6, changed: 1 });
    expect(one.told).toEqual([1]);
    await change(one.at(4));
    expect(await one.round()).toMatchObject({ files: 6, changed: 2 });
    expect(one.told).toEqual([1, 1]);
    await one.index.close();
  });

  it('leaves alone what is gone, cut or being written, and says nothing while the disk is away', async () => {
    const one = await recorded();
    await fs.rm(one.at(0));
    await fs.truncate(one.at(1), 100);
    await change(one.at(2));
    one.ours = one.at(2);
    await change(one.at(3));
    one.readable = false;
    expect(await one.round()).toMatchObject({ files: 4, changed: 0, whole: true });
    expect(one.told).toEqual([]);
    one.readable = true;
    expect(await one.round()).toMatchObject({ files: 4, changed: 1 });
    expect(one.told).toEqual([1]);
    await one.index.close();
  });

  it('that was stopped goes on in the next start', async () => {
    const one = await recorded();
    const check = one.check();
    const round = check.round();
    await check.stop();
    expect(await round).toMatchObject({ whole: false });
    expect(await one.round()).toMatchObject({ whole: true });
    await one.index.close();
  });
});

describe('a recorder', () => {
  let stand: Stand | undefined;
  afterEach(() => stand?.end());

  it('finds a byte that somebody changed in a recording, beside recording on', async () => {
    const contentCheck = { beginMs: 0, everyMs: 200, againMs: 100 };
    stand = await startStand({ segmentMs: 1000, contentCheck });
    const { client } = stand;
    const events: RecorderEvent[] = [];
    const enough = new AbortController();
    const listening = (async () => {
      for await (const event of client.events(0, enough.signal)) events.push(event);
    })().catch(() => {});
    await client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
    await cameraIs(client, 'cam1', 'recording');
    const { data } = await until('some files are closed', () => {
      const closed = events.filter((event) => event.kind === 'segment-closed');
      return closed.length >= 3 && closed[1];
    });
    const changed = () => events.filter((event) => event.kind === 'footage-changed');
    expect(changed()).toEqual([]);
    await change(path.join(stand.folder, 'recordings', String(data.path)));
    const [told] = await until('it is told', () => changed().length > 0 && changed());
    expect(told!.data).toMatchObject({ removed: 0, added: 0, changed: 1, cameras: ['Cổng chợ'] });
    expect((await client.camera('cam1')).state).toBe('recording');
    enough.abort();
    await listening;
  }, 60_000);
});
