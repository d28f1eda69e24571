import { spawnSync } from 'node:child_process';
import { open, readdir, readFile, rename, rm, stat, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import process from 'node:process';
import { createClient } from '@libsql/client';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { makeRecorderClient } from '../../media/client.js';
import type { RecorderClient, RecorderEvent } from '../../media/types.js';
import { makeKey } from '../../src/base/seal.js';
import { supervise } from '../../src/supervise.js';
import { readFrameNumbers, TINY } from '../support/frame-clock.js';
import { freePort } from '../support/product.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { projectRoot, quiet, tempFolder, until } from './stand.js';

/** The index may be broken for so long without anybody noticing, then a new one is made; recording stops for less. */
const NOTICED_MS = 60_000;
const STOPPED_MS = 10_000;
/** bytes of a page of SQLite's */
const PAGE = 4096;
/** of the cameras; stands in no other table */
const NAME = 'Camera thử';
const KEY = makeKey();

let server: RtspServer;
beforeAll(async () => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
  server = await startRtspServer({ streams: { '/cam': TINY, '/other': TINY } });
}, 120_000);
afterAll(() => server?.stop());

const told = ({ kind }: RecorderEvent) => kind === 'index-rebuilt';

interface Running {
  folder: string;
  file: string;
  client: RecorderClient;
  /** everything told so far, as the bot hears it */
  heard: RecorderEvent[];
  /** of the recorder's process of this moment */
  pid(): number;
  /** did it say so in its log? */
  logged(words: string): Promise<boolean>;
  stop(): Promise<void>;
  start(): void;
  /** stops it and takes its folder away */
  end(): Promise<void>;
}

const alive = new Set<Running>();
afterEach(async () => {
  for (const running of alive) await running.end();
});

/** The real process under its real parent's care, recording two cameras. */
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
  for (const id of ['cam', 'other'])
    await client.addCamera({ id, name: `${NAME} ${id}`, url: server.url(`/${id}`), retentionDays: 9 });
  await until('five seconds are recorded', async () => (await recordedMs(client, 'cam')) > 5000);
  const running: Running = {
    ...{ folder, file, client, heard },
    pid: () => care.pid()!,
    logged: async (words) => (await readFile(path.join(folder, 'logs/recorder.log'), 'utf8')).includes(words),
    stop: () => care.stop(),
    start() {
      care = start();
    },
    async end() {
      deaf.abort();
      await listening;
      await care.stop();
      alive.delete(running);
      await rm(folder, { recursive: true, force: true });
    },
  };
  alive.add(running);
  return running;
}

async function recordedMs(client: RecorderClient, id: string): Promise<number> {
  const { recorded } = await client.coverage(id, { startMs: 0, endMs: Date.now() });
  return recorded.reduce((sum, { startMs, endMs }) => sum + endMs - startMs, 0);
}

/** Nothing but the restart is missing of what was recorded since `startMs`, and all of it plays. */
async function accountsFor({ client, folder }: Running, startMs: number, id: string): Promise<void> {
  const range = { startMs, endMs: Date.now() - 1000 };
  const { recorded, gaps } = await until('all is listed again', async () => {
    const found = await client.coverage(id, range).catch(() => null);
    return found?.gaps.every(({ cause }) => cause === 'recorder-down') ? found : null;
  });
  expect(recorded[0]!.startMs).toBe(startMs);
  expect(gaps).toHaveLength(1);
  const missingMs = gaps[0]!.endMs - gaps[0]!.startMs;
  expect(missingMs).toBeLessThan(STOPPED_MS);
  const job = await client.clip({ cameraId: id, ...range });
  let frames = 0;
  for (const { index } of job.parts) {
    const clip = path.join(folder, `${id}-${index}.mp4`);
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

describe.skipIf(process.platform === 'win32')('an index that breaks while the recorder runs', () => {
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
      const running = await startRecording();
      const { client, heard, file, folder } = running;
      const first = async (id: string) =>
        (await client.coverage(id, { startMs: 0, endMs: Date.now() })).recorded[0]!.startMs;
      const begun = { cam: await first('cam'), other: await first('other') };
      const known = async () =>
        (await client.cameras()).map(({ id, name, address, retentionDays }) => ({
          ...{ id, name, address, retentionDays },
        }));
      const cameras = await known();
      await harm(file);
      const { atMs } = await until('the rebuilding is told', () => heard.find(told), NOTICED_MS);
      for (const id of ['cam', 'other'])
        await until(
          `${id} records again`,
          async () => ((await client.camera(id)).newestFrameMs ?? 0) > atMs + 4000,
          30_000,
        );
      expect(await known()).toEqual(cameras);
      await accountsFor(running, begun.cam, 'cam');
      await accountsFor(running, begun.other, 'other');
      expect(heard.filter(told)).toHaveLength(1);
      expect(heard.map(({ id }) => id)).toEqual(heard.map(({ id }) => id).toSorted((a, b) => a - b));
      const names = await readdir(folder);
      expect(names.filter((name) => /^recorder\.db\.hong-\d{8}T\d{6}$/.test(name))).toHaveLength(aside);
      expect(names.filter((name) => name.startsWith('recorder.db.new'))).toEqual([]);
      if (how.startsWith('takes'))
        expect(await running.logged('the broken index took no closed file')).toBe(true);
      await running.end();
    },
    180_000,
  );

  it('or was only away for a moment: it is used again, and nothing is lost', async () => {
    const running = await startRecording();
    const { client, file, heard, folder } = running;
    const { ino } = await stat(file);
    const pid = running.pid();
    const { recorded } = await client.coverage('cam', { startMs: 0, endMs: Date.now() });
    await rename(file, `${file}.away`);
    await until('it is missed', () => running.logged('a new one is made'));
    await rename(`${file}.away`, file);
    await until('it is seen again', () => running.logged('the index can be used again'));
    const range = { startMs: recorded[0]!.startMs, endMs: Date.now() - 1000 };
    expect((await client.coverage('cam', range)).gaps).toEqual([]);
    await client.changeCamera('cam', { retentionDays: 8 });
    expect((await stat(file)).ino).toBe(ino);
    expect(running.pid()).toBe(pid);
    expect(heard.some(told)).toBe(false);
    expect((await readdir(folder)).filter((name) => name.startsWith('recorder.db.new'))).toEqual([]);
    await running.end();
  }, 120_000);

  it('or is found to know no cameras at the start: the next start is on a new one', async () => {
    const running = await startRecording();
    const { client, file, folder, heard } = running;
    await running.stop();
    const other = createClient({ url: `file:${file}` });
    await other.execute('PRAGMA wal_checkpoint(TRUNCATE)');
    other.close();
    const bytes = await readFile(file);
    expect(bytes.includes(NAME)).toBe(true);
    for (let page = 0; page < bytes.length; page += PAGE)
      if (bytes.subarray(page, page + PAGE).includes(NAME)) bytes.fill(7, page, page + PAGE);
    await writeFile(file, bytes);
    running.start();
    await until('the rebuilding is told', () => heard.some(told), NOTICED_MS);
    await until('all is listed again', async () => (await recordedMs(client, 'cam')) > 5000);
    expect((await readdir(folder)).some((name) => name.includes('.hong-'))).toBe(true);
    await running.end();
  }, 120_000);
});
