import fs from 'node:fs/promises';
import process from 'node:process';
import { CHAT_VIDEO, type Ffmpeg, runFfmpeg } from '../base/ffmpeg.js';

/** What we dare to decode: content type → the one demuxer ffmpeg may use for it, and the decoders. */
const FORMATS: Record<string, { kind: 'photo' | 'video'; demuxer: string; decoders: string }> = {
  'image/jpeg': { kind: 'photo', demuxer: 'jpeg_pipe', decoders: 'mjpeg' },
  'image/png': { kind: 'photo', demuxer: 'png_pipe', decoders: 'png' },
  'image/webp': { kind: 'photo', demuxer: 'webp_pipe', decoders: 'webp,vp8' },
  'video/mp4': { kind: 'video', demuxer: 'mov', decoders: 'h264,hevc,mpeg4,aac,mp3' },
  'video/quicktime': { kind: 'video', demuxer: 'mov', decoders: 'h264,hevc,mpeg4,aac,pcm_s16le' },
  'video/3gpp': { kind: 'video', demuxer: 'mov', decoders: 'h264,h263,mpeg4,aac,amrnb,amrwb' },
  'video/webm': { kind: 'video', demuxer: 'matroska', decoders: 'vp8,vp9,opus,vorbis' },
};

export const decodable = (mime: string) => FORMATS[mime]?.kind ?? null;

/** Limits of one decoding. */
export interface DecodeLimits {
  photoTimeMs: number;
  videoTimeMs: number;
  /** address space of the child, bytes (Linux) */
  memoryBytes: number;
  /** largest file it may write, bytes */
  outputBytes: number;
  /** largest picture it may decode, pixels */
  pixels: number;
  /** longest video, seconds; the rest is left out */
  videoS: number;
}

export const DECODE_LIMITS: DecodeLimits = {
  photoTimeMs: 15_000,
  videoTimeMs: 180_000,
  memoryBytes: 2 * 1024 ** 3,
  outputBytes: 45 * 1000 * 1000,
  pixels: 50_000_000,
  videoS: 300,
};

export interface Decoded {
  width: number;
  height: number;
  durationMs: number;
}

/**
 * Arguments that decode an untrusted file and encode it anew: one demuxer, few decoders, no protocol but files and
 * pipes, no references out of the file, a limit on pixels, bytes and seconds.
 */
export function decodeArguments(
  mime: string,
  input: string,
  output: string,
  limits: DecodeLimits,
): string[] | null {
  const format = FORMATS[mime];
  if (format === undefined) return null;
  const safeInput = [
    ...['-hide_banner', '-nostdin', '-v', 'info', '-max_alloc', String(512 * 1024 * 1024)],
    ...['-protocol_whitelist', 'file,pipe', '-format_whitelist', format.demuxer, '-f', format.demuxer],
    ...['-codec_whitelist', format.decoders, '-max_pixels', String(limits.pixels), '-threads', '1'],
    ...(format.demuxer === 'mov' ? ['-enable_drefs', '0', '-use_absolute_path', '0'] : []),
    ...['-i', `file:${input}`],
  ];
  const safeOutput = [
    '-map_metadata',
    '-1',
    '-map_chapters',
    '-1',
    '-fs',
    String(limits.outputBytes),
    '-y',
    `file:${output}`,
  ];
  if (format.kind === 'photo') {
    const fitted = "scale='min(2560,iw)':'min(2560,ih)':force_original_aspect_ratio=decrease";
    return [
      ...safeInput,
      '-frames:v',
      '1',
      '-vf',
      fitted,
      '-pix_fmt',
      'yuvj420p',
      '-q:v',
      '3',
      '-f',
      'mjpeg',
      ...safeOutput,
    ];
  }
  return [
    ...safeInput,
    ...['-map', '0:v:0', '-map', '0:a:0?', '-t', String(limits.videoS)],
    ...[
      '-vf',
      "scale='min(1280,iw)':'min(1280,ih)':force_original_aspect_ratio=decrease:force_divisible_by=2",
    ],
    ...[...CHAT_VIDEO, '-maxrate', '2500k', '-bufsize', '5000k'],
    ...[
      '-pix_fmt',
      'yuv420p',
      '-c:a',
      'aac',
      '-b:a',
      '64k',
      '-ac',
      '1',
      '-movflags',
      '+faststart',
      '-f',
      'mp4',
    ],
    ...safeOutput,
  ];
}

/** On Linux the child gets a ceiling for its memory and its files by the shell's own limits. */
function limited(ffmpeg: Ffmpeg, args: string[], limits: DecodeLimits): { path: string; args: string[] } {
  if (process.platform !== 'linux') return { path: ffmpeg.path, args };
  const memoryKiB = Math.floor(limits.memoryBytes / 1024);
  const blocks = Math.ceil((limits.outputBytes * 1.1) / 512);
  return {
    path: '/bin/sh',
    args: [
      '-c',
      `ulimit -v ${memoryKiB}; ulimit -f ${blocks}; ulimit -c 0; exec "$0" "$@"`,
      ffmpeg.path,
      ...args,
    ],
  };
}

const toMs = (clock: string) => {
  const [hours, minutes, seconds] = clock.split(':').map(Number);
  return Math.round(((hours! * 60 + minutes!) * 60 + seconds!) * 1000);
};

/**
 * Decodes an untrusted photo or video in a limited child and writes our own encoding of it.
 * @returns its size, or null when it can't or must not be decoded; nothing is left at `output` then
 */
export async function decodeUntrusted(
  ffmpeg: Ffmpeg,
  mime: string,
  input: string,
  output: string,
  limits: DecodeLimits = DECODE_LIMITS,
  signal?: AbortSignal,
): Promise<Decoded | null> {
  // Before 5, demuxers have known holes and -codec_whitelist no effect on some: such files go on undecoded.
  const args = ffmpeg.major < 5 ? null : decodeArguments(mime, input, output, limits);
  if (args === null) return null;
  const command = limited(ffmpeg, args, limits);
  const result = await runFfmpeg({ path: command.path }, command.args, {
    timeoutMs: decodable(mime) === 'photo' ? limits.photoTimeMs : limits.videoTimeMs,
    signal,
    nice: true,
    maxOutputBytes: 1024,
  });
  const size = (await fs.stat(output).catch(() => null))?.size ?? 0;
  const written = /Output #0[\s\S]*?Video: [^\n]*?\b(\d{2,5})x(\d{2,5})\b/.exec(result.stderr);
  const times = [...result.stderr.matchAll(/\btime=(\d+:\d\d:\d\d\.\d+)/g)];
  if (result.code !== 0 || size === 0 || written === null) {
    await fs.rm(output, { force: true });
    return null;
  }
  return {
    width: Number(written[1]),
    height: Number(written[2]),
    durationMs: decodable(mime) === 'video' && times.length > 0 ? toMs(times.at(-1)![1]!) : 0,
  };
}
