/** gst-rtsp-server, a real RTSP server that nobody of us wrote, as a child process. Needs `gst.available`. */
import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdtemp, rename, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { extname, join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Codec } from '../annexb.js';
import { runFfmpeg } from '../ffmpeg.js';
import { projectRoot } from '../project-root.js';

export interface GstMount {
  /** "/cam1" */
  path: string;
  /** elementary stream with access unit delimiters (a PreparedStream's file), or any film ffmpeg reads; without `order` no B-frames */
  file: string;
  codec: Codec;
  fps: number;
  /** needed to watch; mounts without are open */
  user?: string;
  password?: string;
  /** one server speaks one of them; digest when not said */
  scheme?: 'digest' | 'basic';
  /** which frame each unit shows, in the order sent; a film with B-frames has one */
  order?: number[];
  /** its clock began so many frames before the server's start */
  startFrame?: number;
  /** a tone beside the pictures */
  audio?: 'pcma' | 'aac';
  /** every picture has the same RTP time */
  timeless?: true;
  /** parameter sets stand before keyframes only, and not in SDP */
  bare?: true;
}

export interface GstServerOptions {
  mounts: GstMount[];
  /** 0 (default): any free one */
  port?: number;
  host?: string;
}

export interface GstServer {
  port: number;
  pid: number;
  /** address of a mount, with its user and password unless told otherwise */
  url(path: string, options?: { credentials?: boolean; user?: string; password?: string }): string;
  /** when frame n since the start was sent, epoch ms; frames missed during a pause were never sent */
  sentMs(path: string, frame: number): number;
  /** the frame due at this moment */
  frameAt(path: string, ms: number): number;
  /** N: frame n shows picture n mod N */
  frames(path: string): number;
  /** cuts the connections of everybody watching a mount, a moment later; who connects again is served */
  drop(path: string): void;
  /** how well it keeps time itself since last asked: the latest frame, ms, and frames left out for being over 1 s late */
  late(): Promise<{ worstMs: number; skipped: number }>;
  /** goes silent without closing anything (not on Windows) */
  pause(): void;
  resume(): void;
  /** dies at once, as when the power goes */
  kill(): Promise<void>;
  stop(): Promise<void>;
}

/** Turns any film into an elementary stream the server can feed; kept in the temp folder. */
async function toElementary(file: string, codec: Codec): Promise<string> {
  if (['.h264', '.hevc'].includes(extname(file))) return file;
  const { size, mtimeMs } = await stat(file);
  const key = createHash('sha256')
    .update(JSON.stringify([file, size, mtimeMs]))
    .digest('hex')
    .slice(0, 16);
  const made = join(tmpdir(), `mat-than-test-media-${key}.${codec}`);
  if (existsSync(made)) return made;
  const unfinished = `${made}.${randomUUID()}`;
  const filters =
    codec === 'h264'
      ? 'h264_mp4toannexb,h264_metadata=aud=insert'
      : 'hevc_mp4toannexb,hevc_metadata=aud=insert';
  try {
    await runFfmpeg(['-i', file, '-map', '0:v:0', '-c', 'copy', '-bsf:v', filters, '-f', codec, unfinished]);
    await rename(unfinished, made);
  } finally {
    await rm(unfinished, { force: true });
  }
  return made;
}

/** A second of a 500 Hz tone as a camera encodes it; kept in the temp folder. */
async function toneFile(kind: 'pcma' | 'aac'): Promise<string> {
  const made = join(tmpdir(), `mat-than-test-tone-2.${kind}`);
  if (existsSync(made)) return made;
  const unfinished = `${made}.${randomUUID()}`;
  const encoder =
    kind === 'pcma'
      ? ['-ar', '8000', '-c:a', 'pcm_alaw', '-f', 'alaw']
      : ['-ar', '16000', '-c:a', 'aac', '-f', 'adts'];
  await runFfmpeg(['-f', 'lavfi', '-i', 'sine=500:duration=1.024', '-ac', '1', ...encoder, unfinished]);
  await rename(unfinished, made);
  return made;
}

/** Starts the server and waits until it listens. Throws with its last words when it can't. */
export async function startGstServer(options: GstServerOptions): Promise<GstServer> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-gst-'));
  const mounts = await Promise.all(
    options.mounts.map(async (mount) => ({
      ...mount,
      file: await toElementary(mount.file, mount.codec),
      ...(mount.audio && { audioFile: await toneFile(mount.audio) }),
    })),
  );
  const config = join(folder, 'server.json');
  await writeFile(
    config,
    JSON.stringify({ host: options.host ?? '127.0.0.1', port: options.port ?? 0, mounts }),
    { mode: 0o600 },
  );
  const script = join(projectRoot, 'test', 'support', 'gst', 'server.py');
  const child = spawn('/usr/bin/python3', [script, config], { stdio: ['pipe', 'pipe', 'pipe'] });
  let words = '';
  child.stderr.on('data', (bytes: Buffer) => {
    words = (words + bytes.toString()).slice(-4000);
  });
  child.stdin.on('error', () => {});
  const ended = new Promise<void>((resolve) => {
    child.once('close', () => resolve());
    child.once('error', () => resolve());
  });
  // Nothing may outlive the test run, even when a test forgets to stop the server: stdin closes with us.
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([once(lines, 'line') as Promise<[string]>, ended]);
  await rm(folder, { recursive: true, force: true });
  if (!first) throw new Error(`gst-rtsp-server did not start: ${words}`);
  const told = JSON.parse(first[0]) as {
    port: number;
    mounts: Record<string, { frame0Ms: number; frames: number }>;
  };
  const mountOf = (path: string) => {
    const mount = mounts.find((one) => one.path === path);
    const clock = told.mounts[path];
    if (!mount || !clock) throw new Error(`no mount ${path}`);
    return { ...mount, ...clock };
  };

  let lateness: Promise<unknown> = Promise.resolve();

  return {
    port: told.port,
    pid: child.pid!,
    url(path, { credentials = true, user, password } = {}) {
      const mount = mountOf(path);
      const name = user ?? mount.user;
      const secret = password ?? mount.password ?? '';
      const login =
        credentials && name !== undefined ? `${encodeURIComponent(name)}:${encodeURIComponent(secret)}@` : '';
      return `rtsp://${login}${options.host ?? '127.0.0.1'}:${told.port}${path}`;
    },
    sentMs(path, frame) {
      const mount = mountOf(path);
      return mount.frame0Ms + (frame * 1000) / mount.fps;
    },
    frameAt(path, ms) {
      const mount = mountOf(path);
      return Math.floor(((ms - mount.frame0Ms) * mount.fps) / 1000);
    },
    frames: (path) => mountOf(path).frames,
    drop: (path) => void child.stdin.write(`drop ${path}\n`),
    late() {
      const asked = lateness.then(async () => {
        child.stdin.write('late\n');
        const answer = await Promise.race([once(lines, 'line') as Promise<[string]>, ended]);
        if (!answer) throw new Error('gst-rtsp-server has ended');
        return JSON.parse(answer[0]) as { worstMs: number; skipped: number };
      });
      lateness = asked;
      return asked;
    },
    pause: () => void child.kill('SIGSTOP'),
    resume: () => void child.kill('SIGCONT'),
    async kill() {
      child.kill('SIGKILL');
      await ended;
    },
    async stop() {
      child.kill('SIGCONT');
      child.stdin.end();
      const late = setTimeout(() => child.kill('SIGKILL'), 3000);
      await ended;
      clearTimeout(late);
    },
  };
}
