/** The recorder killed at random moments: how much video is lost before the kill, how soon it records again. */
import { setTimeout as wait } from 'node:timers/promises';
import { scanFile } from '../media/mp4/scan.js';
import { readFrameNumbers, S1, trueFrame } from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import { childrenOf, lives } from './processes.js';
import { makeRandom } from './random.js';
import {
  type BenchRecorder,
  type RecordedFile,
  recordedFiles,
  startRecorder,
  untilRecording,
} from './recorder.js';
import type { BenchOptions } from './run.js';
import { type Served, whileServing } from './scene.js';

const CAMERAS = 4;
const SETTINGS = S1;
/** The parent waits so long before it starts a service again. */
const PARENT_WAITS_MS = 200;
const RECORDING_AGAIN_MS = 60_000;

/** What one kill cost one camera. */
interface Cost {
  /** sent to the recorder before the kill and not in the recovered file, ms */
  lostMs: number;
  /** from the kill to the first whole fragment of a new file on disk, ms */
  againMs: number;
  /** from the last picture before to the first one after, by the frame clock, ms; NaN when not known */
  gapMs: number;
}

interface RecorderKills {
  costs: Cost[];
  /** ffmpegs of a killed recorder that still ran when the next one recorded */
  childrenLeft: number;
  /** files in which a frame is missing in the middle */
  torn: number;
}

/** Resolves with the moment at which each camera has a whole fragment that was recorded after the kill. */
async function untilFragments(recorder: BenchRecorder, ids: string[], killedMs: number): Promise<number[]> {
  return Promise.all(
    ids.map(async (id) => {
      while (Date.now() - killedMs < RECORDING_AGAIN_MS) {
        const newest = (await recordedFiles(recorder.folder, id)).at(-1);
        if (newest !== undefined && newest.startMs > killedMs) {
          const scanned = await scanFile(newest.file).catch(() => null);
          if (scanned !== null && scanned.fragments.length > 0) return Date.now();
        }
        await wait(25);
      }
      throw new Error(`${id} does not record again`);
    }),
  );
}

/** Frame numbers since the server's start, first and last, of a file that begins at about `startMs`. */
async function framesOf(served: Served, path: string, segment: RecordedFile) {
  const numbers = await readFrameNumbers(segment.file);
  const whole = numbers.every(
    (number, i) => number !== null && (i === 0 || number === (numbers[i - 1]! + 1) % served.stream.frames),
  );
  const first = trueFrame(numbers[0]!, served.stream.frames, served.server.frameAt(path, segment.startMs));
  return { first, last: first + numbers.length - 1, whole };
}

/** Kills the recorder `kills` times while `CAMERAS` cameras record. */
export async function killRecorder(options: {
  kills: number;
  seed: number;
  say?(line: string): void;
}): Promise<RecorderKills> {
  const random = makeRandom(options.seed);
  return whileServing(SETTINGS, CAMERAS, async (served) => {
    const { server, paths } = served;
    const recorder = await startRecorder();
    try {
      const ids = paths.map((path) => path.slice(1));
      for (const [i, id] of ids.entries())
        await recorder.client.addCamera({ id, name: id, url: server.url(paths[i]!) });
      await untilRecording(recorder.client, CAMERAS);
      const costs: Cost[] = [];
      const kills: number[] = [];
      const again: number[][] = [];
      let childrenLeft = 0;
      for (let kill = 0; kill < options.kills; kill += 1) {
        await wait(500 + random() * 5000);
        const children = await childrenOf(recorder.pid);
        const killedMs = await recorder.kill();
        await wait(PARENT_WAITS_MS);
        await recorder.restart();
        const back = await untilFragments(recorder, ids, killedMs);
        childrenLeft += children.filter(lives).length;
        kills.push(killedMs);
        again.push(back);
        if ((kill + 1) % 5 === 0) options.say?.(`killed ${kill + 1} times`);
      }
      await wait(1000);
      // In order, so that the last files are closed too.
      await recorder.end();
      let torn = 0;
      for (const [c, id] of ids.entries()) {
        const path = paths[c]!;
        const segments = await recordedFiles(recorder.folder, id);
        const frames = new Map<RecordedFile, Awaited<ReturnType<typeof framesOf>>>();
        for (const segment of segments) frames.set(segment, await framesOf(served, path, segment));
        torn += [...frames.values()].filter(({ whole }) => !whole).length;
        for (const [k, killedMs] of kills.entries()) {
          const before = segments.findLast((segment) => segment.startMs < killedMs);
          const after = segments.find((segment) => segment.startMs > killedMs);
          if (before === undefined || after === undefined)
            throw new Error(`${id}: no file around kill ${k + 1}`);
          const { last } = frames.get(before)!;
          const { first } = frames.get(after)!;
          const lost = server.frameAt(path, killedMs) - last;
          costs.push({
            lostMs: (Math.max(0, lost) * 1000) / served.stream.fps,
            againMs: again[k]![c]! - killedMs,
            gapMs: server.sentMs(path, first) - server.sentMs(path, last),
          });
        }
      }
      return { costs, childrenLeft, torn };
    } finally {
      await recorder.stop();
    }
  });
}

/** The row "kill -9 of the recorder at a random moment". */
export async function recorderKills({ rounds = 20, seed = 1, say }: BenchOptions): Promise<Section[]> {
  say(`killing the recorder ${rounds} times`);
  const { costs, childrenLeft, torn } = await killRecorder({ kills: rounds, seed, say });
  const of = (what: (cost: Cost) => number) => {
    const values = costs.map(what);
    return [percentile(values, 0.5), percentile(values, 0.95), Math.max(...values)];
  };
  const [lost, again, gap] = [
    of((cost) => cost.lostMs),
    of((cost) => cost.againMs),
    of((cost) => cost.gapMs),
  ];
  const againBar = 5000 + SETTINGS.gopSeconds * 1000;
  return [
    {
      title: `Recorder killed ${rounds} times (kill -9), ${CAMERAS} cameras recording`,
      how: `720p15 H.264, GOP 2 s; seed ${seed}; the service alone is killed 0.5–5.5 s after it records again, its ffmpegs must end by themselves; started again after ${PARENT_WAITS_MS} ms as the parent does. Lost: frames the camera had sent before the kill that are not in the recovered file, by the numbers in the pictures. ${costs.length} losses.`,
      columns: ['ms', 'p50', 'p95', 'max'],
      rows: [
        ['video lost before the kill', ...lost],
        ['kill → first new fragment on disk', ...again],
        ['last picture before → first picture after', ...gap],
      ],
      bars: [
        {
          what: '≤ 1 s of video lost before the kill',
          figure: `max ${show(lost[2]!)} ms`,
          reached: lost[2]! <= 1000,
        },
        {
          what: `recording again ≤ 5 s + one GOP (${againBar} ms)`,
          figure: `max ${show(again[2]!)} ms`,
          reached: again[2]! <= againBar,
        },
        { what: 'every recovered file whole', figure: `${torn} torn`, reached: torn === 0 },
        {
          what: 'no ffmpeg of a killed recorder left',
          figure: `${childrenLeft} left`,
          reached: childrenLeft === 0,
        },
      ],
    },
  ];
}
