import { spawnSync } from 'node:child_process';
import fs from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { makeRecorderClient } from '../../media/client.js';
import {
  type RecorderConfig,
  type RecorderService,
  type ServiceOptions,
  startService,
} from '../../media/service.js';
import type { CameraInfo, RecorderClient } from '../../media/types.js';
import { makeLog } from '../../src/base/log.js';
import { makeKey } from '../../src/base/seal.js';

export { lives } from '../../bench/processes.js';

export const projectRoot = path.resolve(import.meta.dirname, '../..');
export const quiet = makeLog({ name: 'test', level: process.env.TEST_LOG ?? 'silent', dir: null });

/** A folder of the test's own. */
export const tempFolder = () => fs.mkdtemp(path.join(os.tmpdir(), 'mat-than-recorder-'));

/** Runs the real migrations, or some of them, into `<folder>/recorder.db`. */
export async function migrate(
  folder: string,
  wanted: (name: string) => boolean = () => true,
): Promise<string> {
  const file = path.join(folder, 'recorder.db');
  const migrations = path.join(projectRoot, 'prisma/recorder/migrations');
  const { createClient } = await import('@libsql/client');
  const database = createClient({ url: `file:${file}` });
  // so that the recorder's process finds it ready
  await database.execute(
    'CREATE TABLE IF NOT EXISTS _prisma_migrations (migration_name, finished_at, rolled_back_at)',
  );
  for (const name of (await fs.readdir(migrations)).sort()) {
    if (name.endsWith('.toml') || !wanted(name)) continue;
    await database.executeMultiple(await fs.readFile(path.join(migrations, name, 'migration.sql'), 'utf8'));
    await database.execute({ sql: `INSERT INTO _prisma_migrations VALUES (?, 1, NULL)`, args: [name] });
  }
  database.close();
  return file;
}

export interface Stand {
  folder: string;
  config: RecorderConfig;
  service: RecorderService;
  client: RecorderClient;
  url: string;
  /** stops the service and starts it again over the same folder, `awayMs` later */
  restart(awayMs?: number): Promise<void>;
  /** stops, and removes the folder */
  end(): Promise<void>;
}

export function configFor(folder: string, changes: Partial<RecorderConfig> = {}): RecorderConfig {
  return {
    dataDir: folder,
    recordingsDir: path.join(folder, 'recordings'),
    recorderPort: 0,
    recorderToken: 'token-of-the-test',
    secretKey: makeKey(),
    retentionDays: 30,
    minFreePercent: 0,
    minFreeBytes: 0,
    ffmpegPath: null,
    ...changes,
  };
}

/** The real service in this process: real index, real files, real HTTP. */
export async function startStand(
  options: Partial<ServiceOptions> = {},
  changes: Partial<RecorderConfig> = {},
  given?: string,
): Promise<Stand> {
  const folder = given ?? (await tempFolder());
  if (given === undefined) await migrate(folder);
  const config = configFor(folder, changes);
  const begin = () => startService(config, { log: quiet, segmentMs: 4000, ...options });
  const connect = (service: RecorderService) => {
    const url = `http://127.0.0.1:${service.port}`;
    return { url, client: makeRecorderClient({ url, token: config.recorderToken }) };
  };
  const service = await begin();
  const stand: Stand = {
    ...{ folder, config, service, ...connect(service) },
    async restart(awayMs = 0) {
      await stand.service.stop();
      await new Promise((resolve) => setTimeout(resolve, awayMs));
      stand.service = await begin();
      Object.assign(stand, connect(stand.service));
    },
    async end() {
      await stand.service.stop();
      await fs.rm(folder, { recursive: true, force: true });
    },
  };
  return stand;
}

/** Looks until `look` gives something; fails after `ms`. For states that no event tells. */
export async function until<T>(
  what: string,
  look: () => Promise<T | null | undefined | false> | T | null | undefined | false,
  ms = 15_000,
): Promise<T> {
  const end = performance.now() + ms;
  for (;;) {
    const found = await look();
    if (found) return found;
    if (performance.now() > end) throw new Error(`waited ${ms} ms in vain: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** Waits until the camera is as wanted. */
export const cameraIs = (client: RecorderClient, id: string, state: CameraInfo['state'], ms?: number) =>
  until(
    `${id} is ${state}`,
    async () => {
      const camera = await client.camera(id);
      return camera.state === state ? camera : null;
    },
    ms,
  );

/** Every file below a folder, relative. */
export async function filesIn(folder: string): Promise<string[]> {
  const found = await fs.readdir(folder, { recursive: true, withFileTypes: true }).catch(() => []);
  return found
    .filter((entry) => entry.isFile())
    .map((entry) => path.relative(folder, path.join(entry.parentPath, entry.name)).replaceAll('\\', '/'))
    .sort();
}

/** The arguments of every process, as other users of the machine see them. */
export const processList = () => spawnSync('ps', ['-eo', 'args'], { encoding: 'utf8' }).stdout;
