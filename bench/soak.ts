/**
 * The recorder for an hour as a commune has it: cameras whose connections break now and then, dead and silent addresses,
 * pictures and clips asked all the while. Does anything leak, and is everything missing explained?
 */
import { mkdir, mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import type { RecorderClient } from '../media/types.js';
import { S1, type StreamSettings } from '../test/support/frame-clock.js';
import { freePort } from '../test/support/product.js';
import { type Section, show, slopeOf } from './figures.js';
import { descriptorsOf, filesIn, type Holdings, holdings, openFiles } from './holdings.js';
import { type Holes, holesOf } from './holes.js';
import { childrenOf, costOf, lives } from './processes.js';
import { makeRandom } from './random.js';
import { addCameras, type BenchRecorder, startRecorder } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';
import {
  type Asked,
  askAndDrop,
  BACK_MS,
  CLIP_EVERY_SECONDS,
  CLIP_MS,
  DROP_EVERY_SECONDS,
  PICTURE_EVERY_SECONDS,
  silentAddresses,
} from './soak-load.js';

/** Small pictures: an hour of 30 cameras is 7 GB, with as many fragments, files, timers and connections as large ones. */
const SETTINGS: StreamSettings = { ...S1, width: 640, height: 360, kbps: 500 };
const DEAD = 2;
const SILENT = 2;
/** The first part of the run, at most 10 min, fills caches: what memory does then is no slope. */
const WARM_UP_SHARE = 1 / 6;
const WARM_UP_MOST_MS = 10 * 60_000;
const SAMPLE_SECONDS = 10;
/** What it holds after a collection is looked at from the end of the warm-up on. */
const HELD_EVERY_MS = 5 * 60_000;
/** Child and service hold so many pipes for a camera that is being tried. */
const PIPES = 4;

const cameraId = (i: number) => `cam${i + 1}`;

interface Sample {
  atMs: number;
  /** the service alone, and with all its children, MB */
  nodeMb: number;
  allMb: number;
}

/** What the service holds after a full collection, MB: in objects, and outside of the heap. */
interface Held {
  atMs: number;
  heapMb: number;
  externalMb: number;
}

interface Soaked {
  minutes: number;
  interrupted: boolean;
  samples: Sample[];
  held: Held[];
  warmUntilMs: number;
  begin: Holdings;
  end: Holdings;
  asked: Asked;
  holes: Holes;
  /** of the service: processes that outlived it; open files, clips and temporary files it left */
  left: { processes: number; openFiles: number; clips: number; temporary: number };
}

async function sampleOf({ pid }: BenchRecorder): Promise<Sample> {
  const all = await costOf([pid]);
  const rollup = await readFile(`/proc/${pid}/smaps_rollup`, 'utf8');
  return {
    atMs: Date.now(),
    nodeMb: Number(/^Pss:\s+(\d+) kB/m.exec(rollup)?.[1] ?? 0) / 1024,
    allMb: all.pssMb,
  };
}

async function heldBy({ pid, folder }: BenchRecorder): Promise<Held> {
  const file = join(folder, 'heap.json');
  await rm(file, { force: true });
  process.kill(pid, 'SIGUSR2');
  for (;;) {
    const text = await readFile(file, 'utf8').catch(() => null);
    if (text !== null) {
      const { heapUsed, external } = JSON.parse(text) as { heapUsed: number; external: number };
      return { atMs: Date.now(), heapMb: heapUsed / 1e6, externalMb: external / 1e6 };
    }
    await pause(0.1);
  }
}

/** Cameras that were dropped last are back before anything is counted. */
async function untilBack(client: RecorderClient, cameras: number): Promise<void> {
  for (const until = Date.now() + 2 * BACK_MS; Date.now() < until; await pause(0.5)) {
    const recording = (await client.cameras()).filter(({ state }) => state === 'recording');
    if (recording.length >= cameras) return;
  }
}

async function soaked(
  cameras: number,
  minutes: number,
  seed: number,
  interrupted: AbortSignal,
  say: BenchOptions['say'],
): Promise<Soaked> {
  const random = makeRandom(seed);
  const temp = await mkdtemp(join(tmpdir(), 'mat-than-bench-soak-'));
  const ours = join(temp, 'ours');
  const theirs = join(temp, 'theirs');
  await mkdir(ours);
  await mkdir(theirs);
  const silent = await silentAddresses(SILENT);
  try {
    return await whileServing(SETTINGS, cameras, async (served) => {
      const { server, paths } = served;
      const recorder = await startRecorder(
        { MIN_FREE_PERCENT: '0', MIN_FREE_GB: '0', TMPDIR: theirs },
        'bench/heap-recorder.js',
      );
      const { client, folder, pid } = recorder;
      try {
        await addCameras(
          client,
          paths.map((path) => server.url(path)),
        );
        const lost = silent.urls.map((url, i) => ({ id: `silent${i + 1}`, url }));
        for (let i = 0; i < DEAD; i++)
          lost.push({ id: `dead${i + 1}`, url: `rtsp://127.0.0.1:${await freePort()}/dead` });
        for (const { id, url } of lost) await client.addCamera({ id, name: id, url });
        await pause(15);

        const startMs = Date.now();
        const begin = await holdings(recorder, theirs);
        const enough = new AbortController();
        const { asked, done } = askAndDrop(recorder, served, ours, random, enough.signal);
        const samples: Sample[] = [];
        const held: Held[] = [];
        const warmAtMs = Date.now() + Math.min(WARM_UP_MOST_MS, minutes * 60_000 * WARM_UP_SHARE);
        let heldDueMs = warmAtMs;
        const sampledMs = Date.now();
        const dueMs = startMs + minutes * 60_000;
        let toldMs = Date.now();
        while (Date.now() < dueMs && !interrupted.aborted) {
          const now = await sampleOf(recorder);
          samples.push(now);
          if (Date.now() >= heldDueMs) {
            held.push(await heldBy(recorder));
            heldDueMs += HELD_EVERY_MS;
          }
          if (Date.now() - toldMs >= 60_000) {
            toldMs += 60_000;
            const fds = Object.values(await descriptorsOf(pid)).reduce((sum, count) => sum + count, 0);
            say(
              `${Math.round((Date.now() - startMs) / 60_000)} min: service ${show(now.nodeMb)} MB, with children ${show(now.allMb)} MB, ${fds} descriptors, ${asked.drops.length} drops, ${asked.pictures} pictures, ${asked.clips} clips, ${asked.refused.length} refused`,
            );
          }
          await wait(SAMPLE_SECONDS * 1000, undefined, { signal: interrupted }).catch(() => {});
        }
        enough.abort();
        await done;
        await untilBack(client, cameras);
        const endMs = Date.now();
        const end = await holdings(recorder, theirs);
        held.push(await heldBy(recorder));
        const told = await Promise.all(
          paths.map(async (_, i) => (await client.coverage(cameraId(i), { startMs, endMs })).gaps),
        );
        const children = await childrenOf(pid);
        await recorder.end();
        const recordings = await filesIn(join(folder, 'recordings'));
        const left = {
          processes: children.filter(lives).length,
          openFiles: openFiles(recordings),
          clips: (await filesIn(join(folder, 'clips'))).length,
          temporary: (await filesIn(theirs)).length,
        };
        say('looking at every frame');
        const holes = await holesOf(folder, served, told, asked.drops, { startMs, endMs });
        const warmMs = Math.min(WARM_UP_MOST_MS, (endMs - sampledMs) * WARM_UP_SHARE);
        return {
          ...{
            minutes: (endMs - startMs) / 60_000,
            interrupted: interrupted.aborted,
            samples,
            held,
            begin,
            end,
          },
          ...{ asked, holes, left, warmUntilMs: sampledMs + warmMs },
        };
      } finally {
        await recorder.stop();
      }
    });
  } finally {
    silent.close();
    await rm(temp, { recursive: true, force: true });
  }
}

/** The row "soak": `minutes` (60) with `cameras` (30); Ctrl-C ends it with what it has. */
export async function soak({ cameras = 30, minutes = 60, seed = 1, say }: BenchOptions): Promise<Section[]> {
  const stop = new AbortController();
  const interrupt = () => stop.abort();
  process.once('SIGINT', interrupt);
  try {
    return [sectionOf(await soaked(cameras, minutes, seed, stop.signal, say), cameras, seed, say)];
  } finally {
    process.off('SIGINT', interrupt);
  }
}

const sum = (counts: Record<string, number>) => Object.values(counts).reduce((all, one) => all + one, 0);

function sectionOf(found: Soaked, cameras: number, seed: number, say: BenchOptions['say']): Section {
  const { samples, held, begin, end, asked, holes, left, warmUntilMs } = found;
  for (const words of [
    ...holes.unexplained,
    ...holes.untold.map((one) => `not told: ${one}`),
    ...holes.strange,
    ...asked.refused,
  ])
    say(words);
  const warm = samples.filter(({ atMs }) => atMs >= warmUntilMs);
  const memory = <T extends { atMs: number }>(name: string, seen: readonly T[], what: (one: T) => number) => {
    const { slope, error } = slopeOf(seen.map((one) => [one.atMs / 3_600_000, what(one)]));
    const [first, last] = [seen[0], seen.at(-1)];
    return [
      ...[name, first ? what(first) : Number.NaN, last ? what(last) : Number.NaN],
      `${show(slope)} ± ${show(2 * error)}`,
    ];
  };
  const count = (name: string, before: number, after: number) => [name, String(before), String(after), ''];
  const tried = DEAD + SILENT;
  const mostFds = sum(begin.descriptors) + PIPES * tried;
  const mostProcesses = 1 + cameras + tried;
  const node = slopeOf(warm.map(({ atMs, nodeMb }) => [atMs / 3_600_000, nodeMb]));
  const ended = found.interrupted ? 'interrupted after' : 'for';
  return {
    title: `Soak ${ended} ${show(found.minutes)} min: ${cameras} cameras, ${DEAD} dead, ${SILENT} silent, connections dropped at random`,
    how: `360p15, 0.5 Mbps, GOP 2 s through gst-rtsp-server, which drops one connection every ${DROP_EVERY_SECONDS} s on average (seed ${seed}); ${DEAD} addresses where nobody is and ${SILENT} that take connections and say nothing; a picture every ${PICTURE_EVERY_SECONDS} s and a clip of ${CLIP_MS / 1000} s every ${CLIP_EVERY_SECONDS} s of any camera. Memory is PSS, its slope a straight line through all samples after the first ${show((warmUntilMs - samples[0]!.atMs) / 60_000)} min (± two standard errors); what is held after a full collection is looked at every ${HELD_EVERY_MS / 60_000} min. Counts are the least seen in ten seconds without drops and questions. ${asked.drops.length} drops, ${asked.pictures} pictures, ${asked.clips} clips. Every frame of every camera is looked for; ${holes.cut} last pictures of a dropped connection are there in part only, as they came.`,
    columns: ['', 'at first', 'at the end', 'MB an hour'],
    rows: [
      memory('memory of the service, MB', warm, ({ nodeMb }) => nodeMb),
      memory('memory with all children, MB', warm, ({ allMb }) => allMb),
      memory('held after a full collection: objects, MB', held, ({ heapMb }) => heapMb),
      memory('held after a full collection: outside of the heap, MB', held, ({ externalMb }) => externalMb),
      ...Object.keys(begin.descriptors).map((kind) =>
        count(`descriptors: ${kind}`, begin.descriptors[kind]!, end.descriptors[kind]!),
      ),
      count('processes', begin.processes, end.processes),
      count('files being recorded', begin.openFiles, end.openFiles),
      count('temporary files', begin.temporary, end.temporary),
    ],
    bars: [
      {
        what: 'memory slope of the service told',
        figure: `${show(node.slope)} ± ${show(2 * node.error)} MB/h`,
        reached: Number.isFinite(node.slope),
      },
      {
        what: `no leaked descriptor (${PIPES} more for each address being tried)`,
        figure: `${sum(begin.descriptors)} → ${sum(end.descriptors)}`,
        reached: sum(end.descriptors) <= mostFds,
      },
      {
        what: `no leaked process (at most ${mostProcesses}; none after the end)`,
        figure: `${begin.processes} → ${end.processes}, ${left.processes} after the end`,
        reached: end.processes <= mostProcesses && left.processes === 0,
      },
      {
        what: 'no leaked file: open recordings, clips, temporary files',
        figure: `${end.openFiles} open of ${cameras}, ${end.temporary} temporary; after the end ${left.openFiles}, ${left.clips}, ${left.temporary}`,
        reached:
          end.openFiles <= cameras &&
          end.temporary <= begin.temporary &&
          left.openFiles + left.clips + left.temporary === 0,
      },
      {
        what: 'frames missing only where a connection was dropped, and every such hole told',
        figure: `${holes.count} holes for ${asked.drops.length} drops: ${holes.unexplained.length} unexplained, ${holes.untold.length} not told, ${holes.strange.length} strange pictures`,
        reached: holes.unexplained.length + holes.untold.length + holes.strange.length === 0,
      },
      {
        what: 'pictures and clips of cameras that were not dropped in the last minute',
        figure: `${asked.refused.length} refused`,
        reached: asked.refused.length === 0,
      },
    ],
  };
}
