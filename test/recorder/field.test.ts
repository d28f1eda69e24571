/** Cameras as they are in the field, each from a real RTSP server; what that one can't do wrong, ours does. */
import path from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restartWait } from '../../media/recording/restart.js';
import type { ClipRequest, Range } from '../../media/types.js';
import { gst } from '../support/debian.js';
import { probeFile } from '../support/ffmpeg.js';
import { readFrameNumber, readFrameNumbers, TINY, TINY_HEVC, trueFrame } from '../support/frame-clock.js';
import { type FieldFilm, type FieldFilmSettings, fieldFilm } from '../support/gst/field-film.js';
import { type GstMount, type GstServer, startGstServer } from '../support/gst/gst-server.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { cameraIs, type Stand, startStand, until } from './stand.js';

const SMALL = { width: 320, height: 240 };
const LARGE = { width: 480, height: 360 };
const SECOND = Array.from({ length: 10 }, (_, i) => i * 15);
const filmOf = (settings: Partial<FieldFilmSettings>): FieldFilmSettings => ({
  ...{ codec: 'h264', fps: 15, shots: [{ ...SMALL, frames: 150 }], keys: SECOND },
  ...settings,
});
const TWO_SIZES = [
  { ...SMALL, frames: 75 },
  { ...LARGE, frames: 75 },
];

const FILMS = {
  plain: filmOf({}),
  hevc: filmOf({ codec: 'hevc' }),
  bframes: filmOf({ bframes: 2 }),
  'hevc-bframes': filmOf({ codec: 'hevc', bframes: 3 }),
  variable: filmOf({ keys: [0, 4, 5, 50, 52, 53, 90, 140] }),
  sizes: filmOf({ shots: TWO_SIZES }),
  'hevc-sizes': filmOf({ codec: 'hevc', shots: TWO_SIZES }),
  long: filmOf({ shots: [{ ...SMALL, frames: 450 }], keys: [0] }),
} satisfies Record<string, FieldFilmSettings>;
type Film = keyof typeof FILMS;

/** Camera → its film and how the server shows it. */
const CAMERAS: Record<string, { film: Film; mount?: Partial<GstMount> }> = {
  ...Object.fromEntries(
    (['plain', 'hevc', 'bframes', 'hevc-bframes', 'variable', 'sizes', 'hevc-sizes'] as const).map((film) => [
      film,
      { film },
    ]),
  ),
  // 22 s to the next keyframe when the server starts
  long: { film: 'long', mount: { startFrame: 120 } },
  'long-bare': { film: 'long', mount: { startFrame: 120, bare: true } },
  pcma: { film: 'plain', mount: { audio: 'pcma' } },
  aac: { film: 'plain', mount: { audio: 'aac' } },
  timeless: { film: 'plain', mount: { timeless: true } },
};

const DATED_MS = 150;

describe.skipIf(!gst.available)('cameras as they are in the field', () => {
  let server: GstServer;
  let stand: Stand;
  const films = new Map<Film, FieldFilm>();
  const children = new Map<string, number | null>();

  beforeAll(async () => {
    for (const [film, settings] of Object.entries(FILMS)) films.set(film as Film, await fieldFilm(settings));
    server = await startGstServer({
      mounts: Object.entries(CAMERAS).map(([id, { film, mount }]) => {
        const { file, codec, fps, order } = films.get(film)!;
        return { path: `/${id}`, file, codec, fps, order, ...mount };
      }),
    });
    stand = await startStand({ segmentMs: 60_000 });
    for (const [id, { mount }] of Object.entries(CAMERAS))
      await stand.client.addCamera({ id, name: id, url: server.url(`/${id}`), audio: mount?.audio != null });
    await until('all but the slow ones record', async () =>
      (await stand.client.cameras()).every(({ id, state }) => state === 'recording' || id.startsWith('long')),
    );
    for (const id of Object.keys(CAMERAS)) children.set(id, stand.service.recorder.childOf(id));
  }, 120_000);
  afterAll(async () => {
    await stand?.end();
    await server?.stop();
  });

  /** The footage of a range, in parts, with the number of each frame and its date. */
  async function footageOf(cameraId: string, range: Range, extra: Partial<ClipRequest> = {}) {
    const job = await stand.client.clip({ cameraId, ...range, ...extra });
    return Promise.all(
      job.parts.map(async (part) => {
        const file = path.join(stand.folder, `${job.id}-${part.index}.mp4`);
        await stand.client.savePart(job.id, part.index, file);
        const { streams, packets = [] } = await probeFile(file, { packets: true });
        const video = streams.findIndex((one) => one.codec_type === 'video');
        const dates = packets
          .filter((packet) => packet.stream_index === video)
          .map((packet) => part.startMs + Number(packet.pts_time) * 1000)
          .sort((a, b) => a - b);
        return { ...part, streams, dates, numbers: await readFrameNumbers(file) };
      }),
    );
  }

  /** How far a frame's date is from when the server sent what stands in its place, ms. */
  function error(cameraId: string, number: number, atMs: number): number {
    const mount = `/${cameraId}`;
    const frame = trueFrame(number, server.frames(mount), server.frameAt(mount, atMs));
    return atMs - server.sentMs(mount, frame);
  }

  /** Everything recorded since it began, at least `seconds`. */
  async function recorded(id: string, seconds: number, ms?: number): Promise<Range> {
    const range = await until(
      `${id} has recorded ${seconds} s`,
      async () => {
        const { state, sinceMs, newestFrameMs } = await stand.client.camera(id);
        const endMs = newestFrameMs ?? 0;
        return state === 'recording' && endMs - sinceMs > seconds * 1000 && { startMs: sinceMs, endMs };
      },
      ms,
    );
    expect((await stand.client.coverage(id, range)).gaps).toEqual([]);
    return range;
  }

  async function expectWhole(id: string, seconds: number, ms?: number) {
    const range = await recorded(id, seconds, ms);
    const parts = await footageOf(id, range, { format: 'original' });
    const numbers = parts.flatMap((part) => part.numbers);
    const dates = parts.flatMap((part) => part.dates);
    expect(numbers).not.toContain(null);
    expect(dates).toHaveLength(numbers.length);
    expect(numbers.length).toBeGreaterThan(seconds * 14);
    // The last fragment may end before the frames shown between its own are here.
    const settled = numbers.length - 4;
    const total = server.frames(`/${id}`);
    for (let i = 1; i < settled; i++)
      expect(numbers[i], `${id}, frame ${i}`).toBe((numbers[i - 1]! + 1) % total);
    // With sound, ffmpeg dates what comes before the camera's first report by a guess.
    // And a file closed a few seconds after the connect may hold nothing that came without delay yet.
    const first = CAMERAS[id]!.mount?.audio ? 1 : parts.length > 1 ? parts[0]!.numbers.length : 0;
    const errors = numbers.slice(first, settled).map((number, i) => error(id, number!, dates[i + first]!));
    expect(Math.max(...errors.map(Math.abs)), `${id}, date`).toBeLessThan(DATED_MS);
    const picture = await stand.client.snapshot(id);
    const shown = await readFrameNumber(picture.jpeg);
    expect(shown, `${id}, picture`).not.toBe(null);
    expect(Math.abs(error(id, shown!, picture.frameMs)), `${id}, picture's date`).toBeLessThan(DATED_MS);
    const chat = await footageOf(id, { startMs: range.endMs - 3000, endMs: range.endMs - 500 });
    for (const part of chat) {
      expect(part.streams.map((one) => one.codec_name).sort()).toEqual(['aac', 'h264']);
      expect(part.numbers.length).toBeGreaterThan(0);
      expect(part.numbers).not.toContain(null);
    }
    return parts;
  }

  it.each(['plain', 'hevc', 'bframes', 'hevc-bframes', 'variable'])(
    '%s: every frame, rightly dated; picture and clip whole',
    async (id) => {
      expect(await expectWhole(id, 8, 30_000)).toHaveLength(1);
    },
    60_000,
  );

  it.each(['sizes', 'hevc-sizes'])(
    '%s: another resolution in mid-stream is a new file with a head of its own, and a new part of a clip',
    async (id) => {
      const child = children.get(id);
      const parts = await expectWhole(id, 11, 40_000);
      expect(parts.length).toBeGreaterThanOrEqual(3);
      for (const [i, part] of parts.entries()) {
        const large = part.numbers[0]! >= 75;
        expect(part).toMatchObject(large ? LARGE : SMALL);
        expect(part.streams[0]).toMatchObject(large ? LARGE : SMALL);
        if (i > 0) expect(Math.abs(part.startMs - parts[i - 1]!.endMs)).toBeLessThan(DATED_MS);
      }
      expect(stand.service.recorder.childOf(id)).toBe(child);
    },
    60_000,
  );

  it.each(['pcma', 'aac'] as const)(
    '%s sound is recorded beside the pictures',
    async (id) => {
      const [part] = await expectWhole(id, 8, 30_000);
      const sound = part!.streams.find((one) => one.codec_type === 'audio');
      expect(sound).toMatchObject({ codec_name: 'aac', sample_rate: '44100' });
      const seconds = part!.durationMs / 1000;
      expect(Math.abs(Number(sound!.duration) - seconds)).toBeLessThan(0.2);
    },
    60_000,
  );

  it('pictures without times are timed by their arrival', () => expectWhole('timeless', 8, 30_000), 60_000);

  it.each(['long', 'long-bare'])(
    '%s: waits 20 s and more for the first keyframe, and misses none after it',
    async (id) => {
      const [part] = await expectWhole(id, 4, 60_000);
      expect(part!.numbers[0]).toBe(0);
    },
    90_000,
  );

  it('none of them touched another', () => {
    for (const [id, child] of children) {
      if (id.startsWith('long')) continue;
      expect(stand.service.recorder.childOf(id), id).toBe(child);
    }
  });
});

describe('what a real server does not do wrong', () => {
  const login = { user: 'admin', password: 'mat-khau-that' };
  const waits: number[] = [];
  let beganMs = 0;
  let server: RtspServer;
  let stand: Stand;
  beforeAll(async () => {
    const jump = (bySeconds: number) => ({ source: TINY, jump: { atFrame: 80, bySeconds } });
    server = await startRtspServer({
      login,
      streams: {
        ...{ '/forward': jump(3600), '/back': jump(-3600), '/sub': TINY, '/main': TINY_HEVC },
        ...Object.fromEntries(Array.from({ length: 30 }, (_, i) => [`/many${i + 1}`, TINY])),
      },
    });
    stand = await startStand({
      segmentMs: 60_000,
      wait: (...ended) => {
        const ms = restartWait(...ended);
        waits.push(ms);
        return ms;
      },
    });
    beganMs = Date.now();
    for (const id of ['forward', 'back']) {
      await stand.client.addCamera({ id, name: id, url: server.url(`/${id}`) });
      await cameraIs(stand.client, id, 'recording');
    }
  }, 60_000);
  afterAll(async () => {
    await stand?.end();
    await server?.stop();
  });

  it.each(['forward', 'back'])(
    'RTP times that jump an hour %s cost seconds, and no footage is dated an hour away',
    async (id) => {
      await until('the jump is over', () => server.frameDue(`/${id}`) > 150, 30_000);
      const { newestFrameMs } = await until('it records', async () => {
        const camera = await stand.client.camera(id);
        return camera.state === 'recording' && Date.now() - camera.newestFrameMs! < 2000 && camera;
      });
      const { recorded, gaps } = await stand.client.coverage(id, {
        startMs: beganMs - 7_200_000,
        endMs: Date.now() + 7_200_000,
      });
      expect(recorded[0]!.startMs).toBeGreaterThan(beganMs - 1000);
      expect(recorded.at(-1)!.endMs).toBeLessThan(Date.now() + 1000);
      const lostMs = gaps
        .filter((gap) => gap.startMs > recorded[0]!.startMs && gap.endMs < newestFrameMs!)
        .reduce((sum, gap) => sum + gap.endMs - gap.startMs, 0);
      expect(lostMs).toBeLessThan(6000);
    },
    60_000,
  );

  it('tries a wrong password twice a host, however many cameras and streams have it', async () => {
    const wrong = (name: string) => server.url(name, { password: 'sai' });
    const from = server.requests.length;
    waits.length = 0;
    const ids = ['1', '2', '3', '4'].map((n) => `wrong${n}`);
    for (const [i, id] of ids.entries())
      await stand.client.addCamera({ id, name: id, url: wrong(`/many${i + 1}`), subUrl: wrong('/sub') });
    for (const id of ids)
      expect(await cameraIs(stand.client, id, 'down')).toMatchObject({ cause: 'refused' });
    // 10 s later each would try once more; all have come to rest when the longest wait has begun
    await until(
      'the second round is over',
      () => waits.filter((ms) => ms > 600_000).length === ids.length * 2,
      30_000,
    );
    const tries = server.requests.slice(from).filter((request) => request.startsWith('DESCRIBE'));
    // each try asks twice: without the password, then with it
    expect(tries.length).toBeLessThanOrEqual(4);
    await stand.client.changeCamera('wrong1', { url: server.url('/many1'), subUrl: server.url('/sub') });
    await cameraIs(stand.client, 'wrong1', 'recording');
    for (const id of ids) await stand.client.removeCamera(id);
  }, 60_000);

  it('29 dead cameras of 30 do not touch the last', async () => {
    const ids = Array.from({ length: 30 }, (_, i) => `many${i + 1}`);
    for (const [i, id] of ids.entries()) {
      const fault = (['mute', 'stall', 'garbage', 'refuse', 'not-found', 'hang-up'] as const)[i % 6]!;
      if (i > 0) server.setFault(`/${id}`, fault);
    }
    await stand.client.addCamera({ id: 'many1', name: 'many1', url: server.url('/many1') });
    await cameraIs(stand.client, 'many1', 'recording');
    const child = stand.service.recorder.childOf('many1');
    const { sinceMs } = await stand.client.camera('many1');
    await Promise.all(
      ids.slice(1).map((id) => stand.client.addCamera({ id, name: id, url: server.url(`/${id}`) })),
    );
    await until(
      'all that answer at once are down',
      async () => {
        const { cameras } = await stand.client.health();
        return cameras.down >= 14;
      },
      30_000,
    );
    const { newestFrameMs } = await stand.client.camera('many1');
    const range = { startMs: sinceMs, endMs: newestFrameMs! };
    expect((await stand.client.coverage('many1', range)).gaps).toEqual([]);
    expect(Date.now() - newestFrameMs!).toBeLessThan(2000);
    expect(stand.service.recorder.childOf('many1')).toBe(child);
    for (const id of ids) await stand.client.removeCamera(id);
  }, 90_000);

  it('a chat clip of H.265 comes from the H.264 sub stream at once, the original on request', async () => {
    const id = 'two';
    await stand.client.addCamera({ id, name: id, url: server.url('/main'), subUrl: server.url('/sub') });
    const { sinceMs, newestFrameMs } = await until(
      'six seconds of both',
      async () => {
        const camera = await stand.client.camera(id);
        const sub = stand.service.recorder.stream(id, 'sub');
        return sub?.newestMs && camera.newestFrameMs! - camera.sinceMs > 6000 ? camera : null;
      },
      30_000,
    );
    const range = { startMs: newestFrameMs! - 4000, endMs: newestFrameMs! - 1000 };
    const began = performance.now();
    const job = await stand.client.clip({ cameraId: id, ...range });
    expect(performance.now() - began).toBeLessThan(2000);
    expect(job).toMatchObject({ stream: 'sub', gaps: [] });
    expect(job.parts[0]!.codec).toMatch(/^avc1/);
    const original = await stand.client.clip({ cameraId: id, ...range, format: 'original' });
    expect(original.stream).toBe('main');
    expect(original.parts[0]!.codec).toMatch(/^hvc1/);
    // Where the sub stream lacks something that the main one has, nothing is left out for the sake of speed.
    server.setFault('/sub', 'stall');
    const lackingMs = Date.now();
    const later = await until(
      'the main stream alone has recorded 7 s',
      async () => {
        const camera = await stand.client.camera(id);
        return camera.newestFrameMs! > lackingMs + 7000 && camera.newestFrameMs;
      },
      30_000,
    );
    const whole = await stand.client.clip({ cameraId: id, startMs: lackingMs - 1000, endMs: later - 500 });
    expect(whole).toMatchObject({ stream: 'main', gaps: [] });
    expect(whole.parts[0]!.codec).toMatch(/^avc1/);
    expect(sinceMs).toBeLessThan(range.startMs);
  }, 90_000);
});
