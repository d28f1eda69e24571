import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { Cover } from '../../media/holds/cover.js';
import { holdFiles } from '../../media/holds/files.js';
import { fullAt, nextTold } from '../../media/holds/room.js';
import { RecorderIndex } from '../../media/index/index.js';
import { Retention } from '../../media/retention/retention.js';
import { Unreadable } from '../../media/retention/unreadable.js';
import { type ClockMemory, judgeClock, TrustedClock } from '../../media/trusted-clock.js';
import type { Hold, RecorderEvent } from '../../media/types.js';
import { makeSeal } from '../../src/base/seal.js';
import { believed, holdsFor } from './holds-stand.js';
import { cameraIs, configFor, filesIn, migrate, quiet, startStand, tempFolder, until } from './stand.js';

const NOW = Date.UTC(2026, 10, 21, 7, 0, 0);
const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
const cleanups: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const clean of cleanups.splice(0).reverse()) await clean();
});

const hold = (change: Partial<Hold> = {}): Hold => ({
  ...{
    id: 'hold-0001',
    rank: 'hold',
    cameraId: 'cam1',
    streams: 'both',
    startMs: NOW - DAY,
    endMs: NOW - DAY + 1,
  },
  ...{ by: 'Đại úy An', why: 'vụ trộm', createdMs: NOW, untilMs: null, released: null },
  ...change,
});

/** Real files, real index, a disk whose size is told. */
async function archive(days = 2) {
  const place = await tempFolder();
  cleanups.push(() => fs.rm(place, { recursive: true, force: true }));
  const root = path.join(place, 'recordings');
  await fs.mkdir(root);
  const seal = makeSeal(configFor(place).secretKey);
  const database = await migrate(place);
  let index = await RecorderIndex.open(database, seal);
  cleanups.push(() => index.close());
  const told: [string, Record<string, unknown>][] = [];
  const state = { nowMs: NOW, freeBytes: 500_000, wantedBytes: 0, totalBytes: 1_000_000 };
  const add = async (startMs: number, cameraId = 'cam1') => {
    const relative = `${cameraId}/main/x/${startMs}.mp4`;
    await fs.mkdir(path.join(root, cameraId, 'main/x'), { recursive: true });
    await fs.writeFile(path.join(root, relative), Buffer.alloc(1000));
    await index.segments.add({
      ...{ cameraId, stream: 'main', startMs, endMs: startMs + MINUTE, path: relative, sizeBytes: 1000 },
      ...{ codec: 'avc1', width: 1, height: 1, open: false },
    });
    return relative;
  };
  const start = () => {
    const now = () => state.nowMs;
    const tell = (kind: string, _camera: string | null, data: Record<string, unknown>) => {
      told.push([kind, data]);
    };
    const holds = holdsFor(index, now, { files: holdFiles(root), tell });
    const retention = new Retention({
      ...{
        root,
        index,
        holds,
        trusted: believed(now),
        log: quiet,
        clock: { now },
        tell,
        retentionDays: days,
      },
      ...{ minFreeBytes: state.wantedBytes, minFreePercent: 0 },
      readDisk: async () => ({
        freeBytes:
          state.freeBytes - 1000 * (await filesIn(root)).filter((file) => file.endsWith('.mp4')).length,
        totalBytes: state.totalBytes,
      }),
    });
    return { holds, retention };
  };
  const films = async () => (await filesIn(root)).filter((file) => file.endsWith('.mp4'));
  const loseIndex = async () => {
    const rows = await index.segments.under('');
    const all = rows.length > 0 ? rows : [...(await index.segments.page(0, 10_000))];
    await index.close();
    await fs.rm(database);
    await migrate(place);
    index = await RecorderIndex.open(database, seal);
    for (const { id: _, ...row } of all) await index.segments.add(row);
  };
  return {
    root,
    get index() {
      return index;
    },
    told,
    state,
    add,
    start,
    films,
    loseIndex,
  };
}

const asked = { cameraId: 'cam1', by: 'Đại úy An', why: 'vụ trộm' };

describe('a hold', () => {
  it('keeps every file it touches by a millisecond, from age and space, over a restart and a lost index', async () => {
    const made = await archive();
    const { add, state, films } = made;
    const begin = NOW - 9 * DAY;
    const paths = [];
    for (let n = 0; n < 5; n++) paths.push(await add(begin + n * 10 * MINUTE));
    let { holds, retention } = made.start();
    await holds.agree();
    // the last millisecond of the second file
    await holds.make({ ...asked, startMs: begin + 11 * MINUTE - 1, endMs: begin + 11 * MINUTE });
    await retention.run();
    expect(await films()).toEqual([paths[1]]);
    await made.loseIndex();
    state.wantedBytes = 999_999;
    ({ holds, retention } = made.start());
    await retention.run();
    expect(await films()).toEqual([paths[1]]);
    expect(await made.index.holds.list()).toEqual(holds.list());
    state.wantedBytes = 0;
    const [only] = holds.list();
    await expect(holds.release(only!.id, { by: 'An', why: ' ' })).rejects.toThrow('why');
    await holds.release(only!.id, { by: 'An', why: 'xong' });
    await expect(holds.release(only!.id, { by: 'An', why: 'xong' })).rejects.toThrow('already');
    ({ holds, retention } = made.start());
    await retention.run();
    expect(await films()).toEqual([]);
    expect(holds.list()).toMatchObject([{ released: { by: 'An', why: 'xong' } }]);
  });

  it('of several that overlap each protects until its own release', async () => {
    const made = await archive();
    const kept = await made.add(NOW - 9 * DAY);
    const { holds, retention } = made.start();
    await holds.agree();
    const range = { startMs: NOW - 9 * DAY, endMs: NOW - 9 * DAY + 1 };
    const first = await holds.make({ ...asked, ...range });
    const second = await holds.make({ ...asked, ...range, untilMs: NOW + HOUR });
    await holds.release(first.id, { by: 'An', why: 'xong' });
    await retention.run();
    expect(await made.films()).toEqual([kept]);
    made.state.nowMs = NOW + 2 * HOUR;
    await retention.run();
    expect(await made.films()).toEqual([]);
    expect(
      holds
        .list()
        .map(({ id }) => id)
        .sort(),
    ).toEqual([first.id, second.id].sort());
  });

  it('that can not be read, or a folder that can not, deletes nothing at all, and is told', async () => {
    const made = await archive();
    await made.add(NOW - 9 * DAY);
    const folder = path.join(made.root, 'holds');
    await fs.mkdir(folder);
    await fs.writeFile(path.join(folder, 'torn-hold.json'), '{"id": "torn-hold", "ra');
    const { retention, holds } = made.start();
    await retention.run();
    await retention.run();
    expect(await made.films()).toHaveLength(1);
    expect(retention.health().readable).toBe(false);
    expect(made.told.map(([kind]) => kind)).toEqual(['holds-unreadable']);
    await fs.rm(folder, { recursive: true });
    await fs.writeFile(folder, 'no folder');
    await retention.run();
    expect(await made.films()).toHaveLength(1);
    await fs.rm(folder);
    await retention.run();
    expect(holds.fault).toBeNull();
    expect(await made.films()).toHaveLength(0);
  });

  it('whose file is spoilt gets it anew from the index or from memory, told; the spoilt one is kept, the rest goes on', async () => {
    const made = await archive();
    const begin = NOW - 9 * DAY;
    const kept = await made.add(begin);
    let { holds, retention } = made.start();
    await holds.agree();
    const one = await holds.make({ ...asked, startMs: begin, endMs: begin + 1 });
    const folder = path.join(made.root, 'holds');
    const spoil = (text: string) => fs.writeFile(path.join(folder, `${one.id}.json`), text);
    const texts = ['{"id": "torn', '', '\0'.repeat(400), JSON.stringify({ ...one, id: 'another-one' })];
    for (const [n, text] of texts.entries()) {
      // memory has it the first time, after a start only the index
      if (n > 0) ({ holds, retention } = made.start());
      await spoil(text);
      await made.add(begin + (n + 1) * HOUR);
      await retention.run();
      expect(JSON.parse(await fs.readFile(path.join(folder, `${one.id}.json`), 'utf8')), text).toEqual(one);
      expect(retention.health()).toMatchObject({ readable: true, fault: null, holds: 1 });
      expect(await made.films()).toEqual([kept]);
    }
    const asides = (await fs.readdir(folder)).filter((name) => name.startsWith(`${one.id}.json.hong-`));
    const saved = await Promise.all(asides.map((name) => fs.readFile(path.join(folder, name), 'utf8')));
    expect(saved.sort()).toEqual([...texts].sort());
    const mended = made.told.filter(([kind]) => kind === 'hold-file-mended').map(([, data]) => data);
    expect(mended).toHaveLength(4);
    expect(mended[0]).toMatchObject({ id: one.id, released: false, startMs: begin });
    expect(mended.map(({ aside }) => aside).sort()).toEqual(asides.sort());
    expect(made.told.map(([kind]) => kind)).not.toContain('holds-unreadable');
    // an index that lost it: what is in memory counts, and comes into the index too
    const rows: Hold[] = [];
    const index = {
      holds: { list: async () => [], put: async (row: Hold) => void rows.push(row) },
    };
    const alone = holdsFor(index, () => NOW, { files: holdFiles(made.root) });
    await alone.agree();
    rows.length = 0;
    await spoil('torn');
    expect(await alone.agree()).toBe(true);
    expect(JSON.parse(await fs.readFile(path.join(folder, `${one.id}.json`), 'utf8'))).toEqual(one);
    expect(rows[0]).toEqual(one);
  });

  it('whose spoilt file the disk does not let be written anew protects all the same, and one copy is kept', async () => {
    const made = await archive();
    const kept = await made.add(NOW - 9 * DAY);
    const files = holdFiles(made.root);
    let full = false;
    const now = () => NOW;
    const holds = holdsFor(made.index, now, {
      files: {
        ...files,
        write: (one) =>
          full ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : files.write(one),
      },
    });
    await holds.agree();
    const one = await holds.make({ ...asked, startMs: NOW - 9 * DAY, endMs: NOW - 9 * DAY + 1 });
    const folder = path.join(made.root, 'holds');
    await fs.writeFile(path.join(folder, `${one.id}.json`), 'torn');
    full = true;
    for (let round = 0; round < 3; round++) expect(await holds.agree()).toBe(true);
    expect(holds.cover().held('cam1', 'main', { startMs: NOW - 9 * DAY, endMs: NOW })).not.toBeNull();
    full = false;
    await holds.agree();
    expect(JSON.parse(await fs.readFile(path.join(folder, `${one.id}.json`), 'utf8'))).toEqual(one);
    expect((await fs.readdir(folder)).filter((name) => name.includes('.hong-'))).toHaveLength(1);
    expect(await made.films()).toEqual([kept]);
  });

  it('that nothing else knows stops every deletion: told daily, over restarts, and when it is over; what else is known stays known', async () => {
    const made = await archive();
    await made.add(NOW - 9 * DAY);
    let { holds, retention } = made.start();
    await holds.agree();
    await holds.make({ ...asked, startMs: NOW - DAY, endMs: NOW - DAY + 1 });
    const torn = path.join(made.root, 'holds', 'torn-hold.json');
    await fs.writeFile(torn, '{"id": "torn-hold", "ra');
    const unreadable = () => made.told.filter(([kind]) => kind.startsWith('holds-')).map(([kind]) => kind);
    made.state.wantedBytes = 999_999;
    for (const [laterMs, times] of [
      [0, 1],
      [HOUR, 1],
      [22 * HOUR, 1],
      [DAY, 2],
      [DAY + HOUR, 2],
      [2 * DAY, 3],
    ] as const) {
      // each time a process of its own
      ({ holds, retention } = made.start());
      made.state.nowMs = NOW + laterMs;
      await retention.run();
      await retention.run();
      expect(unreadable(), `after ${laterMs / HOUR} h`).toEqual(Array(times).fill('holds-unreadable'));
      expect(retention.health()).toMatchObject({ readable: false, holds: 1 });
      expect(retention.health().fault).toContain('holds/torn-hold.json');
      expect(await made.films()).toHaveLength(1);
    }
    expect(made.told.find(([kind]) => kind === 'holds-unreadable')?.[1]).toMatchObject({
      detail: expect.stringContaining('torn-hold.json'),
      stopped: false,
    });
    // no word of what would be deleted
    expect(made.told.find(([kind]) => kind === 'disk-low')?.[1]).toMatchObject({ deleting: false });
    expect(await fs.readFile(torn, 'utf8')).toContain('"ra');
    // a technician moves it away while nothing runs
    await fs.rename(torn, path.join(made.root, 'torn-hold.json'));
    ({ retention } = made.start());
    await retention.run();
    await retention.run();
    expect(unreadable().at(-1)).toBe('holds-readable');
    expect(unreadable()).toHaveLength(4);
    expect(await made.films()).toHaveLength(0);
    // the whole folder: what the index knows is known
    await fs.rename(path.join(made.root, 'holds'), path.join(made.root, 'away'));
    await fs.writeFile(path.join(made.root, 'holds'), 'no folder');
    ({ retention } = made.start());
    await retention.run();
    expect(retention.health()).toMatchObject({ readable: false, holds: 1 });
  });

  it('that can not be read on a disk that is full is told as what it is: recording stops', async () => {
    const told: [string, Record<string, unknown>][] = [];
    const values = new Map<string, string>();
    const state = { nowMs: NOW, rate: 1, short: false };
    const index = {
      settings: {
        read: async (key: string) => values.get(key) ?? null,
        write: async (key: string, value: string) => void values.set(key, value),
      },
    };
    const unreadable = new Unreadable(
      {
        index: index as ConstructorParameters<typeof Unreadable>[0]['index'],
        clock: { now: () => state.nowMs },
        tell: (kind, _camera, data) => void told.push([kind, data]),
      },
      { rate: state.rate, isShort: () => state.short },
    );
    const disk = { freeBytes: HOUR, totalBytes: 10 * HOUR };
    await unreadable.judge('EIO', disk);
    expect(told.at(-1)?.[1]).toMatchObject({ stopped: false, fullAtMs: NOW + HOUR });
    state.short = true;
    await unreadable.judge('EIO', disk);
    await unreadable.judge('EIO', disk);
    expect(told).toHaveLength(2);
    expect(told.at(-1)?.[1]).toMatchObject({ stopped: true });
    state.nowMs += 6 * HOUR;
    await unreadable.judge('EIO', disk);
    expect(told).toHaveLength(3);
    await unreadable.judge(null, disk);
    await unreadable.judge(null, disk);
    expect(told.map(([kind]) => kind).slice(3)).toEqual(['holds-readable']);
    expect(unreadable.fullAtMs).toBeNull();
  });

  it('gets its file back from the index when somebody removed it; a file wins over its row', async () => {
    const made = await archive();
    const { holds } = made.start();
    await holds.agree();
    const one = await holds.make({ ...asked, startMs: NOW, endMs: NOW + 1 });
    const file = path.join(made.root, 'holds', `${one.id}.json`);
    await fs.rm(file);
    const after = made.start().holds;
    expect(await after.agree()).toBe(true);
    expect(JSON.parse(await fs.readFile(file, 'utf8'))).toEqual(one);
    await fs.writeFile(file, JSON.stringify({ ...one, why: 'vụ khác' }));
    await after.agree();
    expect(await made.index.holds.list()).toMatchObject([{ id: one.id, why: 'vụ khác' }]);
  });

  it('asked twice with one id is one; bad ones are refused', async () => {
    const { holds } = (await archive()).start();
    await holds.agree();
    const request = { ...asked, id: 'case-2026-11-21', startMs: NOW, endMs: NOW + 1 };
    const both = await Promise.all([holds.make(request), holds.make(request)]);
    expect(both[0]).toEqual(both[1]);
    expect(holds.list()).toHaveLength(1);
    const refused = (change: object) => () => holds.make({ ...request, id: 'another-one', ...change });
    expect(refused({ endMs: NOW })).toThrow('ends after');
    expect(refused({ rank: 'keep' })).toThrow('needs an end');
    expect(refused({ untilMs: NOW - 1 })).toThrow('over already');
    await expect(holds.make({ ...request, why: 'khác' })).rejects.toThrow('another hold');
  });

  it('steps over a long held stretch without reading it', async () => {
    const made = await archive(1);
    for (let n = 0; n < 3000; n++)
      await made.index.segments.add({
        ...{
          cameraId: 'cam1',
          stream: 'main',
          startMs: NOW - 9 * DAY + n * MINUTE,
          sizeBytes: 1000,
          open: false,
        },
        ...{
          endMs: NOW - 9 * DAY + (n + 1) * MINUTE,
          path: `cam1/main/x/${n}`,
          codec: 'a',
          width: 1,
          height: 1,
        },
      });
    const { holds, retention } = made.start();
    await holds.agree();
    await holds.make({ ...asked, startMs: NOW - 9 * DAY, endMs: NOW - 9 * DAY + 2990 * MINUTE - 1000 });
    let read = 0;
    const { index } = made;
    const oldestOf = index.segments.oldestOf.bind(index.segments);
    index.segments.oldestOf = async (...args) => {
      const rows = await oldestOf(...args);
      read += rows.length;
      return rows;
    };
    await retention.run();
    expect(read).toBeLessThan(100);
    expect(await index.deletions.page({})).toHaveLength(10);
  });
});

describe('keeps', () => {
  it('have a tenth of the disk: the one that ends first goes first, told; a hold stays', async () => {
    const made = await archive(30);
    made.state.totalBytes = 50_000;
    for (let n = 0; n < 12; n++) await made.add(NOW - 2 * DAY + n * 10 * MINUTE);
    const { holds, retention } = made.start();
    await holds.agree();
    const keep = (n: number, files: number, untilMs: number) =>
      holds.make({
        ...{ ...asked, id: `keep-000${n}`, rank: 'keep' as const, by: 'bot', untilMs },
        startMs: NOW - 2 * DAY + n * 10 * MINUTE,
        endMs: NOW - 2 * DAY + (n + files) * 10 * MINUTE - 2000,
      });
    await keep(0, 3, NOW + 5 * DAY);
    await keep(3, 3, NOW + 2 * DAY);
    await retention.run();
    expect(made.told.filter(([kind]) => kind !== 'hold-made')).toMatchObject([
      ['keep-dropped', { id: 'keep-0003', cause: 'budget' }],
    ]);
    expect(holds.active('keep').map(({ id }) => id)).toEqual(['keep-0000']);
    expect(await made.films()).toHaveLength(12);
    // now the disk is short: ordinary footage goes first, then the keep, never the hold
    await holds.make({ ...asked, startMs: NOW - 2 * DAY, endMs: NOW - 2 * DAY + 1 });
    made.state.wantedBytes = 499_000;
    const again = made.start();
    await again.retention.run();
    expect(await made.films()).toEqual([`cam1/main/x/${NOW - 2 * DAY}.mp4`]);
    expect(again.holds.active('keep')).toEqual([]);
    expect(again.holds.active('hold')).toHaveLength(1);
  });

  it('are dropped even where the full disk takes no note of it', async () => {
    const made = await archive(30);
    await made.add(NOW - DAY);
    const files = holdFiles(made.root);
    let full = false;
    const holds = holdsFor(made.index, () => NOW, {
      files: {
        ...files,
        write: (one) =>
          full ? Promise.reject(Object.assign(new Error('full'), { code: 'ENOSPC' })) : files.write(one),
      },
    });
    await holds.agree();
    const kept = await holds.make({
      ...asked,
      rank: 'keep',
      startMs: NOW - DAY,
      endMs: NOW,
      untilMs: NOW + DAY,
    });
    full = true;
    await holds.drop(kept, 'space');
    await holds.agree();
    expect(holds.active('keep')).toEqual([]);
    await expect(holds.make({ ...asked, startMs: NOW, endMs: NOW + 1 })).rejects.toMatchObject({
      kind: 'disk-full',
    });
    full = false;
    await holds.agree();
    expect((await files.read()).holds[0]?.released).toMatchObject({ by: 'recorder', why: 'space' });
  });
});

describe('the forecast', () => {
  it('is told two days ahead, again daily, and at six hours and one', () => {
    const facts = { nowMs: NOW, freeBytes: 10, deletableBytes: 37, heldBytes: 53, rate: 1 / HOUR };
    expect(fullAt(facts)).toBe(NOW + 47 * HOUR);
    expect(fullAt({ ...facts, deletableBytes: 39 })).toBeNull();
    expect(fullAt({ ...facts, heldBytes: 1 })).toBeNull();
    let told = { level: 0, atMs: 0 };
    const heard: number[] = [];
    for (let left = 60; left >= 0; left -= 1) {
      const nowMs = NOW + (60 - left) * HOUR;
      const next = nextTold(told, left > 48 ? null : left * HOUR, nowMs);
      if (next.tell) heard.push(left);
      told = next.told;
    }
    expect(heard).toEqual([48, 24, 6, 1]);
  });

  it('counts what is recorded and held, from real rows', async () => {
    const made = await archive(30);
    // ten hours of a file a minute, of which the first nine are held
    const begin = NOW - 10 * HOUR;
    for (let n = 0; n < 600; n++)
      await made.index.segments.add({
        ...{ cameraId: 'cam1', stream: 'main', startMs: begin + n * MINUTE, endMs: begin + (n + 1) * MINUTE },
        ...{ path: `cam1/main/x/${n}`, sizeBytes: 1000, codec: 'a', width: 1, height: 1, open: false },
      });
    made.state.freeBytes = 60_000;
    const { holds, retention } = made.start();
    await holds.agree();
    await holds.make({ ...asked, startMs: begin, endMs: begin + 9 * HOUR });
    await retention.run();
    const [kind, data] = made.told.at(-1)!;
    expect(kind).toBe('holds-fill-disk');
    expect(data).toMatchObject({ holds: 1, heldBytes: 541_000, bytesPerDay: 1_440_000 });
    // an hour's free space, an hour of unheld footage, but for the minute at the edge
    expect(((data.fullAtMs as number) - NOW) / HOUR).toBeCloseTo(2, 1);
    expect(retention.health()).toMatchObject({ heldBytes: 541_000, holds: 1, fullAtMs: data.fullAtMs });
  });
});

describe('the clock', () => {
  const memory: ClockMemory = {
    ...{ trustedMs: NOW, uptimeMs: 5 * HOUR, bootId: 'a', doubt: null, behindSinceMs: null },
  };
  const later = (ms: number, stepMs: number, change = {}) => ({
    ...{ wallMs: NOW + ms + stepMs, uptimeMs: 5 * HOUR + ms, bootId: 'a', synchronised: false, ...change },
  });

  it.each([HOUR, DAY, 365 * DAY])(
    'a step ahead by %d ms while we measure is never believed by itself',
    (stepMs) => {
      let now = memory;
      for (let ms = MINUTE; ms < 3 * DAY; ms += HOUR) now = judgeClock(now, later(ms, stepMs));
      expect(now.doubt).toMatchObject({ measured: true });
      expect(now.trustedMs).toBe(NOW + later(3 * DAY - HOUR + MINUTE, 0).wallMs - later(0, 0).wallMs);
      expect(judgeClock(now, later(3 * DAY, stepMs, { synchronised: true })).trustedMs).toBe(
        NOW + 3 * DAY + stepMs,
      );
    },
  );

  it.each([-HOUR, -DAY])(
    'a step back by %d ms ends no sooner and is no doubt when it is taken back',
    (stepMs) => {
      const back = judgeClock(memory, later(HOUR, stepMs));
      expect(back).toMatchObject({ trustedMs: NOW + HOUR, doubt: null });
      expect(judgeClock(back, later(2 * HOUR, 0))).toMatchObject({ trustedMs: NOW + 2 * HOUR, doubt: null });
      let stays = back;
      for (let ms = 2 * HOUR; ms < 2 * DAY; ms += HOUR) stays = judgeClock(stays, later(ms, stepMs));
      expect(stays.trustedMs).toBe(NOW + 2 * DAY - HOUR + stepMs);
    },
  );

  it('what a clock that was behind dated too early is as young as it is', async () => {
    const made = await archive(30);
    const dead = Date.UTC(2000, 0, 1);
    let wallMs = NOW;
    let uptimeMs = 5 * HOUR;
    let bootId = 'a';
    let note: string | null = null;
    const clock = new TrustedClock({
      wall: () => wallMs,
      load: async () => note,
      save: async (text) => {
        note = text;
      },
      lastLife: async () => null,
      machine: async () => ({ uptimeMs, bootId }),
      synchronised: async () => wallMs > NOW,
    });
    const start = () =>
      new Retention({
        ...{
          root: made.root,
          index: made.index,
          holds: holdsFor(made.index, () => clock.now()),
          trusted: clock,
        },
        ...{ log: quiet, clock: { now: () => wallMs }, tell: () => {}, retentionDays: 30, minFreeBytes: 0 },
        ...{ minFreePercent: 0, readDisk: async () => ({ freeBytes: 1e6, totalBytes: 2e6 }) },
      });
    await start().run();
    // the battery of its clock is dead: after a power cut it is the year 2000, until the net is back
    bootId = 'b';
    wallMs = dead + MINUTE;
    uptimeMs = MINUTE;
    const retention = start();
    await retention.run();
    const young = await made.add(dead + 2 * HOUR);
    const really = await made.add(dead - 40 * DAY);
    wallMs = dead + 3 * HOUR;
    uptimeMs = 3 * HOUR;
    await retention.run();
    expect(await made.films()).toContain(young);
    wallMs = NOW + 4 * HOUR;
    uptimeMs = 4 * HOUR;
    await retention.run();
    expect(clock.now()).toBeGreaterThan(NOW);
    expect(await made.films()).toEqual([young]);
    expect(await made.films()).not.toContain(really);
    wallMs = NOW + 31 * DAY;
    uptimeMs = 31 * DAY;
    await retention.run();
    expect(await made.films()).toEqual([]);
  });

  it('after the machine was off, twelve hours are believed at once, a week after a week, a year after a year', () => {
    const booted = (wallMs: number, uptimeMs: number) => ({
      wallMs,
      uptimeMs,
      bootId: 'b',
      synchronised: false,
    });
    expect(judgeClock(memory, booted(NOW + 11 * HOUR, 0)).trustedMs).toBe(NOW + 11 * HOUR);
    let now = judgeClock(memory, booted(NOW + 7 * DAY, 0));
    expect(now).toMatchObject({ trustedMs: NOW, doubt: { measured: false } });
    const run = (days: number) => {
      for (let ms = HOUR; ms <= days * DAY; ms += HOUR) now = judgeClock(now, booted(NOW + 7 * DAY + ms, ms));
    };
    run(6);
    expect(now.trustedMs).toBe(NOW + 6 * DAY);
    run(8);
    expect(now).toMatchObject({ trustedMs: NOW + 15 * DAY, doubt: null });
  });
});

it('a cover merges what touches and finds by binary search', () => {
  const cover = new Cover([
    hold({ startMs: NOW, endMs: NOW + 10_000 }),
    hold({ startMs: NOW + 5000, endMs: NOW + 20_000 }),
    hold({ startMs: NOW + HOUR, endMs: NOW + HOUR + 1, streams: 'main' }),
  ]);
  expect([...cover.stretches()]).toHaveLength(3);
  expect(cover.held('cam1', 'sub', { startMs: NOW + 19_000, endMs: NOW + DAY })).toMatchObject({
    endMs: NOW + 21_000,
  });
  expect(cover.held('cam1', 'sub', { startMs: NOW + 22_000, endMs: NOW + DAY })).toBeNull();
  expect(cover.held('cam2', 'main', { startMs: NOW, endMs: NOW + DAY })).toBeNull();
});

const canMount = process.platform === 'linux' && process.getuid?.() === 0;
if (!canMount) console.warn('NOT TRIED: a real full disk (needs root for tmpfs)');

describe('the service', () => {
  it('takes, lists and releases holds over HTTP; coverage and deletions tell', async () => {
    const stand = await startStand();
    cleanups.push(() => stand.end());
    const { client } = stand;
    await client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
    const now = Date.now();
    const range = { startMs: now - HOUR, endMs: now + HOUR };
    const made = await client.hold({ cameraId: 'cam1', ...range, by: 'Đại úy An', why: ' vụ trộm ' });
    expect(made).toMatchObject({
      rank: 'hold',
      streams: 'both',
      why: 'vụ trộm',
      untilMs: null,
      released: null,
    });
    const file = path.join(stand.config.recordingsDir, 'holds', `${made.id}.json`);
    expect(JSON.parse(await fs.readFile(file, 'utf8'))).toEqual(made);
    const half = { startMs: now - 2 * HOUR, endMs: now };
    expect((await client.coverage('cam1', half)).held).toEqual([
      { id: made.id, rank: 'hold', startMs: range.startMs, endMs: half.endMs },
    ]);
    expect((await client.health()).holds).toMatchObject({ readable: true, holds: 1, keeps: 0 });
    await stand.restart();
    expect(await stand.client.holds({ active: true })).toEqual([made]);
    const released = await stand.client.releaseHold(made.id, { by: 'An', why: 'xong' });
    expect(await stand.client.holds({ active: false, cameraId: 'cam1' })).toEqual([released]);
    expect(await stand.client.holds({ active: true })).toEqual([]);
    await expect(stand.client.releaseHold('no-such-hold', { by: 'a', why: 'b' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    await expect(stand.client.hold({ cameraId: 'cam9', ...range, by: 'a', why: 'b' })).rejects.toMatchObject({
      kind: 'not-found',
    });
    expect(await stand.client.deletions({ limit: 5 })).toEqual([]);
  });

  it.runIf(canMount)(
    'on a real full disk: told, stopped rather than deleting a hold, released, and recording within 60 s',
    async () => {
      const place = await tempFolder();
      await migrate(place);
      const root = path.join(place, 'recordings');
      await fs.mkdir(root);
      expect(spawnSync('mount', ['-t', 'tmpfs', '-o', 'size=40m', 'none', root]).status).toBe(0);
      cleanups.push(async () => {
        spawnSync('umount', [root]);
        await fs.rm(place, { recursive: true, force: true });
      });
      const stand = await startStand({ segmentMs: 2000 }, {}, place);
      cleanups.push(() => stand.service.stop());
      const { client } = stand;
      const heard: RecorderEvent[] = [];
      const stop = new AbortController();
      cleanups.push(() => stop.abort());
      void (async () => {
        for await (const event of client.events(0, stop.signal)) heard.push(event);
      })();
      const event = (kind: string, ms = 60_000) =>
        until(kind, () => heard.find((one) => one.kind === kind), ms);
      await client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: 'test:street' });
      await cameraIs(client, 'cam1', 'recording', 30_000);
      await event('segment-closed');
      const now = Date.now();
      const held = await client.hold({
        ...{ cameraId: 'cam1', startMs: now - HOUR, endMs: now + HOUR },
        ...{ by: 'Đại úy An', why: 'vụ trộm' },
      });
      const before = await filesIn(path.join(root, 'cam1'));
      const filler = path.join(root, 'filler');
      spawnSync('dd', ['if=/dev/zero', `of=${filler}`, 'bs=4k']);
      const filledMs = Date.now();
      await event('disk-low');
      const down = await event('camera-down');
      expect(down.data.cause).toBe('disk');
      const stuck = await event('disk-full-of-holds');
      expect(stuck.atMs - filledMs).toBeLessThan(60_000);
      expect(stuck.data.holds).toBe(1);
      const closed = before.filter((file) => !file.endsWith('.recording.mp4'));
      expect(await filesIn(path.join(root, 'cam1'))).toEqual(expect.arrayContaining(closed));
      expect(heard.some((one) => one.kind === 'footage-deleted')).toBe(false);
      // the full disk still takes the release
      await client.releaseHold(held.id, { by: 'An', why: 'xong' });
      expect((await client.holds({ active: true })).length).toBe(0);
      await fs.rm(filler);
      const freeMs = Date.now();
      await cameraIs(client, 'cam1', 'recording', 60_000);
      expect(Date.now() - freeMs).toBeLessThan(60_000);
      await event('disk-ok');
      const { gaps } = await client.coverage('cam1', { startMs: filledMs, endMs: freeMs });
      expect(gaps.map(({ cause }) => cause)).toContain('disk');
    },
    200_000,
  );
});
