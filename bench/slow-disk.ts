/** A slow disk, simulated by a delay at the write seam: how the two kinds of syncing bear it, at the same moment. */
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { S1 } from '../test/support/frame-clock.js';
import type { Section } from './figures.js';
import { show } from './figures.js';
import { type BenchRecorder, startRecorder, untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';
import type { SlowDisk, SlowFigures } from './slow-arm.js';

const DISKS: { name: string; disk: SlowDisk; keepsUp: boolean }[] = [
  {
    name: '8–15 ms a sync',
    disk: { requestMs: [8, 15], writes: false, stall: null },
    keepsUp: true,
  },
  {
    name: '8–15 ms a sync and a write',
    disk: { requestMs: [8, 15], writes: true, stall: null },
    keepsUp: false,
  },
  {
    name: 'stands still 3 s of 20',
    disk: { requestMs: [0.2, 1], writes: false, stall: { everyMs: 20_000, forMs: 3000 } },
    keepsUp: false,
  },
];
const KINDS = ['ssd', 'hdd'] as const;

async function begin(kind: string, disk: SlowDisk, urls: string[]): Promise<BenchRecorder> {
  const recorder = await startRecorder(
    { DISK_KIND: kind, BENCH_SLOW_DISK: JSON.stringify(disk), LOG_LEVEL: 'silent' },
    'bench/slow-recorder.js',
  );
  try {
    for (const [i, url] of urls.entries())
      await recorder.client.addCamera({ id: `cam${i}`, name: `Camera ${i}`, url });
    await untilRecording(recorder.client, urls.length, 180);
    return recorder;
  } catch (error) {
    await recorder.stop();
    throw error;
  }
}

const figuresOf = async ({ folder }: BenchRecorder) =>
  JSON.parse(await readFile(join(folder, 'slow-disk.json'), 'utf8')) as SlowFigures;

interface Found {
  requestsASecond: number;
  longestWaitMs: number;
  oldestMs: number;
  /** of all cameras */
  gaps: number;
  lostSeconds: number;
}

/** `seconds` of recording; the last ten are left to those that are behind. */
async function watch(recorder: BenchRecorder, cameras: number, seconds: number): Promise<Found> {
  const startMs = Date.now();
  const before = await figuresOf(recorder);
  await pause(seconds);
  const endMs = Date.now();
  const after = await figuresOf(recorder);
  await pause(10);
  let [gaps, lostMs] = [0, 0];
  for (let i = 0; i < cameras; i++) {
    const coverage = await recorder.client.coverage(`cam${i}`, { startMs, endMs });
    gaps += coverage.gaps.length;
    lostMs += coverage.gaps.reduce((sum, gap) => sum + gap.endMs - gap.startMs, 0);
  }
  return {
    requestsASecond: (after.requests - before.requests) / ((endMs - startMs) / 1000),
    ...{ longestWaitMs: after.longestWaitMs, oldestMs: after.oldestMs, gaps, lostSeconds: lostMs / 1000 },
  };
}

/** The row "a slow disk": `cameras` (30) for each kind at once, `seconds` (90) for each of three disks. */
export async function slowDiskBench({ cameras = 30, seconds = 90, say }: BenchOptions): Promise<Section[]> {
  const rows: Section['rows'] = [];
  const bars: Section['bars'] = [];
  await whileServing(S1, cameras, async ({ server, paths }) => {
    const urls = paths.map((path) => server.url(path));
    for (const { name, disk, keepsUp } of DISKS) {
      say(`${cameras} cameras on each of two slow disks (${name}), synced both ways`);
      const recorders: BenchRecorder[] = [];
      try {
        for (const kind of KINDS) recorders.push(await begin(kind, disk, urls));
        const found = await Promise.all(recorders.map((one) => watch(one, cameras, seconds)));
        for (const [i, kind] of KINDS.entries()) {
          const { requestsASecond, longestWaitMs, oldestMs, gaps, lostSeconds } = found[i]!;
          rows.push([name, kind, requestsASecond, longestWaitMs, oldestMs, String(gaps), show(lostSeconds)]);
          if (kind === 'ssd') continue;
          bars.push({ what: `${name}, hdd: no gap`, figure: `${gaps} gaps`, reached: gaps === 0 });
          if (keepsUp)
            bars.push({
              what: `${name}, hdd: nothing un-synced for over 5 s`,
              figure: `${show(oldestMs)} ms`,
              reached: oldestMs <= 5000,
            });
        }
      } finally {
        for (const one of recorders) await one.stop();
      }
    }
  });
  return [
    {
      title: `A slow disk (simulated by a delay), ${cameras} cameras (720p15, 2 Mbps)`,
      how: `${seconds} s of the real service for each disk, DISK_KIND=ssd and =hdd at the same time, each with a disk of its own: a delay at the seam where files are written and synced (bench/slow-arm.ts), one request after the other as with one arm. A file's sync is two requests, a folder's one, one of the whole disk is one for each file written to since and one more. Neither the chains' lines nor the index are slowed. No real spinning disk was at hand.`,
      columns: [
        ...['disk', 'DISK_KIND', 'requests / s', 'longest wait ms', 'oldest un-synced ms'],
        ...['gaps', 'seconds lost, all cameras'],
      ],
      rows,
      bars,
    },
  ];
}
