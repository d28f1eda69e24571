import { readdir, rm, truncate, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRecorderClient } from '../../media/client.js';
import { faultOf } from '../../media/index/fault.js';
import { RecorderIndex } from '../../media/index/index.js';
import { startMending } from '../../media/mending.js';
import type { RecorderClient, RecorderEvent } from '../../media/types.js';
import { makeSeal } from '../../src/base/seal.js';
import { migrate as bringForward, migrateIndex, putAside } from '../../src/migrate.js';
import { readFrameNumbers, TINY } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { configFor, migrate, projectRoot, quiet, tempFolder, until } from './stand.js';

/** The index may be broken for so long without anybody noticing, then a new one is made; recording stops for less. */
const NOTICED_MS = 60_000;
const STOPPED_MS = 5000;

let server: RtspServer;
beforeAll(async () => {
  server = await startRtspServer({ streams: { '/cam': TINY, '/other': TINY } });
}, 120_000);
afterAll(() => server?.stop());

interface Running {
  folder: string;
  file: string;
  client: RecorderClient;
  /** everything told so far, as the bot hears it */
  heard: RecorderEvent[];
  end(): Promise<void>;
}

/** The service as its process runs it, recording two cameras. */
async function startRecording(): Promise<Running> {
  const folder = await tempFolder();
  const config = configFor(folder);
  const service = await startMending(
    config,
    { log: quiet, segmentMs: 2000 },
    {
      prepare: (file) => migrateIndex(projectRoot, file),
      make: (file) => bringForward(projectRoot, 'recorder', file),
      putAside,
    },
  );
  const client = makeRecorderClient({
    url: `http://127.0.0.1:${service.port}`,
    token: config.recorderToken,
  });
  const heard: RecorderEvent[] = [];
  const deaf = new AbortController();
  const listening = (async () => {
    for await (const event of client.events(0, deaf.signal)) heard.push(event);
  })();
  for (const id of ['cam', 'other'])
    await client.addCamera({ id, name: id, url: server.url(`/${id}`), retentionDays: 9 });
  await until('five seconds are recorded', async () => (await recordedMs(client, 'cam')) > 5000);
  return {
    ...{ folder, file: path.join(folder, 'recorder.db'), client, heard },
    async end() {
      deaf.abort();
      await listening;
      await service.stop();
      await rm(folder, { recursive: true, force: true });
    },
  };
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
    return found !== null && found.gaps.every(({ cause }) => cause === 'recorder-down') ? found : null;
  });
  expect(recorded[0]!.startMs).toBe(startMs);
  expect(gaps).toHaveLength(1);
  const missingMs = gaps[0]!.endMs - gaps[0]!.startMs;
  console.log(`${id}: not recorded for ${missingMs} ms`);
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

describe('an index that breaks while the recorder runs', () => {
  it.each<[string, (file: string) => Promise<void>, number]>([
    [
      'is deleted',
      async (file) => {
        for (const end of ['', '-wal', '-shm']) await rm(`${file}${end}`);
      },
      0,
    ],
    ['is overwritten', (file) => writeFile(file, Buffer.alloc(50_000, 7)), 1],
    ['is cut to nothing', (file) => truncate(file, 0), 1],
  ])(
    'and %s, is made anew while recording goes on',
    async (_how, harm, aside) => {
      const running = await startRecording();
      try {
        const { client, heard, file, folder } = running;
        const begun = await client.coverage('cam', { startMs: 0, endMs: Date.now() });
        const cameras = await client.cameras();
        await harm(file);
        await until('the rebuilding is told', () => heard.find(told), NOTICED_MS);
        const since = heard.find(told)!.atMs;
        for (const id of ['cam', 'other'])
          await until(
            `${id} records again`,
            async () => {
              const camera = await client.camera(id).catch(() => null);
              return camera?.state === 'recording' && (camera.newestFrameMs ?? 0) > since + 4000;
            },
            30_000,
          );
        const known = ({ id, name, address, retentionDays }: (typeof cameras)[number]) => ({
          ...{ id, name, address, retentionDays },
        });
        expect((await client.cameras()).map(known)).toEqual(cameras.map(known));
        await accountsFor(running, begun.recorded[0]!.startMs, 'cam');
        const other = await client.coverage('other', { startMs: 0, endMs: Date.now() });
        await accountsFor(running, other.recorded[0]!.startMs, 'other');
        expect(heard.filter(told)).toHaveLength(1);
        expect(heard.map(({ id }) => id)).toEqual(heard.map(({ id }) => id).toSorted((a, b) => a - b));
        const names = await readdir(folder);
        expect(names.filter((name) => /^recorder\.db\.hong-\d{8}T\d{6}$/.test(name))).toHaveLength(aside);
        expect(names.filter((name) => name.startsWith('recorder.db.new'))).toEqual([]);
      } finally {
        await running.end();
      }
    },
    180_000,
  );
});

const told = ({ kind }: RecorderEvent) => kind === 'index-rebuilt';
