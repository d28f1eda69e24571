export interface Ffmpeg {
  path: string;
  /** as it names itself: "5.1.9-0+deb12u1", "n7.1", "git-2018-…" */
  version: string;
  /** 4 for the builds that don't say (git snapshots are judged by their library versions) */
  major: number;
  kind: 'configured' | 'system' | 'static' | 'installer';
}

/**
 * The ffmpeg to use: `configured` (FFMPEG_PATH), else `ffmpeg` on PATH if ≥ 5, else the package `ffmpeg-static`,
 * else `@ffmpeg-installer/ffmpeg`. Throws WorldError('not-found') when none runs; a configured one that does not
 * run is an error, not a reason to take another.
 */
export function findFfmpeg(_options: { configured?: string | undefined } = {}): Promise<Ffmpeg> {
  throw new Error('being built');
}

export interface RunOptions {
  /** written to stdin one after the other; stdin is closed otherwise */
  input?: Iterable<Buffer>;
  /** more on stdout than this kills the child; default 64 MiB */
  maxOutputBytes?: number;
  /** default none */
  timeoutMs?: number;
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

/** Runs ffmpeg to its end. Rejects only when it can't be started. */
export function runFfmpeg(
  _ffmpeg: Pick<Ffmpeg, 'path'>,
  _args: string[],
  _options: RunOptions = {},
): Promise<RunResult> {
  throw new Error('being built');
}
