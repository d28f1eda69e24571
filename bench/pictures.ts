/** A picture of now: from the recorder, beside a fresh ffmpeg that connects to the camera. */
import { rtspTimeout, runFfmpeg, testFfmpeg } from '../test/support/ffmpeg.js';
import {
  FrameDrawing,
  pictureLikeness,
  readFrameNumber,
  S1,
  S2,
  S3,
  type StreamSettings,
  trueFrame,
} from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import type { BenchOptions } from './run.js';
import { pause, type Scene, whileRecording } from './scene.js';

/** A picture less like the truth than this is torn or grey (whole ones have more than 22 dB). */
const WHOLE_DB = 20;
const SNAPSHOTS = 40;
const FRESH = 8;

interface Taken {
  ms: number;
  /** age of the pictured frame when the picture was there; NaN for a broken one */
  ageMs: number;
  /** what the recorder says of the frame's time, against the truth */
  errorMs: number;
  whole: boolean;
}

async function judge(
  { server, stream }: Scene,
  path: string,
  jpeg: Uint8Array,
  times: { fromMs: number; untilMs: number; saidMs: number | null },
  drawing: FrameDrawing,
): Promise<Taken> {
  const number = await readFrameNumber(jpeg);
  const likeness = await pictureLikeness(jpeg, drawing);
  const ms = times.untilMs - times.fromMs;
  if (number === null || likeness === null || likeness < WHOLE_DB)
    return { ms, ageMs: Number.NaN, errorMs: Number.NaN, whole: false };
  const frame = trueFrame(number, stream.frames, server.frameAt(path, times.untilMs));
  const sentMs = server.sentMs(path, frame);
  const errorMs = times.saidMs === null ? Number.NaN : times.saidMs - sentMs;
  return { ms, ageMs: times.untilMs - sentMs, errorMs, whole: true };
}

async function fromRecorder(scene: Scene, drawing: FrameDrawing): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (let i = 0; i < SNAPSHOTS; i++) {
    await pause(0.2 + Math.random());
    const id = scene.cameras[i % scene.cameras.length]!;
    const fromMs = Date.now();
    const { jpeg, frameMs } = await scene.recorder.client.snapshot(id);
    const times = { fromMs, untilMs: Date.now(), saidMs: frameMs };
    taken.push(await judge(scene, `/${id}`, jpeg, times, drawing));
  }
  return taken;
}

async function freshly(scene: Scene, drawing: FrameDrawing): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (let i = 0; i < FRESH; i++) {
    await pause(0.2 + Math.random());
    const path = `/${scene.cameras[i % scene.cameras.length]!}`;
    const fromMs = Date.now();
    const connect = [
      '-rtsp_transport',
      'tcp',
      ...rtspTimeout(testFfmpeg(), 20),
      '-i',
      scene.server.url(path),
    ];
    const jpeg = await runFfmpeg([...connect, '-frames:v', '1', '-f', 'image2', '-c:v', 'mjpeg', 'pipe:1']);
    const times = { fromMs, untilMs: Date.now(), saidMs: null };
    taken.push(await judge(scene, path, jpeg, times, drawing));
  }
  return taken;
}

const STREAMS: { name: string; settings: StreamSettings; ms: [number, number]; ageMs: number }[] = [
  { name: '720p15 H.264, GOP 2 s', settings: S1, ms: [200, 400], ageMs: 1200 },
  { name: '1080p25 H.264, GOP 4 s', settings: S2, ms: [700, 1200], ageMs: 1600 },
  { name: '1080p25 H.265, GOP 4 s', settings: S3, ms: [700, 1200], ageMs: 1600 },
];

/** The rows "picture" and "age of the pictured frame", at the recorder's API (the bot's share comes on top). */
export async function pictures({ say }: BenchOptions): Promise<Section> {
  const rows: Section['rows'] = [];
  const bars: Section['bars'] = [];
  for (const { name, settings, ms: goal, ageMs: goalAge } of STREAMS) {
    say(`pictures of ${name}`);
    const drawing = new FrameDrawing(settings.width, settings.height);
    const [ours, fresh] = await whileRecording(settings, 4, async (scene) => {
      await pause(settings.gopSeconds + 1);
      return [await fromRecorder(scene, drawing), await freshly(scene, drawing)] as const;
    });
    const of = (runs: readonly Taken[], what: (run: Taken) => number, share: number) =>
      percentile(runs.map(what).filter(Number.isFinite), share);
    for (const [way, runs] of [
      ['recorder', ours],
      ['fresh ffmpeg', fresh],
    ] as const) {
      rows.push([
        `${name}: ${way}`,
        of(runs, (run) => run.ms, 0.5),
        of(runs, (run) => run.ms, 0.95),
        of(runs, (run) => run.ageMs, 0.5),
        of(runs, (run) => run.ageMs, 0.95),
        of(runs, (run) => Math.abs(run.errorMs), 0.95),
        `${runs.filter((run) => !run.whole).length} of ${runs.length}`,
      ]);
    }
    const [p50, p95] = [of(ours, (run) => run.ms, 0.5), of(ours, (run) => run.ms, 0.95)];
    const age = of(ours, (run) => run.ageMs, 0.95);
    const times = of(fresh, (run) => run.ms, 0.5) / p50;
    bars.push(
      {
        what: `${name}: p50 / p95 ≤ ${goal[0]} / ${goal[1]} ms`,
        figure: `${show(p50)} / ${show(p95)} ms`,
        reached: p50 <= goal[0] && p95 <= goal[1],
      },
      {
        what: `${name}: ≥ 5 × faster than fresh`,
        figure: `${show(times)} × (${fresh.filter((run) => !run.whole).length} of ${fresh.length} fresh ones broken)`,
        reached: times >= 5,
      },
      { what: `${name}: age p95 ≤ ${goalAge} ms`, figure: `${show(age)} ms`, reached: age <= goalAge },
      {
        what: `${name}: no broken picture`,
        figure: `${ours.filter((run) => !run.whole).length} broken`,
        reached: ours.every((run) => run.whole),
      },
    );
  }
  return {
    title: 'A picture of now, 4 cameras recording',
    how: `${SNAPSHOTS} snapshots at random moments through the recorder's API, ${FRESH} with a fresh \`ffmpeg -rtsp_transport tcp -i … -frames:v 1\`; age and date against the frame number in the picture.`,
    columns: ['', 'ms p50', 'ms p95', 'age ms p50', 'age ms p95', 'date off by ms p95', 'broken'],
    rows,
    bars,
  };
}
