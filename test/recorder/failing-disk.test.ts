import fs from 'node:fs/promises';
import path from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { type BenchRecorder, startRecorder, untilRecording } from '../../bench/recorder.js';
import { RecorderIndex } from '../../media/index/index.js';
import { verifyRecordings } from '../../media/integrity/verify.js';
import { hourFolder, readSegmentName, segmentName } from '../../media/recording/names.js';
import type { RecorderEvent } from '../../media/types.js';
import { makeKey, makeSeal } from '../../src/base/seal.js';
import { strace } from '../support/debian.js';
import { type Fault, failCalls } from '../support/faults.js';
import { probeFile } from '../support/ffmpeg.js';
import { TINY } from '../support/frame-clock.js';
import { type RtspServer, startRtspServer } from '../support/rtsp-server.js';
import { filesIn, tempFolder, until } from './stand.js';

const CAMERAS = ['cam1', 'cam2'];
const DAY = 86_400_000;
/** What is promised for telling and for recording again, ms. */
const MINUTE = 60_000;

let server: RtspServer;
beforeAll(async () => {
  server = await startRtspServer({ streams: { '/cam1': TINY, '/cam2': TINY } });
}, 60_000);
afterAll(() => server?.stop());

const later: (() => Promise<unknown> | unknown)[] = [];
const cleanUp = async () => {
  for (const clean of later.splice(0).reverse()) await clean();
};

interface Place {
  recorder: BenchRecorder;
  root: string;
  events: RecorderEvent[];
  /** closed recordings, relative */
  films(): Promise<string[]>;
  /** waits for an event that is not older than `sinceMs` */
  heard(kind: RecorderEvent['kind'], sinceMs: number, cameraId?: string): Promise<RecorderEvent>;
}

const isFilm = (file: string) => file.endsWith('.mp4') && !file.endsWith('.recording.mp4');

/** The real process with two cameras, both recording and with closed files; the recordings on `root`. */
async function recording(root: string): Promise<Place> {
  const recorder = await startRecorder({
    ...{ RECORDINGS_DIR: root, MAT_THAN_SEGMENT_MS: '2000', RETENTION_DAYS: '30' },
    ...{ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0', LOG_LEVEL: 'silent' },
  });
  later.push(() => recorder.stop());
  for (const id of CAMERAS) await recorder.client.addCamera({ id, name: id, url: server.url(`/${id}`) });
  await untilRecording(recorder.client, 2);
  const films = async () => (await filesIn(root)).filter(isFilm);
  await until('each camera has a closed file', async () => {
    const closed = (await films()).map((file) => readSegmentName(file)?.cameraId);
    return CAMERAS.every((id) => closed.includes(id));
  });
  const place = { recorder, root, films, events: [] as RecorderEvent[] };
  listen(place);
  return {
    ...place,
    heard: (kind, sinceMs, cameraId) =>
      until(
        `${kind} of ${cameraId ?? 'all'}`,
        () =>
          place.events.find(
            (one) =>
              one.kind === kind &&
              one.atMs >= sinceMs &&
              (cameraId === undefined || one.cameraId === cameraId),
          ),
        MINUTE,
      ),
  };
}

/** Takes every event there was and will be. */
function listen({ recorder, events }: Pick<Place, 'recorder' | 'events'>): void {
  const stop = new AbortController();
  later.push(() => stop.abort());
  void (async () => {
    for await (const event of recorder.client.events(events.at(-1)?.id ?? 0, stop.signal)) events.push(event);
  })().catch(() => {});
}

/** of the newest fault: a test that fails leaves the disk well for the next one */
let lastHeal: () => Promise<unknown> = async () => {};
afterEach(() => lastHeal());

/** Breaks the disk until it is healed, also when the test fails in between. */
async function breaks(fault: Promise<Fault> | Fault) {
  const sinceMs = Date.now();
  const made = await fault;
  let healed: Promise<void> | null = null;
  const heal = async () => {
    healed ??= made.heal();
    await healed;
    return Date.now();
  };
  later.push(heal);
  lastHeal = heal;
  return { sinceMs, heal };
}

/** A keep makes retention look at once, not at its next round. */
async function lookNow({ recorder }: Place): Promise<void> {
  const now = Date.now();
  const keep = { cameraId: 'cam2', rank: 'keep' as const, by: 'máy', why: 'thử' };
  await recorder.client.hold({ ...keep, startMs: now - 1000, endMs: now, untilMs: now + DAY });
}

/** Both record again, and told it, within a minute. */
async function recordsAgain({ recorder }: Place, healedMs: number): Promise<void> {
  await untilRecording(recorder.client, 2, MINUTE / 1000);
  expect(Date.now() - healedMs).toBeLessThan(MINUTE);
}

const gapsOf = async ({ recorder }: Place, id: string, sinceMs: number) =>
  (await recorder.client.coverage(id, { startMs: sinceMs, endMs: Date.now() })).gaps.map(
    ({ cause }) => cause,
  );

const openIn = (files: string[]) => files.filter((file) => file.endsWith('.recording.mp4'));

/** Every closed file has its row and every row its file, but for the newest of each camera. */
async function indexAgrees({ recorder, root, films }: Place): Promise<void> {
  const index = await RecorderIndex.open(path.join(recorder.folder, 'recorder.db'), makeSeal(makeKey()));
  try {
    await until(
      'index and files agree',
      async () => {
        const rows = await index.segments.page(0, 10_000);
        const closed = new Set(rows.flatMap(({ open, path }) => (open ? [] : [path])));
        const there = await films();
        const left = openIn(await filesIn(root)).length;
        return (
          there.length > 0 &&
          there.every((file) => closed.has(file)) &&
          left <= 2 &&
          rows.length - there.length <= 2
        );
      },
      MINUTE,
    );
  } finally {
    await index.close();
  }
}

/** After the recorder has ended: every row has its file, every file its row, whole and in its chain. */
async function agrees(place: Place): Promise<void> {
  const { recorder, root, films } = place;
  await indexAgrees(place);
  await recorder.end();
  expect(openIn(await filesIn(root))).toEqual([]);
  const index = await RecorderIndex.open(path.join(recorder.folder, 'recorder.db'), makeSeal(makeKey()));
  try {
    const rows = await index.segments.page(0, 10_000);
    expect(rows.map((row) => row.path).sort()).toEqual((await films()).sort());
    expect(rows.filter((row) => row.open)).toEqual([]);
  } finally {
    await index.close();
  }
  for (const file of await films()) {
    const { packets } = await probeFile(path.join(root, file), { packets: true });
    expect(packets?.length ?? 0, file).toBeGreaterThan(0);
  }
  const problems: unknown[] = [];
  const onProblem = (problem: unknown) => problems.push(problem);
  await verifyRecordings({ root, content: true, workers: 1, nowMs: Date.now(), onProblem });
  expect(problems).toEqual([]);
}

describe.skipIf(!strace.available)('a disk that answers with EIO', () => {
  let place: Place;
  /** footage of ten days ago */
  let old: string;
  let oldMs: number;
  beforeAll(async () => {
    const root = await tempFolder();
    later.push(() => fs.rm(root, { recursive: true, force: true }));
    place = await recording(root);
    const [film] = (await place.films()).filter((file) => file.startsWith('cam1'));
    oldMs = Date.now() - 10 * DAY;
    old = `${hourFolder('cam1', 'main', oldMs)}/${segmentName('cam1', 'main', oldMs)}.mp4`;
    await fs.mkdir(path.dirname(path.join(root, old)), { recursive: true });
    await fs.copyFile(path.join(root, film!), path.join(root, old));
    await place.recorder.kill();
    await place.recorder.restart();
    listen(place);
    await untilRecording(place.recorder.client, 2);
  }, 90_000);
  afterAll(cleanUp);

  it('to every sync, new name and removal: told, and recorded again when it is well', async () => {
    const before = await place.films();
    const calls = 'fdatasync,fsync,rename,renameat,renameat2,unlink,unlinkat,rmdir';
    const broken = await breaks(failCalls(place.recorder.pid, calls, 'EIO'));
    for (const id of CAMERAS)
      expect((await place.heard('camera-down', broken.sinceMs, id)).data.cause).toBe('disk');
    const failing = await place.heard('disk-failing', broken.sinceMs);
    expect(failing.data.code).toBe('EIO');
    expect(failing.atMs - broken.sinceMs).toBeLessThan(MINUTE);
    expect(await place.recorder.client.cameras()).toHaveLength(2);
    const healedMs = await broken.heal();
    await recordsAgain(place, healedMs);
    for (const id of CAMERAS) expect(await gapsOf(place, id, broken.sinceMs)).toContain('disk');
    expect(await place.films()).toEqual(expect.arrayContaining(before));
    await lookNow(place);
    await place.heard('disk-ok', broken.sinceMs);
    await indexAgrees(place);
  }, 150_000);

  it('to the writes of one camera: that one is told and goes on, the other has no gap', async () => {
    const { pid, client } = place.recorder;
    const openOfOne = async () => openIn(await filesIn(place.root)).filter((file) => file.startsWith('cam1'));
    const breakOne = async () => {
      const files = await openOfOne();
      const paths = files.map((file) => path.join(place.root, file));
      const broken = await breaks(failCalls(pid, 'writev,pwritev,write,pwrite64', 'EIO', paths));
      const down = await until<RecorderEvent | 'closed'>(
        'cam1 is down, or its file was closed before it could break',
        async () => {
          const told = place.events.find(
            (one) => one.kind === 'camera-down' && one.cameraId === 'cam1' && one.atMs >= broken.sinceMs,
          );
          if (told !== undefined) return told;
          return (await openOfOne()).some((file) => files.includes(file)) ? null : ('closed' as const);
        },
      );
      return { broken, down };
    };
    let made = await breakOne();
    while (made.down === 'closed') {
      await made.broken.heal();
      made = await breakOne();
    }
    const { broken, down } = made;
    expect(down.data.cause).toBe('disk');
    await broken.heal();
    await place.heard('camera-recording', broken.sinceMs, 'cam1');
    expect(await gapsOf(place, 'cam1', broken.sinceMs)).toEqual(['disk']);
    expect(await gapsOf(place, 'cam2', broken.sinceMs)).toEqual([]);
    expect((await client.health()).ok).toBe(true);
  }, 90_000);

  it('when folders are opened and read: told, and no hold is forgotten', async () => {
    const { pid, client } = place.recorder;
    const now = Date.now();
    const asked = { cameraId: 'cam1', startMs: oldMs, endMs: oldMs + 1000, by: 'An', why: 'thử' };
    const hold = await client.hold(asked);
    const before = await place.films();
    const hours = [0, 1].flatMap((ahead) =>
      CAMERAS.map((id) => path.join(place.root, hourFolder(id, 'main', now + ahead * 3_600_000))),
    );
    const others = [place.root, path.join(place.root, 'holds'), path.join(place.root, '.write-test')];
    const broken = await breaks(failCalls(pid, 'openat,getdents64', 'EIO', [...hours, ...others]));
    for (const id of CAMERAS)
      expect((await place.heard('camera-down', broken.sinceMs, id)).data.cause).toBe('disk');
    await place.heard('disk-failing', broken.sinceMs);
    expect((await client.holds({ active: true })).map(({ id }) => id)).toContain(hold.id);
    const healedMs = await broken.heal();
    await recordsAgain(place, healedMs);
    expect(await place.films()).toEqual(expect.arrayContaining(before));
    await client.releaseHold(hold.id, { by: 'An', why: 'xong' });
    expect(await client.deletions()).toEqual([]);
  }, 150_000);

  it('to the removal of a file: it stays, and is not said to be deleted until it is; then all agrees', async () => {
    const { pid, client } = place.recorder;
    const film = path.join(place.root, old);
    const range = { startMs: oldMs - 1000, endMs: oldMs + 60_000 };
    await until(
      'the old footage is known',
      async () => (await client.coverage('cam1', range)).recorded.length > 0,
    );
    const broken = await breaks(failCalls(pid, 'unlink,unlinkat', 'EIO', [film]));
    await client.changeCamera('cam1', { retentionDays: 1 });
    await lookNow(place);
    const chain = path.join(path.dirname(path.dirname(film)), 'chain.jsonl');
    await until('its removal was tried', async () =>
      (await fs.readFile(chain, 'utf8').catch(() => '')).includes('"kind":"deleted"'),
    );
    await until('nothing is said to be deleted', async () => (await client.deletions()).length === 0);
    expect((await client.coverage('cam1', range)).recorded).toHaveLength(1);
    expect(await place.films()).toContain(old);
    await broken.heal();
    await lookNow(place);
    await until('it is gone', async () => !(await place.films()).includes(old), MINUTE);
    await until('that is said', async () => (await client.deletions()).length > 0);
    expect(await client.deletions()).toMatchObject([{ cameraId: 'cam1', reason: 'age' }]);
    await agrees(place);
  }, 150_000);
});
