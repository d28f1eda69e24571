import fs from 'node:fs/promises';
import path from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { makeSeal } from '../src/base/seal.js';
import { RecorderIndex } from './index/index.js';
import { type RecorderConfig, type RecorderService, type ServiceOptions, startService } from './service.js';

/** What is done to the file of the index from outside; handed in, since migrating is not the recorder's business. */
export interface IndexTools {
  /** makes it ready to be opened; a broken one is put aside before */
  prepare(file: string): Promise<unknown>;
  /** makes a new one, empty */
  make(file: string): Promise<void>;
  /** moves it out of the way; gives back where it is now */
  putAside(file: string): Promise<string>;
}

/** A disk that takes no new index is asked again after this, ms. */
const TRY_AGAIN_MS = 30_000;

/**
 * Starts the service. When its index breaks (README, "An index that breaks") a new one is made while recording goes on;
 * then `again` is called: the process is to stop this and to be started anew. Throws what startService throws.
 */
export async function startMending(
  config: RecorderConfig,
  options: ServiceOptions,
  tools: IndexTools,
  again: () => void,
): Promise<Pick<RecorderService, 'port' | 'stop'>> {
  const { log } = options;
  const file = path.join(config.dataDir, 'recorder.db');
  const spare = `${file}.new`;
  const stopping = new AbortController();
  /** from the first fault on, until the index can be used again */
  let mending: Promise<void> | null = null;
  let spareReady = false;
  let broken = false;

  const clear = async () => {
    for (const end of ['', '-wal', '-shm', '-journal']) await fs.rm(`${spare}${end}`, { force: true });
  };
  const makeSpare = async (): Promise<boolean> => {
    try {
      await clear();
      await tools.make(spare);
      const index = await RecorderIndex.open(spare, makeSeal(config.secretKey));
      await index.settings.live(Date.now());
      await index.settings.noteLost(1);
      await index.close();
      return true;
    } catch (error) {
      log.error({ err: error }, 'a new index could not be made; recording goes on');
      return false;
    }
  };
  const mend = async (index: RecorderIndex): Promise<void> => {
    log.error({ fault: index.fault?.what }, 'the index can not be used: a new one is made');
    while (!(await makeSpare()) && !stopping.signal.aborted)
      await pause(TRY_AGAIN_MS, undefined, { signal: stopping.signal }).catch(() => {});
    if (stopping.signal.aborted) return;
    if (await index.works()) {
      await clear().catch(() => {});
      log.info('the index can be used again');
      mending = null;
      return;
    }
    spareReady = true;
    again();
  };

  await fs.mkdir(config.dataDir, { recursive: true });
  await tools.prepare(file);
  const started = startService(config, {
    ...options,
    onIndexFault({ sure }, index) {
      broken ||= sure;
      mending ??= started.then(
        () => mend(index),
        () => {},
      );
    },
  });
  const service = await started.catch(async (error: unknown) => {
    // The process ends and is started again; there it would find the same.
    if (broken) await tools.putAside(file);
    throw error;
  });
  return {
    port: service.port,
    async stop() {
      stopping.abort();
      await mending;
      await service.stop();
      if (!spareReady) return;
      const aside = await tools.putAside(file);
      // The log beside it has the sign of life, unless SQLite has taken it in already.
      await fs.rename(`${spare}-wal`, `${file}-wal`).catch(() => {});
      await fs.rename(spare, file);
      await clear();
      log.error({ aside }, 'the index was broken and is made anew');
    },
  };
}
