/** Clips of what was recorded: how long they take, where they start, and whether they say so truly. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readFrameNumbers, S1, S2, type StreamSettings, trueFrame } from '../test/support/frame-clock.js';
import { percentile, type Section, show } from './figures.js';
import type { BenchOptions } from './run.js';
import { pause, type Scene, whileRecording } from './scene.js';

const CLIP_SECONDS = 30;
const CLIPS = 24;
/** Recorded before the first clip: more than a minute, so that clips cross from one file to the next. */
const RECORDED_SECONDS = 75;

interface Made {
  ms: number;
  /** how long before what was asked it begins; negative: too late */
  earlyMs: number;
  /** what it says of its start, against the truth */
  errorMs: number;
  wholeFrames: boolean;
}

async function makeClip(scene: Scene, id: string, startMs: number, folder: string): Promise<Made> {
  const { server, stream, recorder } = scene;
  const file = join(folder, 'clip.mp4');
  const begun = performance.now();
  const job = await recorder.client.clip({ cameraId: id, startMs, endMs: startMs + CLIP_SECONDS * 1000 });
  await recorder.client.downloadPart(job.id, 0, file);
  const ms = performance.now() - begun;
  const part = job.parts[0]!;
  const numbers = await readFrameNumbers(file);
  const frame = trueFrame(numbers[0]!, stream.frames, server.frameAt(`/${id}`, part.startMs));
  const truth = server.sentMs(`/${id}`, frame);
  const wholeFrames = numbers.every(
    (number, i) => number !== null && (i === 0 || number === (numbers[i - 1]! + 1) % stream.frames),
  );
  return { ms, earlyMs: startMs - truth, errorMs: part.startMs - truth, wholeFrames };
}

const STREAMS: { name: string; settings: StreamSettings }[] = [
  { name: '720p15, 2 Mbps, GOP 2 s', settings: S1 },
  { name: '1080p25, 4 Mbps, GOP 4 s', settings: S2 },
];

/** The rows "30 s clip" and "what the clip says its start is", at the recorder's API. */
export async function clips({ say }: BenchOptions): Promise<Section> {
  const rows: Section['rows'] = [];
  const bars: Section['bars'] = [];
  for (const { name, settings } of STREAMS) {
    say(`clips of ${name}: recording for ${RECORDED_SECONDS} s first`);
    const made = await whileRecording(settings, 4, async (scene) => {
      const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-clips-'));
      try {
        await pause(RECORDED_SECONDS);
        const results: Made[] = [];
        for (let i = 0; i < CLIPS; i++) {
          const id = scene.cameras[i % scene.cameras.length]!;
          const { recorded } = await scene.recorder.client.coverage(id, { startMs: 0, endMs: Date.now() });
          const firstMs = recorded[0]!.startMs;
          const room = Date.now() - 5000 - CLIP_SECONDS * 1000 - firstMs;
          // The very first ones ask from the first picture after the connect on.
          const startMs = Math.ceil(firstMs + (i < scene.cameras.length ? 0 : Math.random() * room));
          results.push(await makeClip(scene, id, startMs, folder));
        }
        return results;
      } finally {
        await rm(folder, { recursive: true, force: true });
      }
    });
    const times = made.map((clip) => clip.ms);
    const [p50, p95] = [percentile(times, 0.5), percentile(times, 0.95)];
    const worst = Math.max(...made.map((clip) => Math.abs(clip.errorMs)));
    const earliest = Math.max(...made.map((clip) => clip.earlyMs));
    const latest = Math.min(...made.map((clip) => clip.earlyMs));
    const broken = made.filter((clip) => !clip.wholeFrames).length;
    rows.push([name, p50, p95, worst, earliest, Math.max(0, -latest), `${broken} of ${made.length}`]);
    // A frame that is being shown belongs to the moment asked: one frame's time late is not late.
    const lateness = 1000 / settings.fps + 150;
    bars.push(
      {
        what: `${name}: p50 / p95 ≤ 150 / 400 ms`,
        figure: `${show(p50)} / ${show(p95)} ms`,
        reached: p50 <= 150 && p95 <= 400,
      },
      { what: `${name}: says its start ≤ 150 ms off`, figure: `${show(worst)} ms`, reached: worst <= 150 },
      {
        what: `${name}: starts at most one GOP early, never late`,
        figure: `${show(latest)} … ${show(earliest)} ms early`,
        reached: earliest <= settings.gopSeconds * 1000 + 150 && latest >= -lateness,
      },
      { what: `${name}: every frame there, in order`, figure: `${broken} broken`, reached: broken === 0 },
    );
  }
  return {
    title: `Clips of ${CLIP_SECONDS} s, 4 cameras recording`,
    how: `${CLIPS} clips of random moments within the last ${RECORDED_SECONDS} s and more, the first ones from the first picture after the connect; asked and fetched through the recorder's API; judged by the frame numbers in the clip.`,
    columns: [
      '',
      'ms p50',
      'ms p95',
      'says its start off by ms, max',
      'early ms max',
      'late ms max',
      'broken',
    ],
    rows,
    bars,
  };
}
