/** Real footage for the tests, made by ffmpeg on the spot, and written to segment files as the recorder does. */
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll } from 'vitest';
import type { SegmentInfo } from '../../media/clip.js';
import type { Fragment, StreamInit } from '../../media/fragment.js';
import { arrivalLagMs, mediaMs, prftFor } from '../../media/mp4/prft.js';
import { FragmentReader } from '../../media/mp4/reader.js';
import { type Ffmpeg, findFfmpeg, runFfmpeg } from '../../src/base/ffmpeg.js';

const run = promisify(execFile);
const require = createRequire(import.meta.url);
const ffprobe: string = require('@ffprobe-installer/ffprobe').path;

let found: Promise<Ffmpeg> | undefined;
export const ffmpeg = () => {
  found ??= findFfmpeg({ configured: process.env.FFMPEG_PATH });
  return found;
};

/** The ffmpeg every installation has at least. */
export const oldFfmpeg = () => findFfmpeg({ configured: require('@ffmpeg-installer/ffmpeg').path as string });

const folders: string[] = [];
afterAll(() => Promise.all(folders.map((folder) => rm(folder, { recursive: true, force: true }))));

/** A folder of the test file's own, gone afterwards. */
export async function tempFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'mp4-'));
  folders.push(folder);
  return folder;
}

export interface Shot {
  seconds: number;
  codec?: 'libx264' | 'libx265';
  fps?: number;
  size?: string;
  /** frames between keyframes */
  gop?: number;
  bFrames?: number;
  openGop?: boolean;
  audio?: 'aac' | 'alaw';
  /** which picture: another source pattern */
  pattern?: string;
  bitrate?: string;
}

/** An fMP4 stream as the recorder's ffmpeg child gives it: fragments at keyframes and every half second. */
export async function shoot(shot: Shot): Promise<Buffer> {
  const { seconds, codec = 'libx264', fps = 15, size = '320x180', gop = 30, bFrames = 0 } = shot;
  const sound = shot.audio ? ['-f', 'lavfi', '-i', 'sine=frequency=440:sample_rate=16000'] : [];
  const x265 = `log-level=none:keyint=${gop}:min-keyint=${gop}:bframes=${bFrames}:open-gop=${shot.openGop ? 1 : 0}:scenecut=0:info=0`;
  const result = await runFfmpeg(await ffmpeg(), [
    ...[
      '-v',
      'error',
      '-f',
      'lavfi',
      '-i',
      `${shot.pattern ?? 'testsrc2'}=size=${size}:rate=${fps}`,
      ...sound,
    ],
    ...['-t', String(seconds), '-c:v', codec, '-preset', 'ultrafast', '-pix_fmt', 'yuv420p'],
    ...['-g', String(gop), '-bf', String(bFrames), ...(shot.bitrate ? ['-b:v', shot.bitrate] : [])],
    ...(codec === 'libx265'
      ? ['-x265-params', x265]
      : ['-sc_threshold', '0', '-x264-params', `threads=1:open-gop=${shot.openGop ? 1 : 0}`]),
    ...(shot.audio === 'aac' ? ['-c:a', 'aac', '-ar', '16000', '-ac', '1', '-b:a', '32k'] : []),
    ...(shot.audio === 'alaw' ? ['-c:a', 'pcm_alaw', '-ar', '8000', '-ac', '1'] : []),
    ...['-movflags', 'empty_moov+default_base_moof+frag_keyframe', '-frag_duration', '500000'],
    ...['-f', shot.audio === 'alaw' ? 'mov' : 'mp4', 'pipe:1'],
  ]);
  if (result.code !== 0) throw new Error(`no footage: ${result.stderr}`);
  return result.stdout;
}

/** Feeds a stream to a reader in chunks of `chunkBytes`. */
export function readStream(bytes: Buffer, chunkBytes = 65_536): { init: StreamInit; fragments: Fragment[] } {
  let init: StreamInit | undefined;
  const fragments: Fragment[] = [];
  const reader = new FragmentReader({
    init: (one) => {
      init = one;
    },
    fragment: (one) => {
      fragments.push({ ...one, bytes: Buffer.from(one.bytes) });
    },
  });
  for (let at = 0; at < bytes.length; at += chunkBytes) reader.push(bytes.subarray(at, at + chunkBytes));
  if (!init) throw new Error('no init');
  return { init, fragments };
}

/**
 * Writes a stream as segment files of about `segmentS` seconds (cut at keyframes). `startMs`: when its first frame
 * was taken; fragments "arrive" one frame after their end, as from a live camera.
 */
export async function record(
  folder: string,
  name: string,
  stream: Buffer,
  startMs: number,
  segmentS: number,
): Promise<SegmentInfo[]> {
  const { init, fragments } = readStream(stream);
  const base = mediaMs(fragments[0]!.startTicks, init.timescale);
  const at = (ticks: bigint) => startMs + mediaMs(ticks, init.timescale) - base;
  const segments: (SegmentInfo & { pieces: Buffer[] })[] = [];
  for (const fragment of fragments) {
    const from = at(fragment.startTicks);
    const endMs = at(fragment.startTicks + BigInt(fragment.durationTicks));
    let segment = segments.at(-1);
    if (!segment || (fragment.key && from - segment.startMs >= segmentS * 1000 - 1)) {
      segment = {
        path: join(folder, `${name}-${segments.length}.mp4`),
        startMs: from,
        endMs,
        pieces: [init.bytes],
      };
      segments.push(segment);
    }
    segment.pieces.push(
      prftFor({ ...fragment, arrivedMs: Math.round(endMs + arrivalLagMs(fragment, init.timescale)) }, init),
      fragment.bytes,
    );
    segment.endMs = endMs;
  }
  for (const { path, pieces } of segments) await writeFile(path, Buffer.concat(pieces));
  return segments.map(({ path, startMs, endMs }) => ({ path, startMs, endMs }));
}

export interface Probed {
  codec: string;
  tag: string;
  frames: number;
  startS: number;
  durationS: number;
  firstIsKey: boolean;
  audio: { codec: string; frames: number; durationS: number } | null;
  editList: boolean;
}

/** What ffprobe says about a file. */
export async function probe(path: string): Promise<Probed> {
  const { stdout } = await run(
    ffprobe,
    [
      '-v',
      'error',
      '-count_packets',
      '-show_streams',
      '-show_packets',
      '-show_entries',
      'packet=stream_index,flags,pts_time',
      '-of',
      'json',
      path,
    ],
    { maxBuffer: 256 * 1024 * 1024 },
  );
  interface Stream {
    codec_type: string;
    codec_name: string;
    codec_tag_string: string;
    nb_read_packets: string;
    start_time: string;
    duration: string;
    index: number;
  }
  const told = JSON.parse(stdout) as {
    streams: Stream[];
    packets: { stream_index: number; flags: string }[];
  };
  const video = told.streams.find((stream) => stream.codec_type === 'video')!;
  const audio = told.streams.find((stream) => stream.codec_type === 'audio');
  const { stderr } = await run(ffprobe, ['-v', 'trace', path], { maxBuffer: 256 * 1024 * 1024 });
  return {
    codec: video.codec_name,
    tag: video.codec_tag_string,
    frames: Number(video.nb_read_packets),
    startS: Number(video.start_time),
    durationS: Number(video.duration),
    firstIsKey: told.packets.find((packet) => packet.stream_index === video.index)!.flags.startsWith('K'),
    audio: audio
      ? { codec: audio.codec_name, frames: Number(audio.nb_read_packets), durationS: Number(audio.duration) }
      : null,
    editList: /type:'elst'/.test(stderr),
  };
}

/** A first keyframe of an open GOP tells the decoder to forget pictures that it never saw. */
const HARMLESS = /-vsync is deprecated|mmco: unref short failure/;

/** MD5 of each decoded picture; throws when ffmpeg has anything to complain about. */
export async function frameHashes(source: string | Buffer, map = '0:v:0'): Promise<string[]> {
  const result = await runFfmpeg(
    await ffmpeg(),
    [
      '-v',
      'warning',
      '-i',
      typeof source === 'string' ? source : 'pipe:0',
      '-map',
      map,
      '-vsync',
      '0',
      '-f',
      'framemd5',
      'pipe:1',
    ],
    typeof source === 'string' ? {} : { input: [source] },
  );
  const complaints = result.stderr.split('\n').filter((line) => line && !HARMLESS.test(line));
  if (result.code !== 0 || complaints.length)
    throw new Error(`does not decode cleanly: ${complaints.join('\n')}`);
  return result.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(',').at(-1)!.trim());
}

/** Loudest sample of a file's sound, dB (−91 or less is silence). */
export async function loudness(path: string): Promise<number> {
  const result = await runFfmpeg(await ffmpeg(), [
    '-v',
    'info',
    '-i',
    path,
    '-map',
    '0:a:0',
    '-af',
    'volumedetect',
    '-f',
    'null',
    '-',
  ]);
  const told = /max_volume: (-?[\d.]+|-?inf) dB/.exec(result.stderr)?.[1];
  if (told === undefined) throw new Error(`no sound: ${result.stderr}`);
  return told === '-inf' ? Number.NEGATIVE_INFINITY : Number(told);
}

/** MD5 of each packet of sound, undecoded. */
export async function packetHashes(source: string | Buffer): Promise<string[]> {
  const result = await runFfmpeg(
    await ffmpeg(),
    [
      '-v',
      'error',
      '-i',
      typeof source === 'string' ? source : 'pipe:0',
      '-map',
      '0:a:0',
      '-c',
      'copy',
      '-f',
      'framemd5',
      'pipe:1',
    ],
    typeof source === 'string' ? {} : { input: [source] },
  );
  if (result.code !== 0 || result.stderr) throw new Error(result.stderr);
  return result.stdout
    .toString('utf8')
    .split('\n')
    .filter((line) => line && !line.startsWith('#'))
    .map((line) => line.split(',').at(-1)!.trim());
}
