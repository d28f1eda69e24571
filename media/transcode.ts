/** Makes a built clip into H.264 that plays in every messenger. */
import { rm, stat } from 'node:fs/promises';
import PQueue from 'p-queue';
import { WorldError } from '../src/base/errors.js';
import { CHAT_VIDEO, everyFrameOnce, type Ffmpeg, runFfmpeg } from '../src/base/ffmpeg.js';

/** One at a time: a transcode takes all the processor it gets. */
const queue = new PQueue({ concurrency: 1 });

const SOUND_BITS = 64_000;
const MOST_BITS = 2_500_000;
/** Less than this a second is not worth looking at: rather more parts. */
export const LEAST_BITS = 800_000;
/** Container and rate control never hit the mark exactly. */
const AIM = 0.93;
const RETRY = 0.9;
/** Slowest machine we would wait for: a tenth of real time, and a minute to begin with. */
const MOST_TIMES_REAL = 10;

export interface TranscodeOptions {
  durationMs: number;
  maxBytes?: number | undefined;
  /** 0–1 */
  onProgress?: ((progress: number) => void) | undefined;
  signal?: AbortSignal | undefined;
}

/** How many seconds of transcoded pictures fit into `maxBytes` at the least quality we send. */
export function secondsThatFit(maxBytes: number): number {
  return (maxBytes * AIM * 8) / (LEAST_BITS + SOUND_BITS);
}

/** Rate limit of the pictures, bits a second, for a clip to fit. */
export function pictureBits(durationMs: number, maxBytes: number | undefined): number {
  if (maxBytes === undefined) return MOST_BITS;
  const fits = (maxBytes * AIM * 8 * 1000) / durationMs - SOUND_BITS;
  return Math.max(50_000, Math.min(MOST_BITS, Math.floor(fits)));
}

export function transcodeArgs(inPath: string, outPath: string, bits: number, major: number): string[] {
  return [
    ...['-v', 'error', '-nostdin', '-y', '-progress', 'pipe:1', '-i', inPath],
    ...[
      '-map',
      '0:v:0',
      '-map',
      '0:a:0?',
      '-vf',
      "scale='min(1280,iw)':-2",
      '-pix_fmt',
      'yuv420p',
      ...everyFrameOnce(major),
    ],
    ...[...CHAT_VIDEO, '-bf', '0', '-g', '100'],
    ...['-maxrate', String(bits), '-bufsize', String(bits * 2), '-c:a', 'copy'],
    ...['-use_editlist', '0', '-movflags', '+faststart', '-f', 'mp4', outPath],
  ];
}

/**
 * Waits for its turn, then writes `outPath` (≤ 1280 wide, sound copied), within `maxBytes`, at low priority.
 * WorldError: too-big, cancelled, timeout, disk-full, invalid (it can't be decoded).
 */
export async function transcode(
  ffmpeg: Ffmpeg,
  inPath: string,
  outPath: string,
  options: TranscodeOptions,
): Promise<{ sizeBytes: number }> {
  const { maxBytes, signal } = options;
  const done = await queue
    .add(
      async () => {
        let bits = pictureBits(options.durationMs, maxBytes);
        for (const last of [false, true]) {
          await once(ffmpeg, transcodeArgs(inPath, outPath, bits, ffmpeg.major), options);
          const { size } = await stat(outPath);
          if (maxBytes === undefined || size <= maxBytes) return { sizeBytes: size };
          if (last) break;
          bits = Math.floor(bits * RETRY * Math.min(1, maxBytes / size));
        }
        await rm(outPath, { force: true });
        throw new WorldError('too-big', 'the clip does not fit even when made smaller');
      },
      signal ? { signal } : {},
    )
    .catch((error: unknown) => {
      throw signal?.aborted ? new WorldError('cancelled', 'the clip was cancelled', { cause: error }) : error;
    });
  return done as { sizeBytes: number };
}

async function once(ffmpeg: Ffmpeg, args: string[], options: TranscodeOptions): Promise<void> {
  let text = '';
  const result = await runFfmpeg(ffmpeg, args, {
    nice: true,
    signal: options.signal,
    timeoutMs: 60_000 + options.durationMs * MOST_TIMES_REAL,
    onOutput: (chunk) => {
      text = (text + chunk.toString('latin1')).slice(-2000);
      const doneUs = /.*out_time_(?:us|ms)=(\d+)/s.exec(text)?.[1];
      if (doneUs) options.onProgress?.(Math.min(1, Number(doneUs) / 1000 / options.durationMs));
    },
  });
  if (result.ended === 'aborted') throw new WorldError('cancelled', 'the clip was cancelled');
  if (result.ended === 'timeout') throw new WorldError('timeout', 'transcoding took too long');
  if (result.code === 0) return;
  if (/No space left on device/.test(result.stderr))
    throw new WorldError('disk-full', 'no space left for the clip');
  throw new WorldError('invalid', `ffmpeg could not transcode: ${result.stderr.trim().split('\n').at(-1)}`);
}
