import { setTimeout as wait } from 'node:timers/promises';
import { type Api, GrammyError } from 'grammy';
import type { Update } from 'grammy/types';
import type { Log } from '../../base/log.js';
import type { Connection } from './connection.js';
import { toWorldError } from './errors.js';
import { ALLOWED_UPDATES } from './incoming.js';

export interface Pauses {
  /** before the second try, ms; doubles from there */
  firstMs: number;
  mostMs: number;
}

export const PAUSES: Pauses = { firstMs: 1_000, mostMs: 60_000 };

/** How long to wait before try number `tries` + 1, ms. @param random 0–1 */
export function pauseBefore(tries: number, pauses: Pauses, random: number): number {
  const whole = Math.min(pauses.mostMs, pauses.firstMs * 2 ** Math.min(tries - 1, 20));
  return Math.round(whole * (0.75 + random * 0.25));
}

/** What a failure means to whoever reads the log, and what they can do. */
export function explain(error: unknown): string {
  if (error instanceof GrammyError) {
    if (error.error_code === 401 || error.error_code === 404)
      return 'TELEGRAM_BOT_TOKEN is wrong or was revoked: copy it again from @BotFather into .env and restart';
    if (error.error_code === 409)
      return error.description.includes('webhook')
        ? 'a webhook is set for this bot: it is being taken off'
        : 'another program polls with the same TELEGRAM_BOT_TOKEN: only one may run, end the other one or give it its own bot';
  }
  return toWorldError('the Bot API', error).message;
}

const retryAfterMs = (error: unknown) =>
  error instanceof GrammyError ? (error.parameters.retry_after ?? 0) * 1000 : 0;

/**
 * Tries until it works or the signal aborts. Says why it failed at the first time, when the reason changes, and
 * then at every tenth try.
 * @returns null when aborted
 */
export async function persist<T>(
  what: string,
  run: () => Promise<T>,
  { log, signal, pauses }: { log: Log; signal: AbortSignal; pauses: Pauses },
  reason: (error: unknown) => string = explain,
): Promise<T | null> {
  let said = '';
  for (let tries = 1; !signal.aborted; tries += 1) {
    try {
      const result = await run();
      if (said !== '') log.info(`${what} works again`);
      return result;
    } catch (error) {
      if (signal.aborted) return null;
      const why = reason(error);
      if (why !== said || tries % 10 === 0) log.warn({ tries }, `${what}: ${why}`);
      said = why;
      const pause = Math.max(pauseBefore(tries, pauses, Math.random()), retryAfterMs(error));
      await wait(pause, undefined, { signal }).catch(() => {});
    }
  }
  return null;
}

const POLL_SECONDS = 30;
const CALL_MS = 30_000;
const SHORT_POLL_MS = 1_000;
const POLL_MS = (POLL_SECONDS + 15) * 1000;

/**
 * Takes updates one after another. The next poll confirms only what `take` resolved for; an update that could not be
 * taken is tried again and nothing behind it is taken before it.
 */
export async function poll(
  connection: Connection,
  take: (update: Update) => Promise<void>,
  options: { log: Log; signal: AbortSignal; pauses: Pauses },
): Promise<void> {
  const { signal } = options;
  let offset: number | undefined;
  const ask = (seconds: number) => async () => {
    try {
      return await limited(connection.api, POLL_MS, signal, (api, ends) =>
        api.getUpdates(
          {
            timeout: seconds,
            limit: 100,
            allowed_updates: ALLOWED_UPDATES,
            ...(offset === undefined ? {} : { offset }),
          },
          ends,
        ),
      );
    } catch (error) {
      if (error instanceof GrammyError && error.error_code === 409 && error.description.includes('webhook'))
        await limited(connection.api, CALL_MS, signal, (api, ends) => api.deleteWebhook({}, ends)).catch(
          () => {},
        );
      throw error;
    }
  };
  while (!signal.aborted) {
    const asked = performance.now();
    const updates = await persist('Receiving from Telegram', ask(POLL_SECONDS), options);
    // a relay that does not hold the poll open must not make us hammer it
    if (updates?.length === 0 && performance.now() - asked < SHORT_POLL_MS)
      await wait(options.pauses.firstMs, undefined, { signal }).catch(() => {});
    for (const update of updates ?? []) {
      if (signal.aborted) break;
      const taken = await persist(
        'Taking a message',
        () => take(update).then(() => true),
        options,
        (error) => (error instanceof Error ? error.message : String(error)),
      );
      if (taken === null) break;
      offset = update.update_id + 1;
    }
  }
  // tell Telegram what was taken last, so that it does not come again after a restart
  if (offset !== undefined) {
    const last = offset;
    await limited(connection.api, 2_000, undefined, (api, ends) =>
      api.getUpdates({ offset: last, timeout: 0, limit: 1, allowed_updates: ALLOWED_UPDATES }, ends),
    ).catch(() => {});
  }
}

/** A call with a time limit whose errors stay as grammY made them. */
export async function limited<T>(
  api: Api,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  run: (api: Api, ends: Parameters<Api['getMe']>[0]) => Promise<T>,
): Promise<T> {
  const timeout = AbortSignal.timeout(timeoutMs);
  const ends = signal === undefined ? timeout : AbortSignal.any([timeout, signal]);
  return await run(api, ends as unknown as Parameters<Api['getMe']>[0]);
}
