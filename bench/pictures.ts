/** A picture of now: asked by chat, from the recorder alone, and by a fresh ffmpeg that connects to the camera. */
import { readFile } from 'node:fs/promises';
import { rtspTimeout, runFfmpeg, testFfmpeg } from '../test/support/ffmpeg.js';
import {
  type FrameDrawing,
  pictureLikeness,
  readFrameNumber,
  trueFrame,
} from '../test/support/frame-clock.js';
import type { Call } from '../test/support/telegram-server.js';
import { percentile, type Section, show } from './figures.js';
import type { BenchOptions } from './run.js';
import { pause, type Scene } from './scene.js';

/** A picture less like the truth than this is torn or grey (whole ones have more than 22 dB). */
const WHOLE_DB = 20;
/** Telegram takes one message a second in a chat; who asks sooner waits for that, not for the picture. */
const BETWEEN_SECONDS = 1.1;

export interface Taken {
  /** from asking until its first byte was there: for the bot it is handed over, the rest is the network's */
  handedMs: number;
  /** … until all of it was there */
  wholeMs: number;
  /** age of the pictured frame when the picture was there; NaN for a broken one */
  ageMs: number;
  /** what the recorder says of the frame's time, against the truth; NaN where nothing is said */
  errorMs: number;
  whole: boolean;
  /** there was an answer, but no picture in it */
  none?: true;
}

const NONE: Taken = {
  handedMs: Number.NaN,
  wholeMs: Number.NaN,
  ageMs: Number.NaN,
  errorMs: Number.NaN,
  whole: false,
  none: true,
};

type Say = BenchOptions['say'];

interface Times {
  fromMs: number;
  firstByteMs?: number;
  untilMs: number;
  saidMs?: number;
}

async function judge(
  { server, stream }: Scene,
  path: string,
  jpeg: Uint8Array,
  { fromMs, untilMs, firstByteMs = untilMs, saidMs = Number.NaN }: Times,
  drawing: FrameDrawing,
): Promise<Taken> {
  const number = await readFrameNumber(jpeg);
  const likeness = await pictureLikeness(jpeg, drawing);
  const times = { handedMs: firstByteMs - fromMs, wholeMs: untilMs - fromMs };
  if (number === null || likeness === null || likeness < WHOLE_DB)
    return { ...times, ageMs: Number.NaN, errorMs: Number.NaN, whole: false };
  const sentMs = server.sentMs(path, trueFrame(number, stream.frames, server.frameAt(path, untilMs)));
  return { ...times, ageMs: untilMs - sentMs, errorMs: saidMs - sentMs, whole: true };
}

const cameraFor = (scene: Scene, i: number) => scene.cameras[i % scene.cameras.length]!;

/** The bot's next message since `fromMs`. */
export const answerOf = (scene: Pick<Scene, 'telegram'>, fromMs: number): Promise<Call> =>
  scene.telegram.next(
    (call) => call.ok && call.atMs >= fromMs && /^(?:send(?!ChatAction)|editMessage)/.test(call.method),
    30_000,
  );

/** "ảnh 1": from the update leaving the platform until the whole picture has come back to it. */
export async function picturesByChat(
  scene: Scene,
  drawing: FrameDrawing,
  count: number,
  say: Say,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (let i = 0; i < count; i++) {
    await pause(BETWEEN_SECONDS + Math.random());
    const { number, path } = cameraFor(scene, i);
    const fromMs = Date.now();
    scene.chief.says(`ảnh ${number}`);
    const call = await answerOf(scene, fromMs);
    if (call.files.length === 0) {
      say(`no picture: ${call.params.text}`);
      taken.push(NONE);
      continue;
    }
    const times = { fromMs, firstByteMs: call.atMs, untilMs: call.wholeMs! };
    taken.push(await judge(scene, path, await readFile(call.files[0]!.path), times, drawing));
  }
  return taken;
}

/** The recorder's part, at its API. */
export async function picturesOfRecorder(
  scene: Scene,
  drawing: FrameDrawing,
  count: number,
  say: Say,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (let i = 0; i < count; i++) {
    await pause(0.2 + Math.random());
    const { id, path } = cameraFor(scene, i);
    const fromMs = Date.now();
    const shot = await scene.client.snapshot(id).catch((error: Error) => error);
    if (shot instanceof Error) {
      say(`no picture: ${shot.message}`);
      taken.push(NONE);
      continue;
    }
    const { jpeg, frameMs } = shot;
    taken.push(await judge(scene, path, jpeg, { fromMs, untilMs: Date.now(), saidMs: frameMs }, drawing));
  }
  return taken;
}

/**
 * What one would do without a recorder. `wait`: for the first keyframe, since a stream joined in the middle of a GOP
 * gives `-frames:v 1` a grey picture at once in H.265.
 */
export async function freshPictures(
  scene: Scene,
  drawing: FrameDrawing,
  count: number,
  wait = false,
): Promise<Taken[]> {
  const taken: Taken[] = [];
  for (let i = 0; i < count; i++) {
    await pause(0.2 + Math.random());
    const { path } = cameraFor(scene, i);
    const fromMs = Date.now();
    const connect = [
      ...(wait ? ['-skip_frame', 'nokey'] : []),
      '-rtsp_transport',
      'tcp',
      ...rtspTimeout(testFfmpeg(), 20),
      '-i',
      scene.server.url(path),
    ];
    const jpeg = await runFfmpeg([...connect, '-frames:v', '1', '-f', 'image2', '-c:v', 'mjpeg', 'pipe:1']);
    taken.push(await judge(scene, path, jpeg, { fromMs, untilMs: Date.now() }, drawing));
  }
  return taken;
}

export interface PictureBar {
  p50: number;
  p95: number;
  ageMs: number;
}

export interface PictureRuns {
  name: string;
  bar: PictureBar;
  chat: Taken[];
  recorder: Taken[];
  fresh: Taken[];
  /** fresh ones that waited for a keyframe, where the others are broken */
  freshWhole: Taken[];
}

const of = (runs: readonly Taken[], what: (run: Taken) => number, share: number) =>
  percentile(runs.map(what).filter(Number.isFinite), share);
const broken = (runs: readonly Taken[]) => runs.filter((run) => !run.whole && !run.none).length;
const none = (runs: readonly Taken[]) => runs.filter((run) => run.none).length;

/** The rows "picture handed to the channel" and "age of the pictured frame". */
export function picturesSection(streams: readonly PictureRuns[]): Section {
  const rows = streams.flatMap(({ name, chat, recorder, fresh, freshWhole }) =>
    (
      [
        ['by chat, whole path', chat],
        ['recorder alone', recorder],
        ['fresh ffmpeg', fresh],
        ['fresh ffmpeg, first whole picture', freshWhole],
      ] as const
    )
      .filter(([, runs]) => runs.length > 0)
      .map(([way, runs]) => [
        `${name}: ${way}`,
        of(runs, (run) => run.handedMs, 0.5),
        of(runs, (run) => run.handedMs, 0.95),
        of(runs, (run) => run.wholeMs, 0.5),
        of(runs, (run) => run.wholeMs, 0.95),
        of(runs, (run) => run.ageMs, 0.5),
        of(runs, (run) => run.ageMs, 0.95),
        of(runs, (run) => Math.abs(run.errorMs), 0.95),
        `${broken(runs)} of ${runs.length}`,
        `${none(runs)} of ${runs.length}`,
      ]),
  );
  const bars = streams.flatMap(({ name, bar, chat, recorder, fresh, freshWhole }) => {
    const [p50, p95] = [of(chat, (run) => run.handedMs, 0.5), of(chat, (run) => run.handedMs, 0.95)];
    const age = of(chat, (run) => run.ageMs, 0.95);
    const timesOf = (runs: readonly Taken[]) =>
      of(runs, (run) => run.wholeMs, 0.5) / of(chat, (run) => run.wholeMs, 0.5);
    const times = timesOf(freshWhole.length > 0 ? freshWhole : fresh);
    const besides =
      freshWhole.length > 0
        ? `${show(timesOf(fresh))} × one that does not wait for a keyframe: ${broken(fresh)} of ${fresh.length} broken`
        : `${broken(fresh)} of ${fresh.length} fresh ones broken`;
    return [
      {
        what: `${name}: p50 / p95 ≤ ${bar.p50} / ${bar.p95} ms`,
        figure: `${show(p50)} / ${show(p95)} ms`,
        reached: p50 <= bar.p50 && p95 <= bar.p95,
      },
      {
        what: `${name}: ≥ 5 × faster than fresh`,
        figure: `${show(times)} × (${besides})`,
        reached: times >= 5,
      },
      { what: `${name}: age p95 ≤ ${bar.ageMs} ms`, figure: `${show(age)} ms`, reached: age <= bar.ageMs },
      {
        what: `${name}: no broken picture`,
        figure: `${broken(chat) + broken(recorder)} broken`,
        reached: broken(chat) + broken(recorder) === 0,
      },
      {
        what: `${name}: a picture every time`,
        figure: `${none(chat) + none(recorder)} times none`,
        reached: none(chat) + none(recorder) === 0,
      },
    ];
  });
  const first = streams[0]!;
  return {
    title: 'Message accepted → picture handed to the channel, 4 cameras recording',
    how: `The whole product in real mode before the stand-in of Telegram: ${first.chat.length} times "ảnh n" at random moments, no picture prepared ahead; from the moment the platform hands the message out until the picture's upload reaches it (all there: until it has all of it). In the same run ${first.recorder.length} snapshots from the recorder's API alone and ${first.fresh.length} with a fresh \`ffmpeg -rtsp_transport tcp -i … -frames:v 1\`. Where every fresh one is broken (H.265: grey, exit 0), the ratio is to a fresh one that waits for the first keyframe (\`-skip_frame nokey\`), and the other stands beside it. Age and date are judged by the frame number in the picture, the bars by the whole path.`,
    columns: [
      '',
      'ms p50',
      'ms p95',
      'all there p50',
      'all there p95',
      'age ms p50',
      'age ms p95',
      'date off by ms p95',
      'broken',
      'none',
    ],
    rows,
    bars,
  };
}
