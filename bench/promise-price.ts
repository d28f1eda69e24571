/** What each promise costs: bare ffmpegs, and the recorder with one promise more each, all at the same moment. */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { probeFile } from '../test/support/ffmpeg.js';
import { S1 } from '../test/support/frame-clock.js';
import { projectRoot } from '../test/support/project-root.js';
import { mean, type Section, show } from './figures.js';
import {
  bareFfmpegs,
  type Recording,
  type Run,
  WARM_UP_SECONDS,
  watch,
  wholeService,
} from './recording-cost.js';
import type { BenchOptions } from './run.js';
import { pause, whileServing } from './scene.js';

/** Connecting takes at most so long, ms. */
const CONNECT_MS = 180_000;
/** Files looked at for what they weigh more than their pictures. */
const WEIGHED = 20;

/** The recorder with these promises only. */
function priced(...parts: ('hash' | 'sync')[]) {
  return async (urls: string[]): Promise<Recording> => {
    const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-priced-'));
    const script = join(projectRoot, 'dist', 'bench', 'priced-recorder.js');
    const child = fork(script, [folder, ...parts], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
    const ended = once(child, 'exit');
    const stop = async () => {
      if (child.connected) child.disconnect();
      await ended;
      await rm(folder, { recursive: true, force: true });
    };
    const says = (word: string) =>
      new Promise<void>((resolve, reject) => {
        const late = setTimeout(() => reject(new Error(`the priced recorder is not ${word}`)), CONNECT_MS);
        child.on('message', (message) => {
          if (message !== word) return;
          clearTimeout(late);
          resolve();
        });
        void ended.then(([code]) => reject(new Error(`the priced recorder ended with ${code}`)));
      });
    try {
      await says('ready');
      child.send(urls);
      await says('recording');
    } catch (error) {
      await stop();
      throw error;
    }
    const check = () => {
      if (child.exitCode !== null) throw new Error('a priced recorder ended by itself');
    };
    return { pids: [child.pid!], folder: join(folder, 'recordings'), check, stop };
  };
}

const STEPS: { name: string; begin: (urls: string[]) => Promise<Recording> }[] = [
  { name: 'bare ffmpeg -c copy -f segment', begin: bareFfmpegs },
  { name: '+ reading and cutting in Node', begin: priced() },
  { name: '+ hashing', begin: priced('hash') },
  { name: '+ syncing', begin: priced('hash', 'sync') },
  { name: '+ index, chain, API = the service', begin: wholeService },
];

/** Bytes of closed files over the bytes of the pictures in them. */
async function overhead(folder: string): Promise<number> {
  const entries = await readdir(folder, { recursive: true, withFileTypes: true });
  const closed = entries.filter(({ name }) => name.endsWith('.mp4') && !name.endsWith('.recording.mp4'));
  let [disk, stream] = [0, 0];
  for (const entry of closed.slice(0, WEIGHED)) {
    const file = join(entry.parentPath, entry.name);
    const { packets = [] } = await probeFile(file, { packets: true });
    disk += (await stat(file)).size;
    stream += packets.reduce((sum, { size }) => sum + Number(size), 0);
  }
  return disk / stream;
}

/** The row "each promise's price": `rounds` times (3) `seconds` (60), after the warm-up; `cameras` (30) five times over. */
export async function promisePrice({
  cameras = 30,
  seconds = 60,
  rounds = 3,
  say,
}: BenchOptions): Promise<Section[]> {
  const runs: Run[][] = STEPS.map(() => []);
  let weight = Number.NaN;
  await whileServing(S1, cameras, async ({ server, paths }) => {
    const urls = paths.map((path) => server.url(path));
    const recordings: Recording[] = [];
    try {
      for (const { name, begin } of STEPS) {
        say(`${cameras} cameras: ${name}`);
        recordings.push(await begin(urls));
      }
      await pause(WARM_UP_SECONDS);
      for (let round = 0; round < rounds; round++) {
        say(`round ${round + 1} of ${rounds}, ${seconds} s`);
        const spans = await Promise.all(recordings.map(({ pids, folder }) => watch(pids, folder, seconds)));
        for (const [i, span] of spans.entries()) runs[i]!.push(span);
        for (const { check } of recordings) check();
      }
      weight = await overhead(recordings.at(-1)!.folder);
    } finally {
      for (const { stop } of recordings) await stop();
    }
  });
  const perHour = runs.map((all) => (mean(all.map(({ cores }) => cores)) * 3600) / cameras);
  const rows = STEPS.map(({ name }, i) => [
    name,
    perHour[i]!,
    i === 0 ? '' : show(perHour[i]! - perHour[i - 1]!),
    mean(runs[i]!.map((run) => mean(run.pssMb))),
    mean(runs[i]!.map((run) => run.mbps)),
  ]);
  return [
    {
      title: `Each promise's price, ${cameras} cameras (720p15, 2 Mbps)`,
      how: `${rounds} rounds of ${seconds} s after ${WARM_UP_SECONDS} s to warm up, all five at the same moment on the same cameras (${cameras * STEPS.length} streams in all); CPU and memory (PSS) of all processes, Node and children. Promises are left out by doors that \`bench/priced-recorder.ts\` hands in; no setting does that. Differences of some tenths are noise. Bytes of the stream: those of the pictures ffprobe finds in ${WEIGHED} files of a minute.`,
      columns: ['', 'CPU s / camera-hour', 'price', 'PSS MB', 'Mbit/s written'],
      rows,
      bars: [
        {
          what: 'bytes on disk / bytes of the stream ≤ 1.003',
          figure: weight.toFixed(5),
          reached: weight <= 1.003,
        },
      ],
    },
  ];
}
