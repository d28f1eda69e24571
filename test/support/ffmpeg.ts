/** ffmpeg and ffprobe as the tests use them: to make pictures and to judge what the product made. */
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

export interface TestFfmpeg {
  path: string;
  /** as printed: "5.1.9-0+deb12u1", "N-92722-gf22fcd4483-static …" */
  version: string;
  /** of the release; of a build that prints no number the release its libavcodec belongs to */
  major: number;
}

function versionOf(path: string): TestFfmpeg | null {
  const run = spawnSync(path, ['-hide_banner', '-version'], { encoding: 'utf8', timeout: 15_000 });
  const version = /^ffmpeg version (\S+)/.exec(run.stdout ?? '')?.[1];
  if (!version) return null;
  const number = /^n?(\d+)\./.exec(version)?.[1];
  const codecs = /libavcodec\s+(\d+)\./.exec(run.stdout)?.[1];
  return { path, version, major: Number(number ?? Number(codecs) - 54) };
}

/** The ffmpeg that comes with npm (2018), or null where there is none for this platform. */
export function bundledFfmpeg(): TestFfmpeg | null {
  try {
    return versionOf((require('@ffmpeg-installer/ffmpeg') as { path: string }).path);
  } catch {
    return null;
  }
}

/** The ffmpeg on PATH, or null. */
export function systemFfmpeg(): TestFfmpeg | null {
  return versionOf('ffmpeg');
}

let found: TestFfmpeg | undefined;

/** FFMPEG_PATH, else the one on PATH, else the one from npm. */
export function testFfmpeg(): TestFfmpeg {
  if (found) return found;
  const configured = process.env.FFMPEG_PATH;
  const ffmpeg = (configured ? versionOf(configured) : null) ?? systemFfmpeg() ?? bundledFfmpeg();
  if (!ffmpeg) throw new Error('no ffmpeg: neither FFMPEG_PATH, nor on PATH, nor from npm');
  found = ffmpeg;
  return ffmpeg;
}

/** ffmpeg's option for "give me every frame as it is", which changed its name. */
export function passthrough(ffmpeg: TestFfmpeg): string[] {
  return ffmpeg.major >= 6 ? ['-fps_mode', 'passthrough'] : ['-vsync', '0'];
}

/** The option that limits waiting on an RTSP socket, in microseconds; before 5 `-timeout` meant "listen". */
export function rtspTimeout(ffmpeg: TestFfmpeg, seconds: number): string[] {
  return [ffmpeg.major >= 5 ? '-timeout' : '-stimeout', String(Math.round(seconds * 1e6))];
}

export interface ProgramRun {
  /** null when killed by a signal */
  code: number | null;
  stdout: Buffer;
  stderr: string;
}

/** Runs a program to its end. `input` is written to stdin; aborting kills it. */
export function runProgram(
  path: string,
  args: string[],
  options: { input?: AsyncIterable<Uint8Array> | Uint8Array; signal?: AbortSignal } = {},
): Promise<ProgramRun> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { stdio: ['pipe', 'pipe', 'pipe'], windowsHide: true });
    const stdout: Buffer[] = [];
    let stderr = '';
    child.stdout.on('data', (bytes: Buffer) => stdout.push(bytes));
    child.stderr.on('data', (bytes: Buffer) => {
      stderr = (stderr + bytes.toString()).slice(-20_000);
    });
    // A child that ends early closes its stdin: its exit code tells, not the broken pipe.
    child.stdin.on('error', () => {});
    child.once('error', reject);
    const closed = new Promise<void>((ended) => child.once('close', () => ended()));
    child.once('close', (code) => resolve({ code, stdout: Buffer.concat(stdout), stderr }));
    const kill = () => child.kill('SIGKILL');
    if (options.signal?.aborted) kill();
    options.signal?.addEventListener('abort', kill, { once: true });
    void (async () => {
      if (options.input instanceof Uint8Array) child.stdin.write(options.input);
      else if (options.input) {
        for await (const bytes of options.input) {
          if (child.stdin.destroyed) break;
          if (!child.stdin.write(bytes)) {
            await Promise.race([once(child.stdin, 'drain'), closed]);
          }
        }
      }
      child.stdin.end();
    })().catch(reject);
  });
}

/** Runs ffmpeg, throws with its last words when it fails, gives back its stdout. */
export async function runFfmpeg(
  args: string[],
  options: { input?: AsyncIterable<Uint8Array> | Uint8Array; signal?: AbortSignal } = {},
): Promise<Buffer> {
  const run = await runProgram(testFfmpeg().path, ['-hide_banner', '-loglevel', 'error', ...args], options);
  if (run.code !== 0) throw new Error(`ffmpeg ended with ${run.code}: ${run.stderr.slice(-1500)}`);
  return run.stdout;
}

export interface ProbedStream {
  codec_type: string;
  codec_name: string;
  profile?: string;
  pix_fmt?: string;
  width?: number;
  height?: number;
  duration?: string;
  start_time?: string;
  nb_frames?: string;
  avg_frame_rate?: string;
  sample_rate?: string;
  channels?: number;
}

export interface ProbedPacket {
  stream_index: number;
  pts_time?: string;
  dts_time?: string;
  duration_time?: string;
  size: string;
  /** begins with K for a keyframe */
  flags: string;
}

export interface Probed {
  streams: ProbedStream[];
  format: { format_name: string; duration?: string; size?: string; bit_rate?: string; start_time?: string };
  packets?: ProbedPacket[];
}

/** What ffprobe says of a file; with `packets` every packet too. Throws when ffprobe can't read it. */
export async function probeFile(file: string, options: { packets?: boolean } = {}): Promise<Probed> {
  const path = (require('@ffprobe-installer/ffprobe') as { path: string }).path;
  const args = ['-v', 'error', '-of', 'json', '-show_streams', '-show_format'];
  if (options.packets) args.push('-show_packets');
  const run = await runProgram(path, [...args, file]);
  if (run.code !== 0) throw new Error(`ffprobe ended with ${run.code}: ${run.stderr}`);
  return JSON.parse(run.stdout.toString()) as Probed;
}
