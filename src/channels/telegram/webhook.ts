import { setTimeout as wait } from 'node:timers/promises';
import express, { type Router } from 'express';
import { GrammyError } from 'grammy';
import type { Update } from 'grammy/types';
import type { Log } from '../../base/log.js';
import { sameSecret } from '../../base/same.js';
import { makeToken } from '../../base/seal.js';
import type { Connection } from './connection.js';
import { ALLOWED_UPDATES } from './incoming.js';
import { limited, type Pauses, persist } from './polling.js';

/** Where Telegram posts its updates, below PUBLIC_URL. */
const WEBHOOK_PATH = '/telegram/webhook';
export const webhookAt = (publicUrl: string) => `${publicUrl.replace(/\/+$/, '')}${WEBHOOK_PATH}`;

/** The largest update; texts have 4096 characters at most, the rest are ids. */
const BODY_BYTES = 256 * 1024;
/** Telegram hears within this time; what was not written down by then it sends again, ms. */
const ANSWER_MS = 10_000;
const CALL_MS = 30_000;

export interface WebhookOptions {
  log: Log;
  signal: AbortSignal;
  pauses: Pauses;
  /** how often Telegram is asked whether its posts arrive, ms */
  checkMs: number;
}

export interface Webhook {
  /** `POST /telegram/webhook`; nothing is there while no webhook is set */
  router: Router;
  /**
   * Has updates posted to `url` and takes them, one after another, until the signal aborts (the webhook stays: Telegram
   * keeps what comes meanwhile) or Telegram says that its posts do not arrive.
   */
  receive(
    connection: Connection,
    url: string,
    take: (update: Update) => Promise<void>,
    options: WebhookOptions,
  ): Promise<'stopped' | 'failing'>;
}

export function makeWebhook(log: Log): Webhook {
  const router = express.Router();
  let secret: string | null = null;
  let taking: (update: Update) => Promise<void> = async () => {};
  let last: Promise<unknown> = Promise.resolve();

  /** In the order in which they came; one that could not be taken holds up none: Telegram sends it again. */
  const inOrder = (update: Update): Promise<void> => {
    const turn = last.then(() => taking(update));
    last = turn.catch(() => {});
    return turn;
  };

  router.post(
    WEBHOOK_PATH,
    (request, _response, next) => {
      const given = request.headers['x-telegram-bot-api-secret-token'];
      next(secret !== null && sameSecret(given, secret) ? undefined : 'router');
    },
    express.json({ limit: BODY_BYTES, type: () => true }),
    async (request, response) => {
      const update = request.body as Update | undefined;
      if (!Number.isSafeInteger(update?.update_id)) return void response.sendStatus(400);
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise<false>((resolve) => {
        timer = setTimeout(() => resolve(false), ANSWER_MS);
      });
      const taken = inOrder(update as Update).then(
        () => true,
        (error: unknown) => {
          log.error({ err: error }, 'an update could not be written down: Telegram will send it again');
          return false;
        },
      );
      const ok = await Promise.race([taken, late]);
      clearTimeout(timer);
      response.sendStatus(ok ? 200 : 503);
    },
  );

  return {
    router,
    async receive(connection, url, take, options) {
      const { signal } = options;
      const set = async () => {
        const fresh = makeToken();
        // before it is set: the first post may come before the answer
        secret = fresh;
        taking = take;
        try {
          return await limited(connection.api, CALL_MS, signal, (api, ends) =>
            api.setWebhook(
              url,
              { secret_token: fresh, allowed_updates: ALLOWED_UPDATES, max_connections: 4 },
              ends,
            ),
          );
        } catch (error) {
          // no address for Telegram (no https, no such name): trying again would change nothing
          if (error instanceof GrammyError && error.error_code === 400) {
            log.warn({ reason: error.description }, 'Telegram does not take our address');
            return false;
          }
          throw error;
        }
      };
      const info = () =>
        limited(connection.api, CALL_MS, signal, (api, ends) => api.getWebhookInfo(ends)).catch(() => null);
      const done = <T>(why: T): T => {
        secret = null;
        return why;
      };

      const known = (await info())?.last_error_date ?? 0;
      const works = await persist('Setting the webhook', set, options);
      if (works === null) return done('stopped');
      if (!works) return done('failing');
      log.info('Telegram posts to our address');
      while (!signal.aborted) {
        await wait(options.checkMs, undefined, { signal }).catch(() => {});
        const now = signal.aborted ? null : await info();
        if (now === null) continue;
        if (now.url !== url) {
          log.warn('somebody else set or removed the webhook: it is set again');
          await persist('Setting the webhook', set, options);
        } else if (now.pending_update_count > 0 && (now.last_error_date ?? 0) > known) {
          log.warn({ reason: now.last_error_message }, "Telegram's posts do not arrive");
          return done('failing');
        }
      }
      return done('stopped');
    },
  };
}
