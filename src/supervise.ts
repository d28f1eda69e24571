import { type ChildProcess, fork } from 'node:child_process';
import { backoffMs } from './base/backoff.js';
import type { Log } from './base/log.js';
import type { ServiceNews, ServiceOrder } from './base/service.js';

export interface Supervised {
  /** resolves with the port when the service said for the first time that it is ready */
  ready: Promise<number>;
  /** asks it to stop, kills it after the deadline, resolves when it is gone */
  stop(): Promise<void>;
  /** the process that runs now, for tests and the status line */
  pid(): number | undefined;
}

interface SuperviseOptions {
  name: string;
  /** the program to run with Node */
  script: string;
  env: NodeJS.ProcessEnv;
  log: Log;
  say(line: string): void;
  pingEveryMs?: number;
  stopWithinMs?: number;
}

/** A service that answers no ping for this many rounds hangs. */
const MISSED_PINGS = 4;
/** After this long without a fault the next one is treated as the first. */
const CALM_MS = 60_000;

/** Keeps one service process alive: started again after any end, killed and started again when it hangs. */
export function supervise(options: SuperviseOptions): Supervised {
  const { name, script, env, log, say, pingEveryMs = 10_000, stopWithinMs = 10_000 } = options;
  let child: ChildProcess | null = null;
  let stopping = false;
  let tries = 0;
  let lastSaid = '';
  let timer: NodeJS.Timeout | undefined;
  let settle: (port: number) => void;
  const ready = new Promise<number>((resolve) => {
    settle = resolve;
  });

  const order = (message: ServiceOrder) => {
    if (child?.connected) child.send(message, () => {});
  };

  const start = () => {
    const bornMs = Date.now();
    let unanswered = 0;
    // Own process group: Ctrl-C in the terminal reaches only the parent, which stops the services in order.
    let current: ChildProcess;
    try {
      current = fork(script, [], {
        env,
        detached: process.platform !== 'win32',
        stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      });
    } catch (error) {
      // no memory for a process: the parent must not die of it, the other service would die with it
      tries += 1;
      const waitMs = backoffMs(tries, 1000, 30_000);
      log.error({ service: name, err: error, waitMs }, 'service could not be started, trying again');
      timer = setTimeout(start, waitMs);
      return;
    }
    child = current;
    log.info({ service: name, pid: current.pid }, 'service started');
    let lastWords = '';
    current.stderr?.on('data', (chunk: Buffer) => {
      lastWords = (lastWords + chunk.toString()).slice(-4000);
    });
    const pings = setInterval(() => {
      unanswered += 1;
      if (unanswered > MISSED_PINGS) {
        log.error({ service: name, pid: current.pid }, 'service does not answer: killing it');
        current.kill('SIGKILL');
      } else order({ type: 'ping' });
    }, pingEveryMs);
    current.on('message', (news: ServiceNews) => {
      if (news.type === 'pong') unanswered = 0;
      if (news.type === 'say' && news.line !== lastSaid) {
        // a service that fails for the same reason at every start says so once
        lastSaid = news.line;
        say(news.line);
      }
      if (news.type === 'ready') {
        unanswered = 0;
        settle(news.port);
      }
    });
    current.on('error', (error) => log.error({ service: name, err: error }, 'service could not be started'));
    current.once('close', (code, signal) => {
      clearInterval(pings);
      if (stopping) return;
      if (Date.now() - bornMs > CALM_MS) tries = 0;
      tries += 1;
      const waitMs = tries === 1 ? 200 : backoffMs(tries - 1, 1000, 30_000);
      log.error({ service: name, code, signal, waitMs, lastWords }, 'service ended: starting it again');
      if (tries === 2)
        say(`Dịch vụ ${name} dừng bất thường, đang khởi động lại. Xem nhật ký trong thư mục logs.`);
      timer = setTimeout(start, waitMs);
    });
  };
  start();

  return {
    ready,
    pid: () => child?.pid,
    stop: () =>
      new Promise((resolve) => {
        stopping = true;
        clearTimeout(timer);
        const current = child;
        if (current === null || current.exitCode !== null || current.signalCode !== null) return resolve();
        const force = setTimeout(() => current.kill('SIGKILL'), stopWithinMs);
        current.once('exit', () => {
          clearTimeout(force);
          resolve();
        });
        order({ type: 'stop' });
      }),
  };
}
