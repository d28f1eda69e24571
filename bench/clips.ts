/** Clips of what was recorded: how long they take, where they start, and whether they say so truly. */
import { join } from 'node:path';
import type { Range } from '../media/types.js';
import { readFrameNumbers, type StreamSettings, trueFrame } from '../test/support/frame-clock.js';
import { typedMoment } from '../test/support/product.js';
import type { Call } from '../test/support/telegram-server.js';
import { percentile, type Section, show } from './figures.js';
import { answerOf } from './pictures.js';
import type { BenchOptions } from './run.js';
import { type Chat, type ChatCamera, pause, type Scene, type SceneCamera } from './scene.js';

export const CLIP_SECONDS = 30;
const CLIP_MS = CLIP_SECONDS * 1000;
/** Telegram takes one message a second in a chat; who asks sooner waits for that, not for the clip. */
const BETWEEN_SECONDS = 1.1;

type Say = BenchOptions['say'];

export interface Made {
  /** from asking until its first byte was there: for the bot it is handed over, the rest is the network's */
  handedMs: number;
  /** … until all of it was there */
  wholeMs: number;
  /** how long before what was asked it begins; negative: too late; NaN where that moment is not recorded */
  earlyMs: number;
  /** what it says of its start, against the truth; NaN where it is not said to the millisecond */
  errorMs: number;
  /** every frame there, in order, and as long as was asked; but for gaps that the answer tells of */
  whole: boolean;
}

async function judge(
  { server, stream }: Scene,
  path: string,
  file: string,
  askedMs: number,
  told: { startMs: number; gaps: boolean },
  missing: Range[],
  say: Say,
): Promise<Pick<Made, 'earlyMs' | 'errorMs' | 'whole'>> {
  const numbers = await readFrameNumbers(file);
  const near = server.frameAt(path, Number.isFinite(told.startMs) ? told.startMs : askedMs);
  const truth = server.sentMs(path, trueFrame(numbers[0]!, stream.frames, near));
  const wrong = numbers.findIndex(
    (number, i) => number === null || (i > 0 && number !== (numbers[i - 1]! + 1) % stream.frames),
  );
  const least = (CLIP_SECONDS - 1) * stream.fps;
  const inOrder = wrong < 0 && numbers.length >= least;
  const whole = inOrder || (told.gaps && !numbers.includes(null));
  const toldOf = told.gaps ? 'told in the answer: ' : '';
  if (!inOrder)
    say(
      wrong < 0
        ? `${toldOf}a short clip: ${numbers.length} frames, at least ${least} expected`
        : `${toldOf}a clip not whole: picture ${wrong} of ${numbers.length} shows ${numbers[wrong]} after ${numbers[wrong - 1]}`,
    );
  return { earlyMs: earlyBy(askedMs, truth, missing), errorMs: told.startMs - truth, whole };
}

/** How long before what was asked the clip begins, ms; NaN where what was asked is missing: it can begin only after. */
export function earlyBy(askedMs: number, beginsMs: number, missing: readonly Range[]): number {
  const isMissing = missing.some(({ startMs, endMs }) => startMs <= askedMs && askedMs < endMs);
  return isMissing ? Number.NaN : askedMs - beginsMs;
}

/** What the index says is missing of a clip. */
async function missingOf({ client }: Scene, { id }: SceneCamera, startMs: number): Promise<Range[]> {
  return (await client.coverage(id, { startMs, endMs: startMs + CLIP_MS })).gaps;
}

/** A random start of a clip within what is recorded; with `first`, that of the first picture after the connect. */
export async function startWithin(
  { client }: Pick<Chat, 'client'>,
  { id }: Pick<ChatCamera, 'id'>,
  first: boolean,
  clipMs = CLIP_MS,
): Promise<number> {
  const { recorded } = await client.coverage(id, { startMs: 0, endMs: Date.now() });
  const firstMs = recorded[0]!.startMs;
  const room = Date.now() - 5000 - clipMs - firstMs;
  return Math.ceil(firstMs + (first ? 0 : Math.random() * room));
}

export function captionOf({ params }: Call): string {
  const media = params.media as { caption?: string } | undefined;
  return String(params.caption ?? media?.caption ?? '');
}

/** "clip 1 lúc … trong 30 giây": from the update leaving the platform until the whole video has come back to it. */
export async function clipsByChat(scene: Scene, count: number, say: Say): Promise<Made[]> {
  const made: Made[] = [];
  for (let i = 0; i < count; i++) {
    await pause(BETWEEN_SECONDS + Math.random());
    const camera = scene.cameras[i % scene.cameras.length]!;
    // People name whole seconds.
    const startMs = Math.ceil((await startWithin(scene, camera, false)) / 1000) * 1000;
    const fromMs = Date.now();
    scene.chief.says(`clip ${camera.number} ${typedMoment(startMs)} trong ${CLIP_SECONDS} giây`);
    let call = await answerOf(scene, fromMs);
    // Work that lasts shows a line first, which then turns into the clip.
    while (call.params.text !== undefined && /đang lấy clip/.test(String(call.params.text)))
      call = await answerOf(scene, fromMs);
    if (call.files.length === 0) throw new Error(`no clip: ${call.params.text}`);
    const missing = await missingOf(scene, camera, startMs);
    const told = { startMs: Number.NaN, gaps: /^Thiếu /m.test(captionOf(call)) };
    const judged = await judge(scene, camera.path, call.files[0]!.path, startMs, told, missing, say);
    made.push({ handedMs: call.atMs - fromMs, wholeMs: call.wholeMs! - fromMs, ...judged });
  }
  return made;
}

/** The recorder's part, asked and fetched at its API; the first ones from the first picture after the connect on. */
export async function clipsOfRecorder(
  scene: Scene,
  count: number,
  folder: string,
  say: Say,
): Promise<Made[]> {
  const file = join(folder, 'clip.mp4');
  const made: Made[] = [];
  for (let i = 0; i < count; i++) {
    const camera = scene.cameras[i % scene.cameras.length]!;
    const startMs = await startWithin(scene, camera, i < scene.cameras.length);
    const begun = performance.now();
    const job = await scene.client.clip({ cameraId: camera.id, startMs, endMs: startMs + CLIP_MS });
    await scene.client.savePart(job.id, 0, file);
    const ms = performance.now() - begun;
    const missing = await missingOf(scene, camera, startMs);
    const told = { startMs: job.parts[0]!.startMs, gaps: job.gaps.length > 0 };
    const judged = await judge(scene, camera.path, file, startMs, told, missing, say);
    made.push({ handedMs: ms, wholeMs: ms, ...judged });
  }
  return made;
}

export interface ClipRuns {
  name: string;
  settings: StreamSettings;
  chat: Made[];
  recorder: Made[];
}

/** The rows "30 s clip" and "what the clip says its start is". */
export function clipsSection(streams: readonly ClipRuns[]): Section {
  const of = (runs: readonly Made[], what: (run: Made) => number, share: number) =>
    percentile(runs.map(what).filter(Number.isFinite), share);
  const most = (runs: readonly Made[], what: (run: Made) => number) => of(runs, what, 1);
  const broken = (runs: readonly Made[]) => runs.filter((run) => !run.whole).length;
  const rows = streams.flatMap(({ name, chat, recorder }) =>
    (
      [
        ['by chat, whole path', chat],
        ['recorder alone', recorder],
      ] as const
    ).map(([way, runs]) => [
      `${name}: ${way}`,
      of(runs, (run) => run.handedMs, 0.5),
      of(runs, (run) => run.handedMs, 0.95),
      of(runs, (run) => run.wholeMs, 0.5),
      of(runs, (run) => run.wholeMs, 0.95),
      most(runs, (run) => Math.abs(run.errorMs)),
      most(runs, (run) => run.earlyMs),
      Math.max(
        0,
        most(runs, (run) => -run.earlyMs),
      ),
      `${broken(runs)} of ${runs.length}`,
    ]),
  );
  const bars = streams.flatMap(({ name, settings, chat, recorder }) => {
    const both = [...chat, ...recorder];
    const [p50, p95] = [of(chat, (run) => run.handedMs, 0.5), of(chat, (run) => run.handedMs, 0.95)];
    const worst = most(recorder, (run) => Math.abs(run.errorMs));
    const [latest, earliest] = [of(both, (run) => run.earlyMs, 0), of(both, (run) => run.earlyMs, 1)];
    // A frame that is being shown belongs to the moment asked: one frame's time late is not late.
    const lateness = 1000 / settings.fps + 150;
    return [
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
      {
        what: `${name}: every frame there, in order`,
        figure: `${broken(both)} broken`,
        reached: broken(both) === 0,
      },
    ];
  });
  const first = streams[0]!;
  return {
    title: `${CLIP_SECONDS} s clip accepted → handed to the channel, 4 cameras recording`,
    how: `${first.chat.length} times "clip n lúc … trong ${CLIP_SECONDS} giây" to the whole product, at random moments of what was recorded; from the moment the platform hands the message out until the video's upload reaches it (all there: until it has all of it; taking in a form of 8–16 MB costs the stand-in its time too). In the same run ${first.recorder.length} clips asked and fetched at the recorder's API alone, the first ones from the first picture after the connect; what a clip says of its start is taken there. Judged by the frame numbers in the clip.`,
    columns: [
      '',
      'ms p50',
      'ms p95',
      'all there p50',
      'all there p95',
      'says its start off by ms, max',
      'early ms max',
      'late ms max',
      'broken',
    ],
    rows,
    bars,
  };
}
