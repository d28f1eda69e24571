import { type ChildProcess, fork, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { makeRecorderClient } from '../../media/client.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { probeFile } from '../support/ffmpeg.js';
import { TINY } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import {
  cameraIs,
  configFor,
  filesIn,
  lives,
  migrate,
  projectRoot,
  startStand,
  tempFolder,
  until,
} from './stand.js';

let server: RtspServer;
let folder: string;
const running = new Set<ChildProcess>();

beforeAll(async () => {
  const built = spawnSync(process.execPath, [path.join(projectRoot, 'src/bin/build.mjs')], {
    encoding: 'utf8',
  });
  expect(built.status, built.stderr).toBe(0);
  server = await startRtspServer({ streams: { '/cam': TINY } });
  folder = await tempFolder();
  await migrate(folder);
}, 120_000);
afterAll(async () => {
  for (const child of running) child.kill('SIGKILL');
  await server?.stop();
  if (folder) await fs.rm(folder, { recursive: true, force: true });
});

/** The real process, as the parent starts it. */
async function startProcess(secretKey: string) {
  const child = fork(path.join(projectRoot, 'dist/media/main.js'), [], {
    env: {
      ...process.env,
      ...{ DATA_DIR: folder, RECORDINGS_DIR: '', RECORDER_PORT: '0', RECORDER_TOKEN: 'token-of-the-test' },
      ...{ SECRET_KEY: secretKey, MAT_THAN_DEMO: '0', MAT_THAN_SEGMENT_MS: '3000', LOG_LEVEL: 'info' },
      ...{ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' },
    },
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  running.add(child);
  child.once('exit', () => running.delete(child));
  const [message] = (await once(child, 'message')) as [{ type: string; port: number }];
  expect(message).toMatchObject({ type: 'ready', port: expect.any(Number) });
  const client = makeRecorderClient({ url: `http://127.0.0.1:${message.port}`, token: 'token-of-the-test' });
  return { child, client };
}

const childrenOf = (pid: number) =>
  spawnSync('ps', ['-o', 'pid=', '--ppid', String(pid)], { encoding: 'utf8' })
    .stdout.trim()
    .split(/\s+/)
    .map(Number)
    .filter((child) => lives(child));

describe.skipIf(process.platform === 'win32')('the recorder process', () => {
  const config = () => configFor(folder, { secretKey: Buffer.alloc(32, 7).toString('base64') });

  it('is killed at any moment: at most 1 s is lost, files and index agree again, no child stays', async () => {
    const { secretKey } = config();
    for (const extraMs of [300, 1700]) {
      const { child, client } = await startProcess(secretKey);
      if ((await client.cameras()).length === 0)
        await client.addCamera({ id: 'cam1', name: 'Một', url: server.url('/cam') });
      await cameraIs(client, 'cam1', 'recording');
      const since = Date.now();
      await until('some files are recorded', () => Date.now() - since > 3500 + extraMs);
      const children = childrenOf(child.pid!);
      expect(children.length).toBeGreaterThanOrEqual(1);
      child.kill('SIGKILL');
      const killedMs = Date.now();
      await once(child, 'exit');

      const stand = await startStand({}, { secretKey }, folder);
      await stand.service.recorder.recovered;
      const { recorded, gaps } = await stand.client.coverage('cam1', {
        startMs: killedMs - 3000,
        endMs: killedMs,
      });
      expect(recorded).toHaveLength(1);
      expect(killedMs - recorded[0]!.endMs).toBeLessThan(1000);
      expect(gaps.every((gap) => gap.startMs >= killedMs - 1000)).toBe(true);
      await cameraIs(stand.client, 'cam1', 'recording');
      const back = await stand.client.camera('cam1');
      const missing = await stand.client.coverage('cam1', { startMs: killedMs, endMs: back.sinceMs });
      expect(missing.gaps.map((gap) => gap.cause)).toEqual(['recorder-down']);
      for (const file of await filesIn(stand.config.recordingsDir))
        if (file.endsWith('.mp4') && !file.includes('.recording.'))
          await probeFile(path.join(stand.config.recordingsDir, file), { packets: true });
      await until('the children of the dead recorder are gone', () => !children.some(lives), 12_000);
      await stand.service.stop();
      expect((await filesIn(stand.config.recordingsDir)).some((file) => file.includes('.recording.'))).toBe(
        false,
      );
      const problems: unknown[] = [];
      const onProblem = (problem: unknown) => problems.push(problem);
      const root = stand.config.recordingsDir;
      await verifyRecordings({ root, content: true, workers: 2, nowMs: Date.now(), onProblem });
      expect(problems).toEqual([]);
    }
  }, 90_000);

  it('closes its files and ends when its parent is gone', async () => {
    const { child, client } = await startProcess(config().secretKey);
    await cameraIs(client, 'cam1', 'recording');
    const ended = once(child, 'exit');
    child.disconnect();
    expect(await ended).toEqual([0, null]);
    expect(
      (await filesIn(path.join(folder, 'recordings'))).some((file) => file.includes('.recording.')),
    ).toBe(false);
  }, 30_000);
});
