import fs from 'node:fs/promises';
import process from 'node:process';
import { setTimeout as pause } from 'node:timers/promises';
import { setFlagsFromString } from 'node:v8';
import { makeConfig } from '../src/base/config.js';
import { WorldError } from '../src/base/errors.js';
import { takeFolder } from '../src/base/folder-lock.js';
import { makeLog } from '../src/base/log.js';
import { productVersion, projectRoot } from '../src/base/project.js';
import { runService, tellParent } from '../src/base/service.js';
import { migrate, migrateIndex, putAside } from '../src/migrate.js';
import { startMending } from './mending.js';
import type { ServiceOptions } from './service.js';

// Pictures in memory are garbage at the pace of the cameras; a heap that may grow fourfold between collections costs
// some 50 MB and spares a quarter of our own CPU (15 cameras, two recorders side by side: 0.029 and 0.040 core).
setFlagsFromString('--heap-growing-percent=300');

/** The recorder's process: settings from the environment; `MAT_THAN_DEMO=1`: the parent decided for the demo. */
const config = makeConfig(process.env, process.env.MAT_THAN_DEMO === '1');
const log = makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });

/** Shorter files, for tests of the whole process. */
const forTests = (): Partial<ServiceOptions> =>
  process.env.MAT_THAN_SEGMENT_MS ? { segmentMs: Number(process.env.MAT_THAN_SEGMENT_MS) } : {};

const NO_FFMPEG =
  'Không có ffmpeg chạy được nên chưa ghi hình. Hãy cài ffmpeg từ bản 5 trở lên, hoặc sửa FFMPEG_PATH trong .env; cài xong việc ghi tự bắt đầu.';

const FOLDER_TAKEN = (holder: number) =>
  `Thư mục ghi hình đang được một Mắt Thần khác dùng (tiến trình ${holder}). Dừng nó, hoặc đặt RECORDINGS_DIR khác trong .env.`;

/** One that was just killed or told to stop may still be closing its files, ms. */
const FOLDER_FREE_MS = 20_000;

/** Two recorders on one folder would cut each other's files. */
async function takeRecordings(folder: string, signal: AbortSignal): Promise<void> {
  await fs.mkdir(folder, { recursive: true });
  const until = performance.now() + FOLDER_FREE_MS;
  for (;;) {
    const holder = await takeFolder(folder);
    if (holder === null) return;
    if (performance.now() > until) {
      tellParent({ type: 'say', line: FOLDER_TAKEN(holder) });
      throw new Error(`the recordings' folder is taken by process ${holder}`);
    }
    await pause(200, undefined, { signal });
  }
}

await runService(log, async (signal, again) => {
  await takeRecordings(config.recordingsDir, signal);
  const root = projectRoot();
  const service = await startMending(
    config,
    { log, version: productVersion(), ...forTests() },
    {
      prepare: (file) => migrateIndex(root, file),
      make: (file) => migrate(root, 'recorder', file),
      putAside,
    },
    again,
  ).catch((error: unknown) => {
    if (error instanceof WorldError && error.kind === 'not-found')
      tellParent({ type: 'say', line: NO_FFMPEG });
    throw error;
  });
  tellParent({ type: 'ready', port: service.port });
  return service;
});
