import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { SegmentInfo } from '../../media/clip.js';
import { scanFile } from '../../media/mp4/scan.js';
import { Stills } from '../../media/stills.js';
import type { Still } from '../../media/types.js';
import { DAY_MS } from '../../src/base/clock.js';
import { testFfmpeg } from '../support/ffmpeg.js';
import { prepareStream, readFrameNumber, TINY, TINY_HEVC } from '../support/frame-clock.js';
import { recordPast } from '../support/past-film.js';
import { migrate } from '../support/recorder-index.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, type Stand, startStand, tempFolder, until } from './stand.js';

/** Yesterday, whole seconds. */
const THEN = Math.floor((Date.now() - DAY_MS) / 1000) * 1000;
const MINUTE = 60_000;
const FRAME_MS = 1000 / TINY.fps;

let folder: string;
let stand: Stand;
let server: RtspServer;
const files = new Map<string, SegmentInfo[]>();

/** Recorded yesterday: 3 minutes, a hole of two, a minute more; what `old` and `new` are for is said below. */
beforeAll(async () => {
  server = await startRtspServer({ streams: { '/live': TINY } });
  folder = await tempFolder();
  await migrate(folder);
  const root = path.join(folder, 'recordings');
  const [h264, hevc] = [await prepareStream(TINY), await prepareStream(TINY_HEVC)];
  for (const [cameraId, stream] of [
    ['h264', h264],
    ['hevc', hevc],
  ] as const) {
    const first = await recordPast({ root, cameraId, stream, startMs: THEN, seconds: 180 });
    const second = await recordPast({ root, cameraId, stream, startMs: THEN + 5 * MINUTE, seconds: 60 });
    files.set(cameraId, [...first, ...second]);
  }
  for (const cameraId of ['torn', 'headless', 'changed'])
    files.set(cameraId, await recordPast({ root, cameraId, stream: h264, startMs: THEN, seconds: 180 }));
  // the camera was given another codec in its third minute
  await recordPast({ root, cameraId: 'changed', stream: hevc, startMs: THEN + 3 * MINUTE, seconds: 60 });
  stand = await startStand({ segmentMs: 4000 }, {}, folder);
  for (const id of [...files.keys(), 'live'])
    await stand.client.addCamera({
      ...{ id, name: id, enabled: id === 'live' },
      url: id === 'live' ? server.url('/live') : 'rtsp://127.0.0.1:9/none',
    });
  await until('what was recorded is known', async () => {
    const { recorded } = await stand.client.coverage('changed', { startMs: THEN, endMs: THEN + 4 * MINUTE });
    return recorded.at(-1)?.endMs === THEN + 4 * MINUTE;
  });
}, 180_000);
afterAll(async () => {
  await stand?.end();
  await fs.rm(folder, { recursive: true, force: true });
  await server?.stop();
});

/** What a still shows: the number in its picture, and the one that its time means. */
async function numbersOf({ pictures: [picture] }: Still, beganMs = THEN) {
  const number = await readFrameNumber(picture!.jpeg);
  const meant = Math.round((picture!.frameMs - beganMs) / FRAME_MS) % (TINY.fps * TINY.seconds);
  return { number, meant };
}

describe.each(['h264', 'hevc'])('pictures of the past (%s)', (cameraId) => {
  it('are the nearest keyframes, each with its true time', async () => {
    const moments = Array.from({ length: 16 }, (_, i) => THEN + 1 + i * 11_300);
    const stills = await stand.client.stills({ cameraId, moments });
    expect(stills.map(({ atMs }) => atMs)).toEqual(moments);
    for (const still of stills) {
      const { number, meant } = await numbersOf(still);
      expect(number).toBe(meant);
      expect(Math.abs(still.pictures[0]!.frameMs - still.atMs)).toBeLessThanOrEqual(500);
      expect(still).toMatchObject({ cause: null, beforeMs: null, afterMs: null });
      expect(still.pictures[0]!.width).toBe(TINY.width);
    }
  });

  it('are the very frames shown then, where these are wanted', async () => {
    // some in one group of pictures, the last of a file, the first of the next
    const after = [0, 40, 100, 1499, 1500, 1501, 59_999, 60_000, 60_001, 123_456, 179_950];
    const moments = after.map((ms) => THEN + ms);
    const stills = await stand.client.stills({ cameraId, moments, frame: 'exact', width: 160 });
    for (const [i, still] of stills.entries()) {
      const { number, meant } = await numbersOf(still);
      expect(number).toBe(meant);
      expect(still.pictures[0]!.frameMs, `${after[i]}`).toBe(
        THEN + Math.floor(after[i]! / FRAME_MS) * FRAME_MS,
      );
      expect(still.pictures[0]!.width).toBe(160);
    }
  });

  it('where nothing is recorded are none, with the reason and what there is around', async () => {
    const inHole = THEN + 4 * MINUTE;
    const moments = [inHole, THEN - 3600_000, THEN + MINUTE];
    const [hole, before, there] = await stand.client.stills({ cameraId, moments });
    expect(hole).toEqual({
      ...{ atMs: inHole, pictures: [], cause: 'unknown' },
      ...{ beforeMs: THEN + 3 * MINUTE, afterMs: THEN + 5 * MINUTE },
    });
    expect(before).toMatchObject({ pictures: [], cause: 'unknown', beforeMs: null, afterMs: THEN });
    expect(there!.pictures).toHaveLength(1);
  });
});

describe('pictures of what is being recorded', () => {
  it('come from the open file and the closed ones, exact and at once', async () => {
    await cameraIs(stand.client, 'live', 'recording');
    const stream = stand.service.recorder.stream('live', 'main')!;
    const begunMs = await until(
      'two files are closed',
      async () => {
        const { recorded } = await stand.client.coverage('live', { startMs: THEN, endMs: Date.now() });
        const [first] = recorded;
        return first !== undefined && first.endMs - first.startMs > 10_000 && first.startMs;
      },
      30_000,
    );
    const nowMs = Date.now();
    // the last is not written yet when it is asked for
    const moments = [begunMs + 500, begunMs + 5000, nowMs - 1500, nowMs - 20];
    const stills = await stand.client.stills({ cameraId: 'live', moments, frame: 'exact' });
    const numbers: number[] = [];
    for (const still of stills) {
      expect(still.pictures).toHaveLength(1);
      expect(still.atMs - still.pictures[0]!.frameMs).toBeGreaterThanOrEqual(0);
      expect(still.atMs - still.pictures[0]!.frameMs).toBeLessThan(1.5 * FRAME_MS);
      numbers.push((await readFrameNumber(still.pictures[0]!.jpeg))!);
    }
    // from one picture to the next as many frames as there is time between them
    const loop = TINY.fps * TINY.seconds;
    for (const [i, still] of stills.slice(1).entries()) {
      const frames = Math.round((still.pictures[0]!.frameMs - stills[i]!.pictures[0]!.frameMs) / FRAME_MS);
      expect((numbers[i + 1]! - numbers[i]! + loop * 100) % loop).toBe(frames % loop);
    }
    expect(stream.newestMs).toBeGreaterThan(moments[3]!);
    const [coming] = await stand.client.stills({ cameraId: 'live', moments: [Date.now() + 3600_000] });
    expect(coming).toMatchObject({ pictures: [], cause: null, afterMs: null });
    expect(coming!.beforeMs).toBeGreaterThan(nowMs);
  });
});

describe('a camera whose pictures changed', () => {
  it('gives both kinds in one go', async () => {
    const moments = [0.5, 1.5, 2.5, 3.5].map((minutes) => THEN + minutes * MINUTE);
    for (const frame of ['keyframe', 'exact'] as const) {
      const stills = await stand.client.stills({ cameraId: 'changed', moments, frame });
      for (const still of stills) {
        const { number, meant } = await numbersOf(still);
        expect(number).toBe(meant);
      }
    }
  });
});

describe('damaged recordings', () => {
  it('give no grey picture: what can not be shown is damaged, what is gone is gone, the rest stays', async () => {
    const [first, second, third] = files.get('torn')!;
    const { fragments } = (await scanFile(first!.path))!;
    // pictures overwritten: what is from 20 s to 30 s, its boxes too in the first half
    const at = (seconds: number) =>
      fragments.find(
        ({ startTicks }) =>
          Number(startTicks - fragments[0]!.startTicks) >=
          (seconds * Number(fragments.at(-1)!.startTicks - fragments[0]!.startTicks)) / 59.5,
      )!;
    const handle = await fs.open(first!.path, 'r+');
    const boxes = at(20).offset;
    const middle = at(25).offset;
    await handle.write(Buffer.alloc(middle - boxes), 0, middle - boxes, boxes);
    for (const { offset, size, moof } of fragments.filter(
      ({ offset }) => offset >= middle && offset < at(30).offset,
    ))
      await handle.write(
        Buffer.alloc(size - moof.length - 8, 0x5a),
        0,
        size - moof.length - 8,
        offset + moof.length + 8,
      );
    await handle.close();
    await fs.rm(second!.path);
    const after = [10_000, 22_500, 27_500, 40_000, 90_000, 150_000];
    const moments = after.map((ms) => THEN + ms);
    for (const frame of ['keyframe', 'exact'] as const) {
      const stills = await stand.client.stills({ cameraId: 'torn', moments, frame });
      expect(stills.map(({ cause }) => cause)).toEqual([
        ...[null, 'damaged', 'damaged', null, 'removed-by-others', null],
      ]);
      for (const still of stills.filter(({ cause }) => cause === null)) {
        const { number, meant } = await numbersOf(still);
        expect(number).toBe(meant);
      }
    }
    expect(third).toBeDefined();
  });
});

describe('a file whose head is damaged', () => {
  it('shows its pictures all the same', async () => {
    const [, second] = files.get('headless')!;
    const handle = await fs.open(second!.path, 'r+');
    await handle.write(Buffer.alloc(400), 0, 400, 0);
    await handle.close();
    for (const frame of ['keyframe', 'exact'] as const) {
      const moments = [THEN + 90_000];
      const [still] = await stand.client.stills({ cameraId: 'headless', moments, frame });
      const { number, meant } = await numbersOf(still!);
      expect(number).toBe(meant);
      expect(number).not.toBeNull();
    }
  });
});

describe('the same time recorded twice', () => {
  it('gives both pictures, first what was recorded first', async () => {
    await stand.client.addCamera({
      id: 'twice',
      name: 'twice',
      enabled: false,
      url: 'rtsp://127.0.0.1:9/none',
    });
    const root = path.join(folder, 'recordings');
    const stream = await prepareStream(TINY);
    const [old] = await recordPast({ root, cameraId: 'twice', stream, startMs: THEN, seconds: 60 });
    // 1.7 s later by the clock, which had been set back meanwhile: other frames at the same times
    const later = THEN + 1700;
    const [anew] = await recordPast({ root, cameraId: 'twice', stream, startMs: later, seconds: 60 });
    expect(anew!.path).not.toBe(old!.path);
    await stand.restart();
    await until('both are known', async () => {
      const { recorded } = await stand.client.coverage('twice', { startMs: THEN, endMs: THEN + 2 * MINUTE });
      return recorded.at(-1)?.endMs === later + MINUTE;
    });
    const [still] = await stand.client.stills({
      cameraId: 'twice',
      moments: [THEN + 30_000],
      frame: 'exact',
    });
    const numbers = await Promise.all(still!.pictures.map(({ jpeg }) => readFrameNumber(jpeg)));
    expect(new Set(numbers)).toEqual(new Set([300 % 100, 283 % 100]));
  });
});

describe('a file that gets its name while it is looked for', () => {
  it('is found under it', async () => {
    const [segment] = files.get('h264')!;
    const former = { ...segment!, path: segment!.path.replace(/mp4$/, 'recording.mp4') };
    const looks = [[former], [segment!]];
    const nothing = async () => ({ beforeMs: null, afterMs: null });
    const stills = new Stills(
      {
        segments: async () => looks.shift() ?? [],
        ...{ around: nothing, untilRecorded: async () => {}, coverage: () => Promise.reject(new Error()) },
      },
      { ...testFfmpeg(), kind: 'configured' },
    );
    const request = { cameraId: 'h264', moments: [THEN + 30_000] };
    const [still] = await stills.take(request, new AbortController().signal);
    expect((await numbersOf(still!)).number).toBe(0);
    expect(looks).toEqual([]);
  });
});

/** How many ffmpegs of ours make pictures. */
const decoders = () =>
  spawnSync('ps', ['-eo', 'ppid,args'], { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((line) => Number.parseInt(line, 10) === process.pid && line.includes('image2pipe')).length;

describe('the door', () => {
  const ask = (body: unknown, id = 'h264', signal?: AbortSignal) =>
    fetch(`${stand.url}/v1/cameras/${id}/stills`, {
      method: 'POST',
      headers: { Authorization: `Bearer ${stand.config.recorderToken}`, 'Content-Type': 'application/json' },
      body: JSON.stringify(body),
      ...(signal && { signal }),
    });

  it('refuses what can not be', async () => {
    for (const body of [
      ...[{}, { moments: [] }, { moments: Array(25).fill(THEN) }, { moments: ['x'] }, { moments: [-1] }],
      ...[
        { moments: [THEN], width: 1 },
        { moments: [THEN], frame: 'all' },
        { moments: [THEN], more: 1 },
      ],
    ])
      expect((await ask(body)).status, JSON.stringify(body)).toBe(400);
    expect((await ask({ moments: [THEN] }, 'nobody')).status).toBe(404);
    await expect(stand.client.stills({ cameraId: 'nobody', moments: [THEN] })).rejects.toMatchObject({
      kind: 'not-found',
    });
  });

  it.skipIf(process.platform === 'win32')('lets go of who hangs up, and serves the next', async () => {
    const moments = Array.from({ length: 24 }, (_, i) => THEN + i * 7000);
    const gone = new AbortController();
    const many = Array.from({ length: 12 }, () =>
      stand.client.stills({ cameraId: 'h264', moments, frame: 'exact' }, gone.signal),
    );
    const ended = Promise.allSettled(many);
    await until('pictures are being made', () => decoders() > 0);
    expect(decoders()).toBeLessThanOrEqual(2);
    gone.abort();
    expect((await ended).map((one) => one.status === 'rejected' && one.reason.kind)).toEqual(
      Array(12).fill('cancelled'),
    );
    // all of them would take longer by far
    await until('nobody makes pictures for nobody', () => decoders() === 0, 2000);
    const [next] = await stand.client.stills({ cameraId: 'h264', moments: [THEN + 1000] });
    expect(next!.pictures).toHaveLength(1);
  });
});
