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
 * Starts the service, and starts it anew on a new index whenever its index breaks (README, "An index that breaks").
 * Throws what startService throws.
 */
export async function startMending(
  config: RecorderConfig,
  options: ServiceOptions,
  tools: IndexTools,
): Promise<Pick<RecorderService, 'port' | 'stop'>> {
  await fs.mkdir(config.dataDir, { recursive: true });
  const mended = new MendedService(config, options, tools);
  await mended.start();
  return mended;
}

class MendedService {
  private service: Promise<RecorderService> = Promise.reject(new Error('not started'));
  private mending: Promise<void> | null = null;
  private readonly stopping = new AbortController();
  private readonly file: string;
  port: number;

  constructor(
    private readonly config: RecorderConfig,
    private readonly options: ServiceOptions,
    private readonly tools: IndexTools,
  ) {
    this.service.catch(() => {});
    this.file = path.join(config.dataDir, 'recorder.db');
    this.port = config.recorderPort;
  }

  async start(): Promise<void> {
    await this.tools.prepare(this.file);
    let broken = false;
    this.service = startService(
      { ...this.config, recorderPort: this.port },
      {
        ...this.options,
        onIndexFault: ({ sure }, index) => {
          broken ||= sure;
          this.mending ??= this.service
            .then(() => this.mend(index))
            .finally(() => {
              this.mending = null;
            });
        },
      },
    );
    try {
      this.port = (await this.service).port;
    } catch (error) {
      // The process ends and is started again; there it would find the same.
      if (broken) await this.tools.putAside(this.file);
      throw error;
    }
  }

  /** Makes a new index while recording goes on, then starts the service anew on it. */
  private async mend(index: RecorderIndex): Promise<void> {
    const { log } = this.options;
    const spare = `${this.file}.new`;
    log.error({ fault: index.fault?.what }, 'the index can not be used: a new one is made');
    while (!(await this.make(spare)) && !this.stopping.signal.aborted) {
      await pause(TRY_AGAIN_MS, undefined, { signal: this.stopping.signal }).catch(() => {});
      if (await index.works()) break;
    }
    if (this.stopping.signal.aborted) return;
    if (await index.works()) {
      log.info('the index can be used again');
      return;
    }
    await (await this.service).stop();
    const stoppedMs = Date.now();
    const aside = await this.tools.putAside(this.file);
    await fs.rename(spare, this.file);
    const fresh = await RecorderIndex.open(this.file, makeSeal(this.config.secretKey));
    await fresh.settings.live(stoppedMs);
    await fresh.close();
    log.error({ aside }, 'the index was broken and is made anew');
    await this.start();
  }

  private async make(spare: string): Promise<boolean> {
    try {
      for (const end of ['', '-wal', '-shm', '-journal']) await fs.rm(`${spare}${end}`, { force: true });
      await this.tools.make(spare);
      return true;
    } catch (error) {
      this.options.log.error({ err: error }, 'a new index could not be made; recording goes on');
      return false;
    }
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.mending?.catch(() => {});
    await (await this.service).stop();
  }
}
