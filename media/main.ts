import process from 'node:process';
import { makeConfig } from '../src/base/config.js';
import { WorldError } from '../src/base/errors.js';
import { makeLog } from '../src/base/log.js';
import { runService, tellParent } from '../src/base/service.js';
import { type ServiceOptions, startService } from './service.js';

/** The recorder's process: settings from the environment; `MAT_THAN_DEMO=1`: the parent decided for the demo. */
const config = makeConfig(process.env, process.env.MAT_THAN_DEMO === '1');
const log = makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });

/** Shorter files, for tests of the whole process. */
const forTests = (): Partial<ServiceOptions> =>
  process.env.MAT_THAN_SEGMENT_MS ? { segmentMs: Number(process.env.MAT_THAN_SEGMENT_MS) } : {};

const NO_FFMPEG =
  'Không có ffmpeg chạy được nên chưa ghi hình. Hãy cài ffmpeg từ bản 5 trở lên, hoặc sửa FFMPEG_PATH trong .env; cài xong việc ghi tự bắt đầu.';

await runService(log, async () => {
  const service = await startService(config, { log, ...forTests() }).catch((error: unknown) => {
    if (error instanceof WorldError && error.kind === 'not-found')
      tellParent({ type: 'say', line: NO_FFMPEG });
    throw error;
  });
  tellParent({ type: 'ready', port: service.port });
  return service;
});
