import { spawnSync } from 'node:child_process';
import { open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { createClient } from '@libsql/client';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRecorderClient } from '../../media/client.js';
import type { RecorderClient, RecorderEvent } from '../../media/types.js';
import { makeKey } from '../../src/base/seal.js';
import { supervise } from '../../src/supervise.js';
import { readFrameNumbers, TINY } from '../support/frame-clock.js';
import { freePort } from '../support/product.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { projectRoot, quiet, tempFolder, until } from './stand.js';

/** For whatever is promised sooner: other tests run beside this one. */
const PATIENCE_MS = 90_000;
/** Recording stops for less, by the pictures: 4 s on a machine that has nothing else to do. */
const STOPPED_MS = 30_000;
/** bytes of a page of SQLite's */
const PAGE = 4096;
/** of the cameras; stands in no other table */
const NAME = 'Camera thử';
const KEY = makeKey();

let server: RtspServer;
/** one recorder, whose index breaks again and again */
let running: Running;
/** its first picture */
let beganMs: number;
/** how often its index was made anew */
let rebuilt = 0;
beforeAll(async () => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
  server = await startRtspServer({ streams: { '/cam': TINY } });
  running = await startRecording();
  const { recorded } = await running.client.coverage('cam', { startMs: 0, endMs: Date.now() });
  beganMs = recorded[0]!.startMs;
}, 240_000);
afterAll(async () => {
  await running?.end();
  await server?.stop();
});

const told = ({ kind }: RecorderEvent) => kind === 'index-rebuilt';

interface Running {
  folder: string;
  file: string;
  client: RecorderClient;
  /** everything told so far, as the bot hears it */
  heard: RecorderEvent[];
  /** of the recorder's process of this moment */
  pid(): number;
  /** how often it said so in its log */
  logged(words: string): Promise<number>;
  stop(): Promise<void>;
  start(): void;
  /** stops it and takes its folder away */
  end(): Promise<void>;
}

/** The real process under its real parent's care, recording a camera. */
async function startRecording(): Promise<Running> {
  const folder = await tempFolder();
  const file = path.join(folder, 'recorder.db');
  const port = await freePort();
  const token = 'token-of-the-test';
  const start = () =>
    supervise({
      ...{
        name: 'recorder',
        script: path.join(projectRoot, 'dist/media/main.js'),
        log: quiet,
        say: () => {},
      },
      env: {
        ...process.env,
        ...{ DATA_DIR: folder, RECORDINGS_DIR: '', RECORDER_PORT: String(port), RECORDER_TOKEN: token },
        ...{ SECRET_KEY: KEY, MAT_THAN_DEMO: '0', MAT_THAN_SEGMENT_MS: '1000', LOG_LEVEL: 'info' },
        ...{ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' },
      },
    });
  let care = start();
  await care.ready;
  const client = makeRecorderClient({ url: `http://127.0.0.1:${port}`, token });
  const heard: RecorderEvent[] = [];
  const deaf = new AbortController();
  const listening = (async () => {
    for await (const event of client.events(0, deaf.signal)) heard.push(event);
  })();
  await client.addCamera({ id: 'cam', name: `${NAME} cam`, url: server.url('/cam'), retentionDays: 9 });
  const someSeconds = async () => (await recordedMs(client)) > 3000;
  await until('some seconds are recorded', someSeconds, PATIENCE_MS);
  return {
    ...{ folder, file, client, heard },
    pid: () => care.pid()!,
    logged: async (words) =>
      (await readFile(path.join(folder, 'logs/recorder.log'), 'utf8')).split(words).length - 1,
    stop: () => care.stop(),
    start() {
      care = start();
    },
    async end() {
      deaf.abort();
      await listening;
      await care.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
}

async function recordedMs(client: RecorderClient): Promise<number> {
  const { recorded } = await client.coverage('cam', { startMs: 0, endMs: Date.now() });
  return recorded.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
}

/** It records later than `atMs`, and what is recorded is listed. */
const recordsAfter = (atMs: number) =>
  until(
    'it records again',
    async () => ((await running.client.camera('cam').catch(() => null))?.newestFrameMs ?? 0) > atMs,
    PATIENCE_MS,
  );

/** All of before is listed; of what was recorded since `startMs` only a restart is missing, and all of it plays. */
async function accountsFor(startMs: number): Promise<void> {
  const { client, folder } = running;
  const endMs = Date.now() - 1000;
  const coverage = (fromMs: number) => client.coverage('cam', { startMs: fromMs, endMs }).catch(() => null);
  await until(
    'all is listed again',
    async () => {
      const all = await coverage(beganMs);
      return (
        all?.recorded[0]?.startMs === beganMs && all.gaps.every(({ cause }) => cause === 'recorder-down')
      );
    },
    PATIENCE_MS,
  );
  const { recorded, gaps } = (await coverage(startMs))!;
  expect(gaps).toHaveLength(1);
  expect(gaps[0]!.endMs - gaps[0]!.startMs).toBeLessThan(STOPPED_MS);
  const job = await client.clip({ cameraId: 'cam', startMs, endMs });
  let frames = 0;
  for (const { index } of job.parts) {
    const clip = path.join(folder, `${index}.mp4`);
    await client.savePart(job.id, index, clip);
    const numbers = await readFrameNumbers(clip);
    expect(numbers.every((number) => number !== null)).toBe(true);
    frames += numbers.length;
  }
  const lengthMs = recorded.reduce((sum, one) => sum + one.endMs - one.startMs, 0);
  expect(frames).toBeGreaterThanOrEqual((lengthMs * TINY.fps) / 1000 - 2);
}

/** All pages but the first are garbage, and nothing of them is in the log or in the recorder's memory. */
async function spoilPages(file: string): Promise<void> {
  const other = createClient({ url: `file:${file}` });
  await other.execute(`INSERT INTO "Setting" VALUES ('other', '')`);
  await other.execute('PRAGMA wal_checkpoint(TRUNCATE)');
  const handle = await open(file, 'r+');
  const { size } = await handle.stat();
  await handle.write(Buffer.alloc(size - PAGE, 7), 0, size - PAGE, PAGE);
  await handle.close();
  other.close();
}

const namesWith = async (words: RegExp) =>
  (await readdir(running.folder)).filter((name) => words.test(name)).length;
const ASIDE = /^recorder\.db\.hong-\d{8}T\d{6}$/;

describe.skipIf(process.platform === 'win32')('an index that breaks while the recorder runs', () => {
  it('only for a moment, for it was away: it is used again, and nothing is lost', async () => {
    const { client, file, heard } = running;
    const { ino } = await stat(file);
    const pid = running.pid();
    await rename(file, `${file}.away`);
    await until('it is missed', () => running.logged('a new one is made'), PATIENCE_MS);
    await rename(`${file}.away`, file);
    await until('it is seen again', () => running.logged('the index can be used again'), PATIENCE_MS);
    const range = { startMs: beganMs, endMs: Date.now() - 1000 };
    expect((await client.coverage('cam', range)).gaps).toEqual([]);
    await client.changeCamera('cam', { retentionDays: 8 });
    expect((await stat(file)).ino).toBe(ino);
    expect(running.pid()).toBe(pid);
    expect(heard.some(told)).toBe(false);
    expect(await namesWith(/^recorder\.db\.new/)).toBe(0);
  }, 240_000);

  it.each<[how: string, harm: (file: string) => Promise<void>, aside: number]>([
    [
      'is deleted',
      async (file) => {
        for (const end of ['', '-wal', '-shm']) await rm(`${file}${end}`);
      },
      0,
    ],
    ['is overwritten', (file) => writeFile(file, Buffer.alloc(50_000, 7)), 1],
    ['is cut to nothing', (file) => truncate(file, 0), 1],
    ['takes no rows any more', spoilPages, 1],
  ])(
    'and %s, is made anew while recording goes on',
    async (how, harm, aside) => {
      const { client, heard, file } = running;
      const known = async () =>
        (await client.cameras()).map(({ id, name, address, retentionDays }) => ({
          ...{ id, name, address, retentionDays },
        }));
      const cameras = await known();
      const asideBefore = await namesWith(ASIDE);
      const refusedBefore = await running.logged('the broken index took no closed file');
      const startMs = (await client.camera('cam')).newestFrameMs! - 1000;
      await harm(file);
      rebuilt++;
      const { atMs } = await until(
        'the rebuilding is told',
        () => heard.filter(told)[rebuilt - 1],
        PATIENCE_MS,
      );
      await recordsAfter(atMs + 2500);
      expect(await known()).toEqual(cameras);
      await accountsFor(startMs);
      expect(heard.filter(told)).toHaveLength(rebuilt);
      expect(heard.map(({ id }) => id)).toEqual(heard.map(({ id }) => id).toSorted((a, b) => a - b));
      expect(await namesWith(ASIDE)).toBe(asideBefore + aside);
      expect(await namesWith(/^recorder\.db\.new/)).toBe(0);
      if (how.startsWith('takes'))
        expect(await running.logged('the broken index took no closed file')).toBeGreaterThan(refusedBefore);
    },
    240_000,
  );

  it('or is found to know no cameras at the start: the next start is on a new one', async () => {
    const { client, file, heard } = running;
    await running.stop();
    const before = await namesWith(ASIDE);
    const other = createClient({ url: `file:${file}` });
    await other.execute('PRAGMA wal_checkpoint(TRUNCATE)');
    other.close();
    const bytes = await readFile(file);
    expect(bytes.includes(NAME)).toBe(true);
    for (let page = 0; page < bytes.length; page += PAGE)
      if (bytes.subarray(page, page + PAGE).includes(NAME)) bytes.fill(7, page, page + PAGE);
    await writeFile(file, bytes);
    running.start();
    await until('the rebuilding is told', () => heard.filter(told).length > rebuilt, PATIENCE_MS);
    await until(
      'all is listed again',
      async () => {
        const all = await client.coverage('cam', { startMs: beganMs, endMs: Date.now() }).catch(() => null);
        return all?.recorded[0]?.startMs === beganMs;
      },
      PATIENCE_MS,
    );
    expect(await namesWith(ASIDE)).toBeGreaterThan(before);
  }, 240_000);
});
