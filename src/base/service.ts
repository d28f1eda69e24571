import process from 'node:process';
import type { Log } from './log.js';

export interface RunningService {
  /** resolves when everything is closed */
  stop(): Promise<void>;
}

/** What a service process tells its parent. */
export type ServiceNews =
  | { type: 'ready'; port: number }
  /** a line for the terminal, and for nothing else */
  | { type: 'say'; line: string }
  | { type: 'pong' };
/** What the parent tells a service process. */
export type ServiceOrder = { type: 'stop' } | { type: 'ping' };

/** Why the signal of a service aborts that ends by a fault: what was under way may be what ended it. */
export class ServiceFault extends Error {
  override name = 'ServiceFault';
}

const STOP_DEADLINE_MS = 8_000;

export const tellParent = (news: ServiceNews) => void process.send?.(news, undefined, {}, () => {});

/**
 * The life of a service process: starts it, answers the parent's pings, stops it once on the parent's order, on the
 * parent's death or on a signal, and ends with code 1 on a fault of ours, so that the parent starts it again. `again`, for
 * `start`, does so on purpose.
 */
export async function runService(
  log: Log,
  start: (signal: AbortSignal, again: () => void) => Promise<RunningService>,
): Promise<void> {
  const ending = new AbortController();
  let running: RunningService | null = null;

  const stop = async (code: number, fault?: unknown) => {
    if (ending.signal.aborted) return;
    ending.abort(fault === undefined ? undefined : new ServiceFault('a fault of ours', { cause: fault }));
    setTimeout(() => process.exit(code || 1), STOP_DEADLINE_MS).unref();
    try {
      await running?.stop();
    } catch (error) {
      log.error({ err: error }, 'stopping failed');
    }
    process.exit(code);
  };
  const fail = (error: unknown) => {
    log.fatal({ err: error }, 'unexpected fault: this service ends and is started again');
    void stop(1, error ?? 'unknown');
  };

  process.on('uncaughtException', fail);
  process.on('unhandledRejection', fail);
  process.on('SIGTERM', () => void stop(0));
  process.on('SIGINT', () => void stop(0));
  process.on('disconnect', () => void stop(0));
  process.on('message', (order: ServiceOrder) => {
    if (order.type === 'stop') void stop(0);
    if (order.type === 'ping') tellParent({ type: 'pong' });
  });
  try {
    running = await start(ending.signal, () => void stop(1));
  } catch (error) {
    fail(error);
  }
}
