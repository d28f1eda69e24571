/** An hour of the past at one glance: by chat, from the recorder alone, and by an ffmpeg for each picture. */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import PQueue from 'p-queue';
import { FRAMES } from '../handlers/commands/storyboard-plan.js';
import type { SegmentInfo } from '../media/clip.js';
import type { Still } from '../media/types.js';
import { DAY_MS } from '../src/base/clock.js';
import { sayRange } from '../src/base/vietnamese/say.js';
import { runFfmpeg } from '../test/support/ffmpeg.js';
import { type PreparedStream, prepareStream, readFrameNumber, S1, S2 } from '../test/support/frame-clock.js';
import { recordPast } from '../test/support/past-film.js';
import { percentile, type Section, show } from './figures.js';
import { answerOf } from './pictures.js';
import { makeRandom } from './random.js';
import { untilRecording } from './recorder.js';
import type { BenchOptions } from './run.js';
import { type Chat, pause, whileChatting, whileServing } from './scene.js';

const FIRST_MS = 2000;
const LEAST_RATIO = 3;
/** The recording is so much longer than what is looked at, which begins at another moment each time. */
const ROOM_MINUTES = 5;
const WIDTH = 420;
/** More than one message a second waits for the platform, not for the picture. */
const BETWEEN_SECONDS = 1.1;

const run = promisify(execFile);

/** Takes files out of the system's cache, as far as it lets go: last night's recordings are not in it. */
const forget = async (files: readonly SegmentInfo[]) => {
  for (const { path } of files) await run('dd', [`if=${path}`, 'iflag=nocache', 'count=0', 'status=none']);
};

interface Past {
  stream: PreparedStream;
  beganMs: number;
  files: SegmentInfo[];
}

/** Pictures that show another frame than their time says, or none. */
async function wrongIn({ stream, beganMs }: Past, stills: readonly Still[]): Promise<number> {
  let wrong = 0;
  for (const { pictures } of stills) {
    const picture = pictures[0];
    const number = picture === undefined ? null : await readFrameNumber(picture.jpeg);
    const meant = picture && Math.round(((picture.frameMs - beganMs) * stream.fps) / 1000) % stream.frames;
    if (number === null || number !== meant) wrong++;
  }
  return wrong;
}

/** What one would do without an index of ours: an ffmpeg that seeks in the file, for each picture; two at once. */
async function singly({ files }: Past, moments: readonly number[]): Promise<void> {
  const queue = new PQueue({ concurrency: 2 });
  await queue.addAll(
    moments.map((atMs) => async () => {
      const file = files.findLast(({ startMs }) => startMs <= atMs)!;
      const seek = ['-ss', ((atMs - file.startMs) / 1000).toFixed(3), '-i', file.path];
      await runFfmpeg([
        ...seek,
        ...['-frames:v', '1', '-vf', `scale=${WIDTH}:-2`, '-f', 'image2', '-c:v', 'mjpeg', 'pipe:1'],
      ]);
    }),
  );
}

/**
 * `rounds` times (12) each way. `minutes` (60) are looked at, of a camera of 1080p25 at 4 Mbps that recorded them a day
 * before, while `cameras` (30) of 720p15 record.
 */
export async function storyboard({
  rounds = 12,
  cameras = 30,
  minutes = 60,
  seed = 1,
  say,
}: BenchOptions): Promise<Section[]> {
  const random = makeRandom(seed);
  const stream = await prepareStream(S2);
  const beganMs = Math.floor((Date.now() - DAY_MS) / 60_000) * 60_000;
  const past: Past = { stream, beganMs, files: [] };
  const lengthMs = minutes * 60_000;
  const times: Record<'chat' | 'api' | 'singly', number[]> = { chat: [], api: [], singly: [] };
  let wrong = 0;
  await whileServing(S1, cameras, async ({ server, paths }) => {
    const [first, ...others] = paths.map((path) => server.url(path));
    const look = async (chat: Chat) => {
      const { client, chief } = chat;
      const camera = chat.cameras[0]!;
      for (const [i, url] of others.entries()) {
        await client.addCamera({ id: `cam${i + 2}`, name: `cam${i + 2}`, url });
      }
      await untilRecording(client, cameras, 180);
      await untilKnown(chat, past);
      await pause(5);
      for (let round = 0; round < rounds; round++) {
        const startMs = beganMs + Math.floor(random() * ROOM_MINUTES * 60) * 1000;
        const moments = Array.from(
          { length: FRAMES },
          (_, i) => startMs + Math.round((i * lengthMs) / FRAMES),
        );
        await forget(past.files);
        await pause(BETWEEN_SECONDS);
        const fromMs = Date.now();
        chief.says(`xem ${camera.number} ${sayRange(startMs, startMs + lengthMs)}`);
        const call = await answerOf(chat, fromMs);
        if (call.files.length === 0) throw new Error(`no picture: ${call.params.text}`);
        times.chat.push(call.atMs - fromMs);
        await forget(past.files);
        const begun = performance.now();
        const stills = await client.stills({ cameraId: camera.id, moments, width: WIDTH });
        times.api.push(performance.now() - begun);
        wrong += await wrongIn(past, stills);
        await forget(past.files);
        const alone = performance.now();
        await singly(past, moments);
        times.singly.push(performance.now() - alone);
      }
    };
    await whileChatting([first!], look, {
      async recordings(root, [camera]) {
        say(`writing ${minutes + ROOM_MINUTES} minutes of the past`);
        const seconds = (minutes + ROOM_MINUTES) * 60;
        past.files = await recordPast({ root, cameraId: camera!.id, stream, startMs: beganMs, seconds });
      },
    });
  });
  const p = (of: readonly number[], share: number) => percentile(of, share);
  const ratio = p(times.singly, 0.5) / p(times.api, 0.5);
  const rows = (
    [
      ['by chat, until the sheet reaches the platform', times.chat],
      ['recorder alone', times.api],
      [`${FRAMES} single ffmpegs (-ss), two at once`, times.singly],
    ] as const
  ).map(([name, all]) => [name, p(all, 0.5), p(all, 0.95), Math.max(...all)]);
  return [
    {
      title: `${minutes} min of the past at one glance, ${cameras} cameras recording`,
      how: `${rounds} rounds: "xem 1 …" said to the whole product before the stand-in of Telegram, ${FRAMES} pictures of ${minutes} min from another moment each time; the same moments asked at the recorder's API; and by one ffmpeg a picture that seeks in the same files. The files (1080p25 H.264, 4 Mbps, a day old) are taken out of the cache before each. Each picture's frame number is held against its time.`,
      columns: ['', 'ms p50', 'ms p95', 'ms worst'],
      rows,
      bars: [
        {
          what: `by chat: first picture ≤ ${FIRST_MS / 1000} s`,
          figure: `${show(p(times.chat, 0.5))} ms p50, ${show(p(times.chat, 0.95))} ms p95`,
          reached: p(times.chat, 0.95) <= FIRST_MS,
        },
        {
          what: `≥ ${LEAST_RATIO} × faster than single ffmpegs`,
          figure: `${show(ratio)} ×`,
          reached: ratio >= LEAST_RATIO,
        },
        {
          what: 'each picture is that of its time',
          figure: `${wrong} of ${rounds * FRAMES} are not`,
          reached: wrong === 0,
        },
      ],
    },
  ];
}

/** Waits until the recorder knows the recordings that were put there. */
async function untilKnown({ client, cameras }: Chat, { files }: Past): Promise<void> {
  const [startMs, endMs] = [files[0]!.startMs, files.at(-1)!.endMs];
  for (const until = Date.now() + 120_000; Date.now() < until; await pause(0.5)) {
    const { recorded } = await client.coverage(cameras[0]!.id, { startMs, endMs });
    if (recorded.length === 1 && recorded[0]!.endMs - recorded[0]!.startMs >= endMs - startMs - 1000) return;
  }
  throw new Error('the recordings of the past are not found');
}
