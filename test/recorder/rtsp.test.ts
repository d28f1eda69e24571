import fs from 'node:fs/promises';
import path from 'node:path';
import { pino } from 'pino';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probe } from '../../media/probe.js';
import type { ProbeResult } from '../../media/types.js';
import { findFfmpeg } from '../../src/base/ffmpeg.js';
import { bundledFfmpeg, type TestFfmpeg, testFfmpeg } from '../support/ffmpeg.js';
import { readFrameNumber, readFrameNumbers, TINY, TINY_HEVC } from '../support/frame-clock.js';
import { type Fault, type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, lives, processList, type Stand, startStand, until } from './stand.js';

const PASSWORD = 'm@t/kh#u rat?bi mat';
const login = { user: 'admin', password: PASSWORD };
let server: RtspServer;

beforeAll(async () => {
  server = await startRtspServer({
    streams: { '/cam': TINY, '/hevc': TINY_HEVC, '/other': TINY, '/faulty': TINY },
    login,
  });
}, 120_000);
afterAll(() => server?.stop());

/** As a person types it: the password raw, not encoded. */
const typed = (name: string, password = PASSWORD) =>
  `rtsp://admin:${password}@127.0.0.1:${server.port}/${name}`;

const builds = [testFfmpeg(), bundledFfmpeg()].filter((one): one is TestFfmpeg => one !== null);

describe.each(builds)('with ffmpeg $version', (build) => {
  const ffmpeg = { ...build, kind: 'configured' as const };
  const probing = async (url: string) => {
    const found = await probe(ffmpeg, { url });
    expect(JSON.stringify(found)).not.toContain(PASSWORD);
    expect(JSON.stringify(found)).not.toContain(encodeURIComponent(PASSWORD));
    return found;
  };
  const faulty = async (fault: Fault): Promise<ProbeResult> => {
    server.setFault('/faulty', fault);
    return probing(typed('faulty'));
  };

  it('tells a good address, and H.264 from H.265', async () => {
    expect(await probing(typed('cam'))).toEqual({
      ok: true,
      codec: expect.stringMatching(/^avc1\./),
      width: 320,
      height: 240,
    });
    expect(await probing(typed('hevc'))).toMatchObject({
      ok: true,
      codec: expect.stringMatching(/^h(vc|ev)1\./),
    });
  });

  it('tells apart why an address gives no pictures', async () => {
    expect(await probing(typed('cam', 'sai'))).toMatchObject({ ok: false, cause: 'refused' });
    expect(await faulty('forbidden')).toMatchObject({ ok: false, cause: 'refused' });
    expect(await faulty('not-found')).toMatchObject({ ok: false, cause: 'not-found' });
    expect(await faulty('audio-only')).toMatchObject({ ok: false, cause: 'not-video' });
    expect(await faulty('html')).toMatchObject({ ok: false, cause: 'not-video' });
    expect(await probing('rtsp://127.0.0.1:9/x')).toMatchObject({ ok: false, cause: 'unreachable' });
    expect(await probing('rtsp://khong-co.invalid/x')).toMatchObject({ ok: false, cause: 'unreachable' });
    expect(await probing('http://127.0.0.1/x')).toMatchObject({ ok: false, cause: 'bad-address' });
  });

  it('dates each frame within 0.15 s, the first file after a connect included', async () => {
    const stand = await startStand({ ffmpeg, segmentMs: 60_000 });
    try {
      await stand.client.addCamera({ id: 'cam1', name: 'Một', url: typed('cam') });
      const { newestFrameMs } = await until('five seconds are recorded', async () => {
        const camera = await stand.client.camera('cam1');
        return camera.newestFrameMs !== null && camera.newestFrameMs - camera.sinceMs > 5000 ? camera : null;
      });
      const job = await stand.client.clip({
        cameraId: 'cam1',
        startMs: newestFrameMs! - 3000,
        endMs: newestFrameMs! - 500,
      });
      const file = path.join(stand.folder, 'clip.mp4');
      await stand.client.savePart(job.id, 0, file);
      const numbers = await readFrameNumbers(file);
      expect(numbers.every((number) => number !== null)).toBe(true);
      const part = job.parts[0]!;
      const due = [...server.sent('/cam')].filter(
        ([number]) => number % server.frames('/cam') === numbers[0],
      );
      const error = Math.min(...due.map(([, sentMs]) => Math.abs(sentMs - part.startMs)));
      expect(error).toBeLessThan(150);
      const picture = await stand.client.snapshot('cam1');
      const shown = await readFrameNumber(picture.jpeg);
      const shownAt = [...server.sent('/cam')].filter(([number]) => number % server.frames('/cam') === shown);
      expect(Math.min(...shownAt.map(([, sentMs]) => Math.abs(sentMs - picture.frameMs)))).toBeLessThan(150);
    } finally {
      await stand.end();
    }
  });
});

describe('cameras on the net', () => {
  let stand: Stand;
  const lines: string[] = [];
  const pid = (id: string) => stand.service.recorder.childOf(id);

  beforeAll(async () => {
    // Raw, without the log's own redaction: nothing secret may even be handed to it.
    const log = pino({ level: 'trace' }, { write: (line: string) => lines.push(line) });
    stand = await startStand({ log, ffmpeg: await findFfmpeg({}) });
    await stand.client.addCamera({ id: 'cam1', name: 'Một', url: typed('cam') });
    await stand.client.addCamera({ id: 'cam2', name: 'Hai', url: typed('other') });
    await cameraIs(stand.client, 'cam1', 'recording');
    await cameraIs(stand.client, 'cam2', 'recording');
  });
  afterAll(() => stand?.end());

  it('notices a silent camera within 5 s, ends its child, and goes on when it speaks again', async () => {
    const before = pid('cam1')!;
    const silentMs = Date.now();
    server.setFault('/cam', 'stall');
    const down = await cameraIs(stand.client, 'cam1', 'down', 6000);
    expect(Date.now() - silentMs).toBeLessThan(5000);
    expect(down.cause).toBe('silent');
    expect(lives(before)).toBe(false);
    await expect(stand.client.snapshot('cam1')).rejects.toMatchObject({ kind: 'no-footage' });
    server.setFault('/cam', 'none');
    const back = await cameraIs(stand.client, 'cam1', 'recording', 30_000);
    const range = { startMs: silentMs - 1000, endMs: back.sinceMs + 500 };
    const { gaps } = await stand.client.coverage('cam1', range);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]!.cause).toBe('silent');
  }, 60_000);

  it('comes back after a cut connection', async () => {
    const before = pid('cam1');
    expect(server.drop('/cam')).toBe(1);
    await until('a new child', () => pid('cam1') !== null && pid('cam1') !== before);
    await cameraIs(stand.client, 'cam1', 'recording');
  });

  it('changes, adds, switches off and removes one camera without touching the others', async () => {
    const other = pid('cam2');
    const first = pid('cam1');
    await stand.client.changeCamera('cam1', { name: 'Tên mới', retentionDays: 3 });
    expect(pid('cam1')).toBe(first);
    await stand.client.changeCamera('cam1', { url: typed('hevc') });
    await until('the other stream', async () => (await stand.client.camera('cam1')).codec?.startsWith('h'));
    const off = await stand.client.changeCamera('cam1', { enabled: false });
    expect(off).toMatchObject({ state: 'off', cause: 'switched-off', name: 'Tên mới' });
    expect(pid('cam1')).toBe(null);
    await stand.client.changeCamera('cam1', { enabled: true });
    await cameraIs(stand.client, 'cam1', 'recording');
    await stand.client.removeCamera('cam1');
    await expect(stand.client.camera('cam1')).rejects.toMatchObject({ kind: 'not-found' });
    await expect(
      stand.client.addCamera({ id: 'cam1', name: 'Lại', url: typed('cam') }),
    ).rejects.toMatchObject({ kind: 'invalid' });
    expect(pid('cam2')).toBe(other);
  }, 60_000);

  it('says that it was set otherwise where a change made it connect anew, and never that nobody knows', async () => {
    const causesOf = async (stream: 'main' | 'sub', fromMs: number, toMs: number) => {
      const { gaps } = await stand.client.coverage('set', { startMs: fromMs, endMs: toMs }, stream);
      return gaps.map(({ cause }) => cause);
    };
    const fresh = (stream: 'main' | 'sub', sinceMs: number) =>
      until(`${stream} records again`, () => {
        const { status } = stand.service.recorder.stream('set', stream)!;
        return status.state === 'recording' && status.sinceMs > sinceMs && status.sinceMs;
      });
    const url = typed('cam');
    await stand.client.addCamera({ id: 'set', name: 'Đặt', url, subUrl: typed('other') });
    let fromMs = Math.max(await fresh('main', 0), await fresh('sub', 0));
    let told = 0;
    for (const change of [{ audio: true }, { url: typed('hevc') }, { subUrl: typed('cam') }, { url }]) {
      const changedMs = Date.now();
      await stand.client.changeCamera('set', change);
      const main = 'subUrl' in change ? changedMs : await fresh('main', changedMs);
      const sub = 'url' in change ? changedMs : await fresh('sub', changedMs);
      const causes = { main: await causesOf('main', fromMs, main), sub: await causesOf('sub', fromMs, sub) };
      // a camera that is back within the seam of two files left no gap
      for (const cause of [...causes.main, ...causes.sub]) expect(cause).toBe('settings');
      if ('subUrl' in change) expect(causes.main).toEqual([]);
      if ('url' in change) expect(causes.sub).toEqual([]);
      told += causes.main.length + causes.sub.length;
      fromMs = Math.max(main, sub);
    }
    expect(told).toBeGreaterThan(0);
    // away after the change, and set otherwise while it is away: that it is away stays the cause
    await stand.client.changeCamera('set', { url: 'rtsp://127.0.0.1:9/x' });
    await cameraIs(stand.client, 'set', 'down');
    await stand.client.changeCamera('set', { audio: false });
    await cameraIs(stand.client, 'set', 'down');
    await stand.client.changeCamera('set', { url });
    const backMs = await fresh('main', Date.now());
    expect(await causesOf('main', fromMs, backMs)).toEqual(['settings', 'unreachable']);
    await stand.client.removeCamera('set');
  }, 60_000);

  it('says that a password is refused, and tries again at once when it is corrected', async () => {
    await stand.client.addCamera({ id: 'cam3', name: 'Ba', url: typed('cam', 'sai') });
    expect(await cameraIs(stand.client, 'cam3', 'down')).toMatchObject({ cause: 'refused' });
    await stand.client.changeCamera('cam3', { url: typed('cam') });
    await cameraIs(stand.client, 'cam3', 'recording');
  });

  it('shows no password in answers, events, logs, the index or any process', async () => {
    const events = await stand.service.recorder.all();
    const index = await fs.readFile(path.join(stand.folder, 'recorder.db'), 'latin1');
    const shown = [JSON.stringify(events), lines.join(''), index, processList()].join('\n');
    for (const secret of [PASSWORD, encodeURIComponent(PASSWORD)]) expect(shown).not.toContain(secret);
    expect(lines.length).toBeGreaterThan(3);
    expect(await stand.client.camera('cam2')).toMatchObject({
      address: `rtsp://127.0.0.1:${server.port}/other`,
    });
  });
});
