/** The recorder service on a slow disk: media/main.ts with one door more. Tells its figures in `<DATA_DIR>/slow-disk.json`. */
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { setFlagsFromString } from 'node:v8';
import { diskCalls } from '../media/recording/disk.js';
import { startService } from '../media/service.js';
import { makeConfig } from '../src/base/config.js';
import { makeLog } from '../src/base/log.js';
import { runService, tellParent } from '../src/base/service.js';
import { type SlowDisk, slowCalls } from './slow-arm.js';

setFlagsFromString('--heap-growing-percent=300');

const config = makeConfig(process.env, false);
const disk = JSON.parse(process.env.BENCH_SLOW_DISK ?? '') as SlowDisk;
const log = makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });

await runService(log, async () => {
  const service = await startService(config, {
    log,
    diskCalls: (root) => {
      const { calls, figures } = slowCalls(diskCalls(root), disk);
      setInterval(() => {
        writeFileSync(join(config.dataDir, 'slow-disk.json'), JSON.stringify(figures()));
      }, 500).unref();
      return calls;
    },
  });
  tellParent({ type: 'ready', port: service.port });
  return service;
});
