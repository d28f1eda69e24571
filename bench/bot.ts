/** The real bot process before the stand-ins of the platforms, to be killed and started again in one folder. */
import { type ChildProcess, fork } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Database, openDatabase } from '../src/store/database.js';
import { migrate } from '../test/support/database.js';
import { freePort } from '../test/support/product.js';
import { projectRoot } from '../test/support/project-root.js';
import type { TelegramServer } from '../test/support/telegram-server.js';

export interface BenchBot {
  /** DATA_DIR */
  folder: string;
  secretKey: string;
  /** starts the process, at once; resolves with its port when it says that it is ready, with null when it ended first */
  start(): Promise<number | null>;
  /** kill -9; when it came, epoch ms */
  kill(): Promise<number>;
  /** stops it in order */
  stop(): Promise<void>;
  /** of the process that runs */
  pid(): number;
  /** what it says waits inside it; null when it does not answer */
  waiting(): Promise<{ inbox: number; outbox: number } | null>;
  /** its database, while the bot does not run */
  look<T>(work: (database: Database) => Promise<T>): Promise<T>;
  /** ends it and removes its folder */
  remove(): Promise<void>;
}

/**
 * A bot's folder with an empty database. No recorder stands behind it.
 * @param telegram null: without Telegram @param more further settings
 */
export async function makeBot(
  telegram: TelegramServer | null,
  more: Record<string, string> = {},
): Promise<BenchBot> {
  const folder = await mkdtemp(join(tmpdir(), 'mat-than-bench-bot-'));
  const file = join(folder, 'bot.db');
  const secretKey = randomBytes(32).toString('base64');
  const env = {
    ...process.env,
    ...{ DATA_DIR: folder, DEMO: '0', MAT_THAN_DEMO: '0', CONSOLE: '0', HOST: '', PUBLIC_URL: '', PORT: '0' },
    ...{ RECORDER_PORT: String(await freePort()), RECORDER_TOKEN: randomBytes(24).toString('base64url') },
    ...{ SECRET_KEY: secretKey, TELEGRAM_BOT_TOKEN: telegram?.token ?? '' },
    ...{ TELEGRAM_API_ROOT: telegram?.apiRoot ?? '', TELEGRAM_PROXY: '', LOG_FILE: '', ...more },
  };
  let child: ChildProcess | null = null;
  let port: number | null = null;
  const lives = () => child !== null && child.exitCode === null && child.signalCode === null;

  async function look<T>(work: (database: Database) => Promise<T>): Promise<T> {
    const database = await openDatabase(file);
    try {
      return await work(database);
    } finally {
      await database.$disconnect();
    }
  }
  await look(migrate);

  const bot: BenchBot = {
    ...{ folder, secretKey },
    start() {
      port = null;
      const born = fork(join(projectRoot, 'dist', 'src', 'bot.js'), [], {
        env,
        cwd: folder,
        stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
      });
      child = born;
      return new Promise((resolve) => {
        born.on('message', (news: { type?: unknown; port?: unknown }) => {
          if (news.type !== 'ready' || typeof news.port !== 'number') return;
          port = news.port;
          resolve(news.port);
        });
        born.once('exit', () => resolve(null));
      });
    },
    async kill() {
      if (child === null || !lives()) throw new Error('the bot ended by itself');
      const gone = once(child, 'exit');
      const atMs = Date.now();
      child.kill('SIGKILL');
      await gone;
      return atMs;
    },
    async stop() {
      if (child === null || !lives()) return;
      const gone = once(child, 'exit');
      // To a service the parent's end is an order to stop, on every platform.
      child.disconnect();
      const late = setTimeout(() => child?.kill('SIGKILL'), 15_000);
      await gone;
      clearTimeout(late);
    },
    pid() {
      if (child?.pid === undefined || !lives()) throw new Error('the bot does not run');
      return child.pid;
    },
    async waiting() {
      if (port === null) return null;
      const answer = await fetch(`http://127.0.0.1:${port}/healthz`).catch(() => null);
      if (answer === null || !answer.ok) return null;
      return ((await answer.json()) as { waiting: { inbox: number; outbox: number } }).waiting;
    },
    look,
    async remove() {
      await bot.stop();
      await rm(folder, { recursive: true, force: true, maxRetries: 5, retryDelay: 200 });
    },
  };
  return bot;
}
