import { realpathSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { type Config, makeConfig } from '../src/base/config.js';
import { type Log, makeLog } from '../src/base/log.js';
import { type RecorderService, type ServiceOptions, startService } from './service.js';

/** Files are closed within this, or the process ends without. Recovery closes what is left. */
const STOP_MS = 8000;

/** Starts the recorder with the whole configuration; its log goes to `recorder.log`. */
export function startRecorder(
  config: Config,
  options: Partial<ServiceOptions> = {},
): Promise<RecorderService> {
  const log = options.log ?? makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });
  return startService(config, { ...options, log });
}

/**
 * The process: settings from the environment (`MAT_THAN_DEMO=1`: the parent decided for the demo), stops on SIGTERM,
 * SIGINT, the message `stop` or the parent's end, sends `{ready: true, port}`. What nobody caught ends it with 1: the
 * parent starts it again.
 */
async function main(): Promise<void> {
  const config = makeConfig(process.env, process.env.MAT_THAN_DEMO === '1');
  const log = makeLog({ name: 'recorder', level: config.logLevel, dir: config.logDir });
  for (const kind of ['uncaughtException', 'unhandledRejection'] as const)
    process.on(kind, (error) => {
      log.fatal({ err: error }, kind);
      leave(log, 1);
    });
  let stopping = false;
  const starting = startRecorder(config, { log, ...forTests() });
  const stop = async (why: string) => {
    if (stopping) return;
    stopping = true;
    log.info({ why }, 'stopping');
    setTimeout(() => process.exit(1), STOP_MS).unref();
    const service = await starting.catch(() => null);
    await service?.stop();
    leave(log, 0);
  };
  process.on('SIGTERM', () => void stop('SIGTERM'));
  process.on('SIGINT', () => void stop('SIGINT'));
  process.on('disconnect', () => void stop('the parent is gone'));
  process.on('message', (message) => {
    if (message === 'stop') void stop('asked');
  });
  try {
    const { port } = await starting;
    process.send?.({ ready: true, port });
  } catch (error) {
    log.fatal({ err: error }, 'the recorder could not start');
    process.send?.({ ready: false, error: error instanceof Error ? error.message : String(error) });
    leave(log, 1);
  }
}

/** Lets the log reach its file, then ends. */
function leave(log: Log, code: number): void {
  log.flush(() => process.exit(code));
  setTimeout(() => process.exit(code), 500).unref();
}

/** Shorter files, for tests of the whole process. */
const forTests = (): Partial<ServiceOptions> =>
  process.env.MAT_THAN_SEGMENT_MS ? { segmentMs: Number(process.env.MAT_THAN_SEGMENT_MS) } : {};

const started = process.argv[1];
if (started !== undefined && realpathSync(started) === fileURLToPath(import.meta.url)) await main();
