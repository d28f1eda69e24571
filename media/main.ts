import process from 'node:process';
import { makeConfig } from '../src/base/config.js';
import { makeLog } from '../src/base/log.js';
import { runService, tellParent } from '../src/base/service.js';
import { type ServiceOptions, startService } from './service.js';

/** The recorder's process: settings from the environment; `MAT_THAN_DEMO=1`: the parent decided for the demo. */
const config = makeConfig(process.env, process.env.MAT_THAN_DEMO === '1');
const log = makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });

/** Shorter files, for tests of the whole process. */
const forTests = (): Partial<ServiceOptions> =>
  process.env.MAT_THAN_SEGMENT_MS ? { segmentMs: Number(process.env.MAT_THAN_SEGMENT_MS) } : {};

await runService(log, async () => {
  const service = await startService(config, { log, ...forTests() });
  tellParent({ type: 'ready', port: service.port });
  return service;
});
