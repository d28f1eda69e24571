/** The recorder's index at its real size: 70 cameras, 30 days, a row a minute. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createClient } from '@libsql/client';
import { Footage } from '../media/footage.js';
import { holdFiles } from '../media/holds/files.js';
import { Holds } from '../media/holds/holds.js';
import { RecorderIndex } from '../media/index/index.js';
import { diskCalls, RecordingDisk } from '../media/recording/disk.js';
import { hourFolder, segmentName } from '../media/recording/names.js';
import { Recorder } from '../media/recording/recorder.js';
import { Retention } from '../media/retention/retention.js';
import type { Range } from '../media/types.js';
import { DAY_MS, systemClock } from '../src/base/clock.js';
import { findFfmpeg } from '../src/base/ffmpeg.js';
import { makeLog } from '../src/base/log.js';
import { makeKey, makeSeal } from '../src/base/seal.js';
import { S1 } from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import { makeRandom } from './random.js';
import { type BenchRecorder, startRecorder, untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { whileServing } from './scene.js';

const DAYS = 30;
const MINUTE_MS = 60_000;
/** The first so many cameras have a sub stream too. */
const SUBS = 7;
/** Days whose files are really there (empty ones), of all cameras. */
const FILED_DAYS = 1;
const quiet = makeLog({ name: 'index', level: 'silent', dir: null });
const SEAL = makeSeal(makeKey());

/** Every camera's rows, gaps, deletions and events, by plain SQL. Ends a minute ago. How many segments. */
async function fill(file: string, cameras: number, endMs: number): Promise<number> {
  const db = createClient({ url: `file:${file}` });
  await db.execute('PRAGMA synchronous=OFF');
  const begunMs = endMs - DAYS * DAY_MS;
  const minutes = DAYS * 1440;
  const counted = (name: string, to: number) =>
    `"${name}"("${name}") AS (SELECT 0 UNION ALL SELECT "${name}" + 1 FROM "${name}" WHERE "${name}" < ${to - 1})`;
  const streams = `"s"("n", "stream") AS (
    SELECT "c" + 1, 'main' FROM "c" UNION ALL SELECT "c" + 1, 'sub' FROM "c" WHERE "c" < ${SUBS})`;
  const cameraStreams = `${counted('c', cameras)}, ${streams}`;
  await db.execute('BEGIN');
  // as they come in: minute by minute, all cameras; an outage of an hour every four days, single files lost, seams of 0–60 ms
  await db.execute(
    `WITH RECURSIVE ${cameraStreams}, ${counted('i', minutes)}
     INSERT INTO "Segment" ("cameraId", "stream", "startMs", "endMs", "path", "sizeBytes", "codec", "width", "height", "open")
     SELECT 'cam' || "n", "stream", "at", "at" + 60000 - ("i" * 37 + "n") % 60,
       'cam' || "n" || '/' || "stream" || '/' || strftime('%Y-%m-%d/%H', "local", 'unixepoch') || '/cam' || "n" || '_' || "stream" ||
       '_' || strftime('%Y-%m-%dT%H-%M-%S', "local", 'unixepoch') || printf('.%03d+0700.mp4', "at" % 1000),
       15000000, 'avc1.64001f', 1280, 720, 0
     FROM (SELECT *, "at" / 1000 + 25200 AS "local" FROM (
       SELECT *, ${begunMs} + "i" * 60000 + "n" * 613 AS "at" FROM "i" CROSS JOIN "s"
       WHERE ("i" / 60 + "n" * 13) % 97 <> 0 AND ("i" * 7919 + "n" * 7) % 4001 <> 0))`,
  );
  await db.execute(
    `WITH RECURSIVE ${cameraStreams}, ${counted('h', DAYS * 24)}
     INSERT INTO "Gap" ("cameraId", "stream", "startMs", "endMs", "cause")
     SELECT 'cam' || "n", "stream", "at", "at" + 3600000, 'unreachable' FROM (
       SELECT *, ${begunMs} + "h" * 3600000 + "n" * 613 AS "at" FROM "h" CROSS JOIN "s" WHERE ("h" + "n" * 13) % 97 = 0)`,
  );
  // what went by age in the week before
  await db.execute(
    `WITH RECURSIVE ${cameraStreams}, ${counted('i', 7 * 1440)}
     INSERT INTO "Deletion" ("atMs", "cameraId", "stream", "startMs", "endMs", "sizeBytes", "reason")
     SELECT ${endMs} - ${7 * DAY_MS} + "i" * 60000, 'cam' || "n", "stream", "at", "at" + 60000, 15000000, 'age' FROM (
       SELECT *, ${begunMs} - ${7 * DAY_MS} + "i" * 60000 AS "at" FROM "i" CROSS JOIN "s")`,
  );
  await db.execute(
    `WITH RECURSIVE "m"("i") AS (SELECT 0 UNION ALL SELECT "i" + 1 FROM "m" WHERE "i" < ${cameras * 1440 - 1})
     INSERT INTO "Event" ("atMs", "kind", "cameraId", "payload")
     SELECT ${endMs} - "i" * 860, 'segment-closed', 'cam' || ("i" % ${cameras} + 1), '{"stream":"main"}' FROM "m"`,
  );
  await db.execute(
    `INSERT INTO "Camera" ("id", "name", "urlSealed", "transport", "audio", "enabled", "createdMs")
     WITH RECURSIVE "c"("n") AS (SELECT 2 UNION ALL SELECT "n" + 1 FROM "c" WHERE "n" < ${cameras})
     SELECT 'cam' || "n", 'Camera ' || "n", (SELECT "urlSealed" FROM "Camera" WHERE "id" = 'cam1'), 'tcp', 0, 0, ${begunMs} FROM "c"`,
  );
  await db.execute('COMMIT');
  const { rows } = await db.execute('SELECT count(*) FROM "Segment"');
  await db.execute('PRAGMA wal_checkpoint(TRUNCATE)');
  db.close();
  return Number(rows[0]![0]);
}

/** Every hour's folder, and empty files for the newest days. */
async function makeFolders(root: string, cameras: number, endMs: number): Promise<void> {
  for (let n = 1; n <= cameras; n++)
    for (let hour = 0; hour < DAYS * 24; hour++) {
      const at = endMs - hour * 3_600_000;
      const folder = hourFolder(`cam${n}`, 'main', at);
      await mkdir(join(root, folder), { recursive: true });
      if (hour >= FILED_DAYS * 24) continue;
      for (let minute = 0; minute < 60; minute++) {
        const startMs = endMs - (hour * 60 + minute + 1) * MINUTE_MS + n * 613;
        const of = hourFolder(`cam${n}`, 'main', startMs);
        await mkdir(join(root, of), { recursive: true });
        await writeFile(join(root, of, `${segmentName(`cam${n}`, 'main', startMs)}.mp4`), '');
      }
    }
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const begun = performance.now();
  await work();
  return performance.now() - begun;
}

async function often(times: number, work: (round: number) => Promise<unknown>): Promise<number[]> {
  const took: number[] = [];
  for (let round = 0; round < times; round++) took.push(await timed(() => work(round)));
  return took;
}

/** What the code that answers takes, in this process, nothing else going on. */
async function queries(recorder: BenchRecorder, cameras: number, endMs: number, seed: number) {
  const random = makeRandom(seed);
  const root = join(recorder.folder, 'recordings');
  const index = await RecorderIndex.open(join(recorder.folder, 'recorder.db'), SEAL);
  const doors = { root, index, log: quiet, tell: () => {} };
  const holds = new Holds({
    ...doors,
    ...{ files: holdFiles(root), wall: systemClock.now, now: systemClock.now },
  });
  const ffmpeg = await findFfmpeg({ configured: process.env.FFMPEG_PATH });
  const disk = new RecordingDisk('ssd', diskCalls(root), quiet);
  const footage = new Footage(
    root,
    index,
    new Recorder({ ...doors, disk, segmentMs: MINUTE_MS, ffmpeg }),
    holds,
  );
  const month: Range = { startMs: endMs - DAYS * DAY_MS, endMs };
  const all = Array.from({ length: cameras }, (_, i) => `cam${i + 1}`);
  const anyOf = () => all[Math.floor(random() * cameras)]!;
  const anyDay = () => {
    const startMs = month.startMs + Math.floor(random() * (DAYS - 1)) * DAY_MS;
    return { startMs, endMs: startMs + DAY_MS };
  };
  const day = await often(100, () => footage.segments(anyOf(), 'main', anyDay()));
  const first = await often(cameras, (n) => footage.coverage(all[n]!, 'main', month));
  const one = await often(100, () => footage.coverage(anyOf(), 'main', month));
  const dayCoverage = await often(100, () => footage.coverage(anyOf(), 'main', anyDay()));
  const every = await often(10, () => footage.coverages(all, 'main', month));
  const row = (startMs: number, n: number) => ({
    ...{
      cameraId: 'cam1',
      stream: 'main' as const,
      startMs,
      endMs: startMs + 1,
      path: `new/${n}`,
      open: true,
    },
    ...{ sizeBytes: 1, codec: 'avc1.64001f', width: 2, height: 2 },
  });
  const closed = await often(500, async (n) => {
    const id = await index.segments.add(row(endMs + n, n));
    await index.segments.close(id, { ...row(endMs + n, n), path: `closed/${n}`, open: false });
  });
  const retention = new Retention({
    ...{ root, index, holds, log: quiet, clock: systemClock, tell: () => {}, retentionDays: DAYS },
    ...{ minFreeBytes: 0, minFreePercent: 0 },
    trusted: {
      now: systemClock.now,
      look: async () => ({ nowMs: Date.now(), aheadMs: null }),
    },
  });
  const round = await often(20, () => retention.run());
  await index.close();
  return { day, dayCoverage, first, one, every, closed, round };
}

/** From the start of the process to the first camera's first picture, with this index; a kill before each. */
async function restarts(
  recorder: BenchRecorder,
  times: number,
): Promise<{ ready: number[]; records: number[] }> {
  const [ready, records]: [number[], number[]] = [[], []];
  for (let round = 0; round < times; round++) {
    await recorder.kill();
    const begunMs = Date.now();
    await recorder.restart();
    ready.push(Date.now() - begunMs);
    await untilRecording(recorder.client, 1);
    records.push((await recorder.client.camera('cam1')).sinceMs - begunMs);
  }
  return { ready, records };
}

/** The row "index": `cameras` (70), `rounds` (5) restarts. */
export async function indexScale({
  cameras = 70,
  rounds = 5,
  seed = 1,
  say,
}: BenchOptions): Promise<Section[]> {
  return whileServing(S1, 1, async ({ server, paths }) => {
    const recorder = await startRecorder({ MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0' });
    try {
      await recorder.client.addCamera({ id: 'cam1', name: 'Cổng chợ', url: server.url(paths[0]!) });
      await untilRecording(recorder.client, 1);
      await recorder.end();
      await rm(join(recorder.folder, 'recordings', 'cam1'), { recursive: true });
      const endMs = Math.floor(Date.now() / MINUTE_MS) * MINUTE_MS;
      say(`making an index of ${cameras} cameras × ${DAYS} days`);
      let segments = 0;
      const fillMs = await timed(async () => {
        segments = await fill(join(recorder.folder, 'recorder.db'), cameras, endMs);
      });
      say(`${segments} rows in ${show(fillMs / 1000)} s; measuring what is asked of it`);
      const asked = await queries(recorder, cameras, endMs, seed);
      say('making folders and files');
      await makeFolders(join(recorder.folder, 'recordings'), cameras, endMs);
      say(`${rounds} restarts`);
      await recorder.restart();
      const started = await restarts(recorder, rounds);
      return [section(cameras, segments, asked, started)];
    } finally {
      await recorder.stop();
    }
  });
}

function section(
  cameras: number,
  segments: number,
  asked: Awaited<ReturnType<typeof queries>>,
  { ready, records }: Awaited<ReturnType<typeof restarts>>,
): Section {
  const rows: [string, number[]][] = [
    ["a day's list of a camera (1440 files)", asked.day],
    ["a day's coverage of a camera", asked.dayCoverage],
    ["a month's coverage of a camera, asked for the first time", asked.first],
    ["a month's coverage of a camera", asked.one],
    [`a month's coverage of all ${cameras}`, asked.every],
    ['a row added and closed', asked.closed],
    [`a retention round (${cameras} cameras)`, asked.round],
    ['process started → service ready', ready],
    ['process started → first picture recorded', records],
  ];
  const bar = (what: string, values: number[], most: number) => {
    const worst = percentile(values, 0.95);
    return { what: `${what} ≤ ${most} ms (p95)`, figure: `${show(worst)} ms`, reached: worst <= most };
  };
  return {
    title: `The index of ${cameras} cameras × ${DAYS} days`,
    how: `${segments} rows of segments (${SUBS} cameras with a sub stream), an hour's outage every four days and single files missing, each with its gap, ${7 * 1440} deletions a stream, ${cameras * 1440} events; made by plain SQL. Asked through the code that answers, in one process that does nothing else. Then the real service is killed and started ${records.length} times over it: every hour's folder is there, files (empty ones) of the newest day only, so recovery also drops rows meanwhile, which is more work than finding them; one real RTSP camera records, the others are off.`,
    columns: ['ms', 'p50', 'p95', 'max'],
    rows: rows.map(([what, values]) => [
      what,
      percentile(values, 0.5),
      percentile(values, 0.95),
      Math.max(...values),
    ]),
    bars: [
      bar("a day's list", asked.day, 50),
      bar("a month's coverage of a camera", asked.one, 100),
      bar(`a month's coverage of all ${cameras}`, asked.every, 1000),
      bar('restart to recording', records, 10_000),
    ],
  };
}
