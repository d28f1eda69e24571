/** The recorder service as it runs in a commune, in a folder of its own that goes away with it. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeRecorderClient } from '../media/client.js';
import { readSegmentName } from '../media/recording/names.js';
import type { RecorderClient, StreamName } from '../media/types.js';
import { migrateIndex } from '../src/migrate.js';
import { projectRoot } from '../test/support/project-root.js';

export interface BenchRecorder {
  client: RecorderClient;
  pid: number;
  /** DATA_DIR; recordings lie below `recordings/` */
  folder: string;
  /** kill -9 of the service alone; when it came, epoch ms */
  kill(): Promise<number>;
  /** starts it again on the same folder after `kill` */
  restart(): Promise<void>;
  /** stops it in order; its folder stays */
  end(): Promise<void>;
  /** stops it in order and removes its folder */
  stop(): Promise<void>;
}

/**
 * Starts the recorder as the parent does, on any free port, and waits until it is ready.
 * @param program below dist/: another entry of the same service
 */
export async function startRecorder(
  env: Record<string, string> = {},
  program = 'media/main.js',
): Promise<BenchRecorder> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-'));
  const token = randomBytes(24).toString('base64url');
  const settings = {
    ...process.env,
    DATA_DIR: folder,
    DEMO: '0',
    MAT_THAN_DEMO: '0',
    RECORDER_PORT: '0',
    RECORDER_TOKEN: token,
    SECRET_KEY: randomBytes(32).toString('base64'),
    ...env,
  };
  await migrateIndex(projectRoot, join(folder, 'recorder.db'));

  let child: ChildProcess;
  let port = 0;
  let client: RecorderClient;
  async function launch(): Promise<void> {
    const script = join(projectRoot, 'dist', program);
    child = fork(script, [], {
      env: { ...settings, RECORDER_PORT: String(port) },
      detached: process.platform !== 'win32',
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    let words = '';
    child.stderr?.on('data', (bytes: Buffer) => {
      words = (words + bytes.toString()).slice(-2000);
    });
    port = await new Promise<number>((resolve, reject) => {
      child.on('message', (news: { port?: unknown }) => {
        if (typeof news.port === 'number') resolve(news.port);
      });
      child.once('close', (code) => reject(new Error(`the recorder ended with ${code}: ${words}`)));
    });
    client = makeRecorderClient({ url: `http://127.0.0.1:${port}`, token });
  }
  try {
    await launch();
  } catch (error) {
    await rm(folder, { recursive: true, force: true });
    throw error;
  }

  const gone = async () => {
    if (child.exitCode === null && child.signalCode === null) await once(child, 'exit');
  };
  const end = async () => {
    // To a service the parent's end is an order to stop, on every platform.
    if (child.connected) child.disconnect();
    const late = setTimeout(() => child.kill('SIGKILL'), 15_000);
    await gone();
    clearTimeout(late);
  };
  return {
    get client() {
      return client;
    },
    get pid() {
      return child.pid!;
    },
    folder,
    async kill() {
      const atMs = Date.now();
      child.kill('SIGKILL');
      await gone();
      return atMs;
    },
    restart: launch,
    end,
    async stop() {
      await end();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
}

/** Waits until every camera records; throws after `seconds` with those that don't. */
export async function untilRecording(client: RecorderClient, count: number, seconds = 60): Promise<void> {
  const until = Date.now() + seconds * 1000;
  for (;;) {
    const cameras = await client.cameras();
    const recording = cameras.filter((camera) => camera.state === 'recording');
    if (recording.length === count) return;
    if (Date.now() > until) {
      const others = cameras.filter((camera) => camera.state !== 'recording');
      const words = others.map((camera) => `${camera.id} ${camera.state} ${camera.cause ?? ''}`);
      throw new Error(`${recording.length} of ${count} cameras record: ${words.join(', ')}`);
    }
    await new Promise((go) => setTimeout(go, 250));
  }
}

export interface RecordedFile {
  file: string;
  startMs: number;
}

/** Files of a camera's stream in the recordings' folder, oldest first; the open one too. */
export async function recordedFiles(
  recordings: string,
  id: string,
  stream: StreamName = 'main',
): Promise<RecordedFile[]> {
  const camera = join(recordings, id, stream);
  const entries = await readdir(camera, { recursive: true }).catch(() => []);
  return entries
    .flatMap((entry) => {
      const named = readSegmentName(entry.replaceAll('\\', '/'));
      return named === null ? [] : [{ file: join(camera, entry), startMs: named.startMs }];
    })
    .sort((a, b) => a.startMs - b.startMs);
}

/** Adds cameras `cam<from + 1>` … and waits until all record. Throws as `untilRecording`. */
export async function addCameras(client: RecorderClient, urls: readonly string[], from = 0): Promise<void> {
  for (const [i, url] of urls.entries()) {
    const id = `cam${from + i + 1}`;
    await client.addCamera({ id, name: id, url });
  }
  await untilRecording(client, from + urls.length, 180);
}

/** Says when a camera's recording broke off, and why: then a gap in what is measured has its cause beside it. */
export function tellingOutages(client: RecorderClient, say: (line: string) => void): AsyncDisposable {
  const enough = new AbortController();
  const listening = (async () => {
    for await (const { kind, cameraId, data } of client.events(0, enough.signal))
      if (kind === 'camera-down') say(`${cameraId} broke off: ${data.cause} (${data.detail})`);
  })().catch(() => {});
  return {
    async [Symbol.asyncDispose]() {
      enough.abort();
      await listening;
    },
  };
}
