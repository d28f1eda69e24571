import { type ChildProcessWithoutNullStreams, spawn } from 'node:child_process';
import { access, chmod, constants } from 'node:fs/promises';
import { constants as os, setPriority } from 'node:os';
import process from 'node:process';
import { SECRET_SETTINGS } from './config.js';
import { WorldError } from './errors.js';

export interface Ffmpeg {
  path: string;
  /** as it names itself: "5.1.9-0+deb12u1", "n7.1", "git-2018-…" */
  version: string;
  /** of the release; of builds named otherwise ("git-…", "N-…") the release their libavcodec belongs to */
  major: number;
  kind: 'configured' | 'system' | 'static' | 'installer';
}

const OLDEST_SYSTEM_MAJOR = 5;

/**
 * The ffmpeg to use: `configured` (FFMPEG_PATH), else `ffmpeg` on PATH if ≥ 5, else the package `ffmpeg-static`,
 * else `@ffmpeg-installer/ffmpeg`. Throws WorldError('not-found') when none runs; a configured one that does not
 * run is an error, not a reason to take another.
 */
export async function findFfmpeg(options: { configured?: string | undefined } = {}): Promise<Ffmpeg> {
  if (options.configured) {
    const found = await tryFfmpeg(options.configured, 'configured');
    if (typeof found === 'string') throw new WorldError('not-found', `FFMPEG_PATH does not run: ${found}`);
    return found;
  }
  const refused: string[] = [];
  for (const kind of ['system', 'static', 'installer'] as const) {
    const path = kind === 'system' ? 'ffmpeg' : await packagedPath(kind);
    const found = path === null ? 'not installed' : await tryFfmpeg(path, kind);
    if (typeof found === 'string') refused.push(`${kind}: ${found}`);
    else if (kind === 'system' && found.major < OLDEST_SYSTEM_MAJOR)
      refused.push(`system: ${found.version} is too old`);
    else return found;
  }
  throw new WorldError(
    'not-found',
    `no ffmpeg to be found (${refused.join('; ')}); install ffmpeg ${OLDEST_SYSTEM_MAJOR} or newer or set FFMPEG_PATH`,
  );
}

/** Path of the executable a package brings, made executable; null when the package or its file is not there. */
async function packagedPath(kind: 'static' | 'installer'): Promise<string | null> {
  const name: string = kind === 'static' ? 'ffmpeg-static' : '@ffmpeg-installer/ffmpeg';
  try {
    const { default: brought }: { default: unknown } = await import(name);
    const path = kind === 'static' ? brought : (brought as { path?: unknown } | null)?.path;
    if (typeof path !== 'string') return null;
    await access(path);
    // its install script may not have run
    await access(path, constants.X_OK).catch(() => chmod(path, 0o755));
    return path;
  } catch {
    return null;
  }
}

/** Asks an executable for its version; a sentence when it does not run. */
async function tryFfmpeg(path: string, kind: Ffmpeg['kind']): Promise<Ffmpeg | string> {
  try {
    const result = await runFfmpeg({ path }, ['-version'], {
      timeoutMs: 10_000,
      maxOutputBytes: 1024 * 1024,
    });
    const told = readVersion(result.stdout.toString('utf8'));
    if (result.code !== 0 || !told) return `${path} is no ffmpeg`;
    return { path, ...told, kind };
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** Reads the answer to `ffmpeg -version`; null when it is none. */
export function readVersion(text: string): { version: string; major: number } | null {
  const version = /^ffmpeg version (\S+)/m.exec(text)?.[1];
  if (!version) return null;
  const named = /^n?(\d{1,2})(\.|-|$)/.exec(version)?.[1];
  if (named) return { version, major: Number(named) };
  // libavcodec 58 is ffmpeg 4, 59 is 5, and so on
  const library = /^libavcodec\s+(\d+)\./m.exec(text)?.[1];
  return { version, major: library ? Number(library) - 54 : 4 };
}

/** Options by which no frame is dropped or doubled to make a constant rate; `-vsync` is on its way out since 5.1. */
export const everyFrameOnce = (major: number) =>
  major >= 6 ? ['-fps_mode', 'passthrough'] : ['-vsync', '0'];

export interface RunOptions {
  /** written to stdin one after the other; stdin is closed otherwise */
  input?: Iterable<Buffer>;
  /** more on stdout than this kills the child; default 64 MiB */
  maxOutputBytes?: number;
  /** default none */
  timeoutMs?: number | undefined;
  signal?: AbortSignal | undefined;
  /** lower its priority so that recording goes first */
  nice?: boolean;
  /** called with each piece of stdout instead of keeping it */
  onOutput?: (chunk: Buffer) => void;
}

export interface RunResult {
  /** null when killed */
  code: number | null;
  stdout: Buffer;
  /** the last 16 KiB */
  stderr: string;
  ended: 'exit' | 'timeout' | 'aborted' | 'too-much-output';
}

const STDERR_BYTES = 16 * 1024;

/** Runs ffmpeg to its end. Rejects only when it can't be started. */
export function runFfmpeg(
  ffmpeg: Pick<Ffmpeg, 'path'>,
  args: string[],
  options: RunOptions = {},
): Promise<RunResult> {
  const { timeoutMs, signal, maxOutputBytes = 64 * 1024 * 1024 } = options;
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      resolve({ code: null, stdout: Buffer.alloc(0), stderr: '', ended: 'aborted' });
      return;
    }
    const child = spawn(ffmpeg.path, args, {
      stdio: 'pipe',
      windowsHide: true,
      env: withoutKeys(process.env),
    });
    let ended: RunResult['ended'] = 'exit';
    const kill = (why: RunResult['ended']) => {
      if (ended === 'exit') ended = why;
      child.kill('SIGKILL');
    };
    const timer = timeoutMs === undefined ? undefined : setTimeout(() => kill('timeout'), timeoutMs);
    const onAbort = () => kill('aborted');
    signal?.addEventListener('abort', onAbort, { once: true });
    const done = () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', onAbort);
    };

    const output: Buffer[] = [];
    let outputBytes = 0;
    child.stdout.on('data', (chunk: Buffer) => {
      outputBytes += chunk.length;
      if (outputBytes > maxOutputBytes) kill('too-much-output');
      else if (options.onOutput) options.onOutput(chunk);
      else output.push(chunk);
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_BYTES);
    });
    feed(child, options.input ?? []);
    child.once('spawn', () => {
      if (options.nice) lower(child.pid);
    });
    child.once('error', (error) => {
      done();
      // a running child that can't be killed or spoken to still closes; only a failed start has no pid
      if (child.pid === undefined) reject(error);
    });
    child.once('close', (code) => {
      done();
      resolve({ code, stdout: Buffer.concat(output), stderr, ended });
    });
  });
}

/** The environment without our keys and tokens: a child that decodes strangers' files has no use for them. */
export function withoutKeys(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const names = new Set<string>(SECRET_SETTINGS);
  return Object.fromEntries(Object.entries(env).filter(([name]) => !names.has(name)));
}

/** Writes with back pressure; a child that stops reading (EPIPE) is not an error: its exit tells what happened. */
function feed(child: ChildProcessWithoutNullStreams, input: Iterable<Buffer>): void {
  const { stdin } = child;
  stdin.on('error', () => {});
  const pieces = input[Symbol.iterator]();
  const write = () => {
    for (;;) {
      const next = pieces.next();
      if (next.done) {
        stdin.end();
        return;
      }
      if (stdin.destroyed) return;
      if (!stdin.write(next.value)) {
        stdin.once('drain', write);
        return;
      }
    }
  };
  write();
}

function lower(pid: number | undefined): void {
  try {
    if (pid !== undefined) setPriority(pid, os.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // it may have ended already, or the system may not allow it: it runs all the same
  }
}

/** The encoder for videos that play inside a messenger: H.264 main, as every phone decodes it. */
export const CHAT_VIDEO = [
  '-c:v',
  'libx264',
  '-profile:v',
  'main',
  '-preset',
  'veryfast',
  '-crf',
  '26',
] as const;
