/** Ten minutes of a camera as one clip, at the recorder's API and by chat; and the quick look at an H.265 camera from its sub stream. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ClipJob } from '../media/types.js';
import { probeFile } from '../test/support/ffmpeg.js';
import { readFrameNumbers, S1, S2, S3, type StreamSettings, trueFrame } from '../test/support/frame-clock.js';
import { typedMoment } from '../test/support/product.js';
import { CLIP_SECONDS, captionOf, startWithin } from './clips.js';
import { percentile, type Section, show } from './figures.js';
import { Film, type Picture } from './film-frames.js';
import { answerOf } from './pictures.js';
import type { BenchOptions } from './run.js';
import { type Chat, type ChatCamera, pause, type Served, whileChatting, whileServingEach } from './scene.js';

const SUB: StreamSettings = { ...S1, width: 640, height: 360, kbps: 500 };
const LONG_SECONDS = 600;
const LONG_BAR_MS = 5000;
const PREVIEW_BAR_MS = 2000;
/** Nothing is asked for in the newest seconds, and a clip may begin at any moment of this many, s. */
const ROOM_SECONDS = 15;
/** A clip that may be sent by chat is in files of at most so many bytes. */
const CHAT_BYTES = 49e6;
/** More than one message a second waits for the platform, not for the clip. */
const BETWEEN_SECONDS = 1.1;

/** What is wrong with a clip, in words; none: it is as it should be. */
type Faults = string[];

interface Made {
  /** asked → the job is done (API), or the first file reaches the platform (chat), ms */
  readyMs: number;
  /** … until all of it is there, ms */
  wholeMs: number;
  files: number;
  bytes: number;
  faults: Faults;
}

interface Row {
  name: string;
  made: Made[];
}

interface Asked {
  camera: ChatCamera;
  shown: Served;
  film: Film;
  seconds: number;
}

async function picturesOf(file: string): Promise<{ codec: string; pictures: Picture[] }> {
  const { streams, packets = [] } = await probeFile(file, { packets: true });
  const index = streams.findIndex(({ codec_type }) => codec_type === 'video');
  const video = packets.filter(({ stream_index }) => stream_index === index);
  return {
    codec: streams[index]?.codec_name ?? 'none',
    pictures: video.map(({ size, flags }) => ({ size: Number(size), key: flags.startsWith('K') })),
  };
}

/** Looks at the files of a clip as ffprobe reads them; with `decode` at every picture in them too. */
async function faultsOf(
  files: readonly string[],
  { shown, film, seconds }: Asked,
  startMs: number,
  decode: boolean,
): Promise<Faults> {
  const { server, stream, paths } = shown;
  const faults: Faults = [];
  const numbers: (number | null)[] = [];
  for (const file of files) {
    const { codec, pictures } = await picturesOf(file);
    if (codec !== 'h264') faults.push(`codec ${codec}`);
    if (pictures[0]?.key !== true) faults.push('a file does not begin with a keyframe');
    const bySize = film.numbers(pictures);
    if (decode) {
      const seen = await readFrameNumbers(file);
      if (seen.join() !== bySize.join()) faults.push('decoding shows other frames');
    }
    numbers.push(...bySize);
  }
  const torn = numbers.findIndex(
    (number, i) => number === null || (i > 0 && number !== (numbers[i - 1]! + 1) % stream.frames),
  );
  if (torn >= 0) return [...faults, `picture ${torn} is ${numbers[torn]} after ${numbers[torn - 1]}`];
  const path = paths[0]!;
  const first = trueFrame(numbers[0]!, stream.frames, server.frameAt(path, startMs));
  const beginsMs = server.sentMs(path, first);
  const endsMs = server.sentMs(path, first + numbers.length);
  // A frame that is being shown belongs to the moment asked.
  const slackMs = 1000 / stream.fps + 150;
  if (beginsMs > startMs + slackMs) faults.push(`begins ${show(beginsMs - startMs)} ms late`);
  if (beginsMs < startMs - stream.gopSeconds * 1000 - slackMs)
    faults.push(`begins ${show(startMs - beginsMs)} ms early`);
  if (endsMs < startMs + seconds * 1000 - slackMs)
    faults.push(`ends ${show(startMs + seconds * 1000 - endsMs)} ms early`);
  return faults;
}

/** `count` clips at the recorder's API, each fetched to `folder`. */
async function byApi(
  chat: Chat,
  asked: Asked,
  count: number,
  folder: string,
  wanted: { maxBytes?: number; stream?: ClipJob['stream'] } = {},
): Promise<Made[]> {
  const made: Made[] = [];
  const { maxBytes, stream = 'main' } = wanted;
  for (let i = 0; i < count; i++) {
    const lengthMs = asked.seconds * 1000;
    const startMs = await startWithin(chat, asked.camera, false, lengthMs);
    const begun = performance.now();
    const job = await chat.client.clip({
      ...{ cameraId: asked.camera.id, startMs, endMs: startMs + lengthMs },
      ...(maxBytes !== undefined && { maxBytes }),
    });
    const readyMs = performance.now() - begun;
    const files = job.parts.map(({ index }) => join(folder, `${i}-${index}.mp4`));
    for (const [index, file] of files.entries()) await chat.client.savePart(job.id, index, file);
    const wholeMs = performance.now() - begun;
    const faults = await faultsOf(files, asked, startMs, i === 0);
    if (job.stream !== stream) faults.push(`made of the ${job.stream} stream`);
    if (job.gaps.length > 0) faults.push(`tells of ${job.gaps.length} gaps`);
    if (maxBytes === undefined && files.length !== 1) faults.push(`${files.length} files`);
    if (job.parts.some(({ sizeBytes }) => sizeBytes > (maxBytes ?? Number.POSITIVE_INFINITY)))
      faults.push('a part is too big');
    const bytes = job.parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
    made.push({ readyMs, wholeMs, files: files.length, bytes, faults });
    for (const file of files) await rm(file);
  }
  return made;
}

/** `count` times "clip n lúc … trong …", every part of each awaited. */
async function byChat(chat: Chat, asked: Asked, count: number): Promise<Made[]> {
  const made: Made[] = [];
  for (let i = 0; i < count; i++) {
    await pause(BETWEEN_SECONDS);
    const { camera, seconds } = asked;
    // People name whole seconds.
    const startMs = Math.ceil((await startWithin(chat, camera, false, seconds * 1000)) / 1000) * 1000;
    const fromMs = Date.now();
    chat.chief.says(`clip ${camera.number} ${typedMoment(startMs)} trong ${seconds} giây`);
    const files: string[] = [];
    let bytes = 0;
    let readyMs = Number.NaN;
    let wholeMs = Number.NaN;
    for (let parts = 1; files.length < parts; ) {
      const call = await answerOf(chat, fromMs);
      const [file] = call.files;
      if (file === undefined) {
        if (/đang lấy clip/.test(String(call.params.text))) continue;
        throw new Error(`no clip: ${call.params.text}`);
      }
      parts = Number(/^Phần \d+\/(\d+)/m.exec(captionOf(call))?.[1] ?? 1);
      if (files.length === 0) readyMs = call.atMs - fromMs;
      wholeMs = call.wholeMs! - fromMs;
      files.push(file.path);
      bytes += file.sizeBytes;
    }
    const faults = await faultsOf(files, asked, startMs, false);
    made.push({ readyMs, wholeMs, files: files.length, bytes, faults });
  }
  return made;
}

/** Waits until the camera's sub stream is recorded. */
async function untilSubRecords({ client }: Chat, { id }: ChatCamera): Promise<void> {
  for (const until = Date.now() + 60_000; Date.now() < until; await pause(0.5)) {
    const { recorded } = await client.coverage(id, { startMs: 0, endMs: Date.now() }, 'sub');
    if (recorded.length > 0) return;
  }
  throw new Error('the sub stream is not recorded');
}

/**
 * `rounds` clips (8) of each kind at the API, half as many by chat. `seconds` are recorded before the first (615): a clip
 * is `ROOM_SECONDS` shorter, 10 min at most.
 */
export async function longClips({
  rounds = 8,
  seconds = LONG_SECONDS + ROOM_SECONDS,
  say,
}: BenchOptions): Promise<Section[]> {
  const long = Math.min(LONG_SECONDS, seconds - ROOM_SECONDS);
  if (long < 1) throw new Error(`--seconds is more than ${ROOM_SECONDS}`);
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-long-'));
  const rows: Row[] = [];
  const previews: Row[] = [];
  try {
    await whileServingEach([S1, S2, S3, SUB], async (served) => {
      const films = await Promise.all(served.map(({ stream }) => Film.of(stream)));
      const urls = served.map(({ server, paths }) => server.url(paths[0]!));
      await whileChatting(urls.slice(0, 3), async (chat) => {
        const hevc = chat.cameras[2]!;
        await chat.client.changeCamera(hevc.id, { subUrl: urls[3]! });
        await untilSubRecords(chat, hevc);
        say(`recording ${seconds} s`);
        await pause(seconds);
        const half = Math.max(1, Math.round(rounds / 2));
        for (const [i, name] of ['720p15 H.264, 2 Mbps', '1080p25 H.264, 4 Mbps'].entries()) {
          const asked = { camera: chat.cameras[i]!, shown: served[i]!, film: films[i]!, seconds: long };
          say(`${name}: clips of ${long} s`);
          rows.push({ name: `${name}: API`, made: await byApi(chat, asked, rounds, folder) });
          const parts = await byApi(chat, asked, half, folder, { maxBytes: CHAT_BYTES });
          rows.push({ name: `${name}: API, files of 49 MB`, made: parts });
          rows.push({ name: `${name}: by chat`, made: await byChat(chat, asked, half) });
        }
        say(`H.265: previews of ${CLIP_SECONDS} s`);
        const asked = { camera: hevc, shown: served[3]!, film: films[3]!, seconds: CLIP_SECONDS };
        const short = { ...asked, seconds: Math.min(CLIP_SECONDS, long) };
        const api = await byApi(chat, short, rounds, folder, { stream: 'sub' });
        previews.push({ name: 'H.265 preview from the sub stream: API', made: api });
        const said = await byChat(chat, short, rounds);
        previews.push({ name: 'H.265 preview from the sub stream: by chat', made: said });
      });
    });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
  for (const { name, made } of [...rows, ...previews])
    for (const { faults } of made) if (faults.length > 0) say(`${name}: ${faults.join('; ')}`);

  const of = (made: readonly Made[], what: (one: Made) => number, share: number) =>
    percentile(made.map(what), share);
  const bar = ({ name, made }: Row, most: number) => {
    const [p50, p95] = [of(made, (one) => one.readyMs, 0.5), of(made, (one) => one.readyMs, 0.95)];
    return {
      what: `${name}: ready ≤ ${most / 1000} s`,
      figure: `${show(p50)} ms p50, ${show(p95)} ms p95`,
      reached: p95 <= most,
    };
  };
  const all = [...rows, ...previews];
  const faulty = all.flatMap(({ made }) => made).filter(({ faults }) => faults.length > 0);
  return [
    {
      title: `Clip of ${show(long / 60)} min, and ${CLIP_SECONDS} s of an H.265 camera`,
      how: `The whole product in real mode; three cameras recorded ${seconds} s before the first clip, the H.265 one (1080p25, 3 Mbps) with a sub stream (H.264, 360p15, 0.5 Mbps). Ready: asked until the recorder says done (API), or until the first file reaches the stand-in of the platform (chat, which takes files of 50 MB and a message a second: a long clip comes in parts). Whole: all fetched over HTTP, or all there at the platform. Every frame of every clip is told by its size as ffprobe reads it; of the first clip of a kind all pictures are decoded too.`,
      columns: ['', 'clips', 'files', 'MB', 'ready ms p50', 'ready ms p95', 'whole ms p50', 'whole ms p95'],
      rows: all.map(({ name, made }) => [
        name,
        String(made.length),
        String(Math.max(...made.map(({ files }) => files))),
        of(made, (one) => one.bytes / 1e6, 0.5),
        of(made, (one) => one.readyMs, 0.5),
        of(made, (one) => one.readyMs, 0.95),
        of(made, (one) => one.wholeMs, 0.5),
        of(made, (one) => one.wholeMs, 0.95),
      ]),
      bars: [
        ...rows.map((one) => bar(one, LONG_BAR_MS)),
        ...previews.map((one) => bar(one, PREVIEW_BAR_MS)),
        {
          what: 'every clip whole: each frame there and in order, from the moment asked on',
          figure:
            faulty.length === 0 ? '0 faulty' : `${faulty.length} faulty: ${faulty[0]!.faults.join('; ')}`,
          reached: faulty.length === 0,
        },
      ],
    },
  ];
}
