import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RecorderIndex } from '../../media/index/index.js';
import type { SegmentRow } from '../../media/index/rows.js';
import { recover } from '../../media/recording/recover.js';
import { Retention } from '../../media/retention/retention.js';
import { makeSeal } from '../../src/base/seal.js';
import { runFfmpeg } from '../support/ffmpeg.js';
import { believed, holdsFor } from './holds-stand.js';
import { configFor, filesIn, migrate, quiet, tempFolder } from './stand.js';

const NOW = Date.UTC(2026, 10, 21, 7, 0, 0);
const HOUR = 3_600_000;
let folder: string;
let film: Buffer;

beforeAll(async () => {
  folder = await tempFolder();
  const file = path.join(folder, 'film.mp4');
  await runFfmpeg([
    ...['-f', 'lavfi', '-i', 'testsrc2=size=160x120:rate=10', '-t', '4', '-c:v', 'libx264', '-g', '10'],
    ...['-movflags', '+empty_moov+default_base_moof+frag_keyframe+skip_trailer', '-f', 'mp4', file],
  ]);
  film = await fs.readFile(file);
}, 60_000);
afterAll(() => fs.rm(folder, { recursive: true, force: true }));

/** An archive of its own, with a real index. */
async function archive() {
  const place = await fs.mkdtemp(path.join(folder, 'archive-'));
  const root = path.join(place, 'recordings');
  await fs.mkdir(root);
  const index = await RecorderIndex.open(await migrate(place), makeSeal(configFor(place).secretKey));
  const told: [string, Record<string, unknown>][] = [];
  const put = async (relative: string, bytes: Buffer = film) => {
    await fs.mkdir(path.dirname(path.join(root, relative)), { recursive: true });
    await fs.writeFile(path.join(root, relative), bytes);
  };
  const row = (startMs: number, change: Partial<SegmentRow> = {}): Omit<SegmentRow, 'id'> => ({
    ...{ cameraId: 'cam1', stream: 'main', startMs, endMs: startMs + 60_000, sizeBytes: 1000, open: false },
    ...{ path: `cam1/main/2026-11-21/14/${startMs}.mp4`, codec: 'avc1.64001f', width: 160, height: 120 },
    ...change,
  });
  const retention = (
    freeBytes: number | (() => number | Error | Promise<number>),
    options: { days?: number; wanted?: number } = {},
  ) =>
    new Retention({
      ...{ root, index, log: quiet, clock: { now: () => NOW } },
      ...{ holds: holdsFor(index, () => NOW), trusted: believed(() => NOW) },
      ...{ retentionDays: options.days ?? 30, minFreeBytes: options.wanted ?? 0, minFreePercent: 0 },
      tell: (kind, _camera, data) => told.push([kind, data]),
      readDisk: async () => {
        const free = typeof freeBytes === 'function' ? await freeBytes() : freeBytes;
        if (free instanceof Error) throw free;
        return { freeBytes: free, totalBytes: 1_000_000 };
      },
    });
  const recoverAll = () =>
    index.segments
      .newestId()
      .then((lastRow) =>
        recover({ root, index, log: quiet, isOurs: () => false, onRecovered() {} }, lastRow),
      );
  return { root, index, told, put, row, retention, recoverAll };
}

const name = (second: number, tail = '.mp4') =>
  `cam1/main/2026-11-21/14/cam1_main_2026-11-21T14-03-${String(second).padStart(2, '0')}.345+0700${tail}`;

describe('recovery', () => {
  it('cuts the torn tail off a file left open, names it as finished and indexes it', async () => {
    const { root, index, put, recoverAll } = await archive();
    await put(name(12, '.recording.mp4'), film.subarray(0, film.length - 100));
    const report = await recoverAll();
    expect(report).toMatchObject({ closed: 1, indexed: 0 });
    expect(await filesIn(root)).toEqual([name(12)]);
    const [row] = await index.segments.under('cam1/');
    expect(row).toMatchObject({ path: name(12), open: false, codec: expect.stringMatching(/^avc1/) });
    expect(row!.endMs - row!.startMs).toBe(3000);
    expect(row!.sizeBytes).toBe((await fs.stat(path.join(root, name(12)))).size);
    await index.close();
  });

  it('finishes a close that ended between the new name and the row', async () => {
    const { index, put, row, recoverAll } = await archive();
    await put(name(12));
    await index.segments.add(row(NOW, { path: name(11, '.recording.mp4'), open: true }));
    await recoverAll();
    expect(await index.segments.under('cam1/')).toMatchObject([{ path: name(12), open: false }]);
    await index.close();
  });

  it('finishes a deletion that ended between its note and the file, and says it twice at worst', async () => {
    const { root, index, put, row, recoverAll, retention } = await archive();
    await put(name(12));
    const old = row(NOW - 9 * 24 * HOUR, { path: name(12) });
    await index.segments.add(old);
    await index.deletions.add({ ...old, atMs: NOW - 1, stream: 'main', reason: 'age' });
    await recoverAll();
    await retention(500_000, { days: 7 }).run();
    expect(await filesIn(root)).toEqual([]);
    expect(await index.segments.under('cam1/')).toEqual([]);
    expect(await index.deletions.within('cam1', 'main', { startMs: 0, endMs: NOW })).toHaveLength(2);
    await index.close();
  });

  it('removes a file left open in which nothing whole is', async () => {
    const { root, index, put, row, recoverAll } = await archive();
    await put(name(12, '.recording.mp4'), film.subarray(0, 20));
    await index.segments.add(row(NOW, { path: name(12, '.recording.mp4'), open: true }));
    await recoverAll();
    expect(await filesIn(root)).toEqual([]);
    expect(await index.segments.under('cam1/')).toEqual([]);
    await index.close();
  });

  it('rebuilds a lost index from the files, starts by their names', async () => {
    const { index, put, recoverAll } = await archive();
    for (const second of [10, 14, 18]) await put(name(second));
    await put('cam1/main/2026-11-21/14/notes.txt');
    expect(await recoverAll()).toMatchObject({ indexed: 3 });
    const rows = await index.segments
      .within('cam1', 'main', { startMs: 0, endMs: NOW + HOUR })
      .then(() => index.segments.under('cam1/'));
    expect(rows.map((one) => one.startMs).sort()).toEqual(
      [10, 14, 18].map((second) => Date.UTC(2026, 10, 21, 7, 3, second, 345)),
    );
    expect(rows.every((one) => one.endMs - one.startMs === 4000)).toBe(true);
    expect(await recoverAll()).toMatchObject({ indexed: 0, droppedRows: 0, closed: 0 });
    await index.close();
  });

  it('begins where our processes worked last: the newest day, then those of which was deleted', async () => {
    const { index, put, row, recoverAll } = await archive();
    const days = ['2026-11-17', '2026-11-18', '2026-11-19', '2026-11-20', '2026-11-21'];
    for (const day of days) await put(name(10).replaceAll('2026-11-21', day));
    await index.deletions.add({ ...row(Date.UTC(2026, 10, 18)), atMs: NOW, stream: 'main', reason: 'age' });
    await recoverAll();
    const rows = (await index.segments.under('cam1/')).sort((a, b) => a.id - b.id);
    const order = ['2026-11-21', '2026-11-18', '2026-11-20', '2026-11-19', '2026-11-17'];
    expect(rows.map((one) => one.path.split('/')[2])).toEqual(order);
    await index.close();
  });

  it('drops rows whose file is gone, in folders that are there and in those that are not', async () => {
    const { index, put, row, recoverAll } = await archive();
    await put(name(10));
    await index.segments.add(row(NOW, { path: name(20) }));
    await index.segments.add(row(NOW, { path: 'cam2/main/2026-11-20/01/gone.mp4', cameraId: 'cam2' }));
    expect(await recoverAll()).toMatchObject({ indexed: 1, droppedRows: 2 });
    await index.close();
  });

  it('drops nothing when the whole place is empty: the disk may not be mounted', async () => {
    const { index, row, recoverAll } = await archive();
    await index.segments.add(row(NOW));
    expect(await recoverAll()).toMatchObject({ droppedRows: 0 });
    await index.close();
  });
});

describe('retention', () => {
  async function filled(ages: number[]) {
    const made = await archive();
    for (const hours of ages) {
      const row = made.row(NOW - hours * HOUR, { path: `cam1/main/x/${String(hours).padStart(4, '0')}.mp4` });
      await made.put(row.path, Buffer.alloc(row.sizeBytes));
      await made.index.segments.add(row);
    }
    return made;
  }

  it('deletes what is older than its days, notes it, and leaves the rest', async () => {
    const { root, index, told, retention } = await filled([1, 47, 49, 100]);
    await retention(500_000, { days: 2 }).run();
    expect(await filesIn(root)).toEqual(['cam1/main/x/0001.mp4', 'cam1/main/x/0047.mp4']);
    expect((await index.segments.under('cam1/')).length).toBe(2);
    const deleted = await index.deletions.within('cam1', 'main', { startMs: 0, endMs: NOW });
    expect(deleted.map((one) => one.reason)).toEqual(['age', 'age']);
    expect(told).toEqual([
      ['footage-deleted', expect.objectContaining({ files: 2, sizeBytes: 2000, reason: 'age' })],
    ]);
    await index.close();
  });

  it("obeys a camera's own days", async () => {
    const { root, index, retention } = await filled([10, 40]);
    const camera = { name: '', url: 'test:street', subUrl: null, transport: 'tcp' as const, audio: false };
    await index.cameras.add({
      ...camera,
      id: 'cam1',
      enabled: true,
      retentionDays: 1,
      createdMs: 1,
      removedMs: null,
      identity: null,
    });
    await retention(500_000, { days: 30 }).run();
    expect(await filesIn(root)).toEqual(['cam1/main/x/0010.mp4']);
    await index.close();
  });

  it('frees space from the oldest on, no more than needed, and never open or quite new files', async () => {
    const { root, index, told, retention, row, put } = await filled([1, 2, 3, 4]);
    const open = row(NOW - 9 * HOUR, { path: 'cam1/main/x/open.recording.mp4', open: true });
    await put(open.path);
    await index.segments.add(open);
    const free = async () => 10_000 - (await filesIn(root)).length * 1000;
    await retention(free, { wanted: 7000 }).run();
    expect(await filesIn(root)).toEqual(['cam1/main/x/0001.mp4', 'cam1/main/x/0002.mp4', open.path].sort());
    expect(told[0]).toEqual(['footage-deleted', expect.objectContaining({ reason: 'space', files: 2 })]);
    await index.close();
  });

  it('says once that the disk is low when deleting does not help, and once that it is well again', async () => {
    const { index, told, retention } = await filled([]);
    let free = 10;
    const round = retention(() => free, { wanted: 100 });
    await round.run();
    await round.run();
    free = 1000;
    await round.run();
    await round.run();
    expect(told.map(([kind]) => kind)).toEqual(['disk-low', 'disk-ok']);
    await index.close();
  });

  it('deletes nothing while the disk can not be read', async () => {
    const { root, index, retention } = await filled([1000, 2000]);
    await retention(() => new Error('EIO'), { days: 1 }).run();
    expect(await filesIn(root)).toHaveLength(2);
    await index.close();
  });
});

describe('the index', () => {
  it('knows of each camera since when it is recorded', async () => {
    const { index, row } = await archive();
    expect(await index.segments.recordedSince()).toEqual(new Map());
    await index.segments.add(row(NOW + 5000, { stream: 'sub', path: 'a' }));
    await index.segments.add(row(NOW + 9000, { path: 'b' }));
    await index.segments.add(row(NOW, { cameraId: 'cam2', path: 'c' }));
    expect(await index.segments.recordedSince()).toEqual(
      new Map([
        ['cam1', NOW + 5000],
        ['cam2', NOW],
      ]),
    );
    await index.close();
  });

  it('numbers events from a start on above all that an older copy of it may have told', async () => {
    const { index } = await archive();
    const event = { atMs: NOW, kind: 'camera-down' as const, cameraId: 'cam1', data: {} };
    expect(await index.events.begin(1000)).toBe(true);
    expect((await index.events.add(event)).id).toBe(1001);
    expect(await index.events.begin(5000)).toBe(false);
    expect((await index.events.add(event)).id).toBe(5001);
    // a clock that was set back takes none of them back
    await index.events.begin(3000);
    expect((await index.events.add(event)).id).toBe(5002);
    await index.close();
  });

  it('keeps its settings on its one connection and numbers events without holes', async () => {
    const { index, row } = await archive();
    for (let n = 1; n <= 5; n++) {
      const event = { atMs: NOW, kind: 'camera-down' as const, cameraId: 'cam1', data: { n } };
      expect((await index.events.add(event)).id).toBe(n);
    }
    await index.settings.write('a', '1');
    await index.settings.write('a', '2');
    expect(await index.settings.read('a')).toBe('2');
    const id = await index.segments.add(row(NOW));
    await index.segments.close(id, row(NOW, { endMs: NOW + 1 }));
    await index.segments.put(row(NOW, { endMs: NOW + 2 }));
    await index.segments.drop([id]);
    const gap = await index.gaps.add({
      cameraId: 'cam1',
      stream: 'main',
      startMs: 5,
      endMs: null,
      cause: 'silent',
    });
    await index.gaps.end(gap, 1);
    expect(await index.gaps.within('cam1', 'main', { startMs: 0, endMs: 9 })).toMatchObject([{ endMs: 5 }]);
    expect(await index.synchronous()).toBe(1);
    await index.close();
  });
});

it('a clock that is far ahead deletes little by little, so that there is time to notice', async () => {
  const { index, row, retention } = await archive();
  const month = 30 * 24 * HOUR;
  for (let at = 0; at < 100; at += 1) await index.segments.add(row(NOW - 2 * month + at * 60_000));
  const keeper = retention(500_000, { days: 30 });
  await keeper.run();
  expect(await index.segments.under('cam1/')).toHaveLength(70);
  for (let round = 0; round < 3; round += 1) await keeper.run();
  expect(await index.segments.under('cam1/')).toEqual([]);
  await index.close();
});
