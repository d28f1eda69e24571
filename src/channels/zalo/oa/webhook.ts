import express, { type Router } from 'express';
import type { Log } from '../../../base/log.js';
import { type OaEvent, readOaEvent } from '../webhook/oa-events.js';
import { isSigned, type SignatureKeys } from '../webhook/signature.js';

/** Events are small; what is larger is none. */
const MOST_BYTES = 256 * 1024;
/** The answer must come within 2 s; what is not written down by then is not confirmed, and comes again. */
const ANSWER_MS = 1800;

export interface WebhookOptions {
  /** where Zalo sends events */
  path: string;
  keys: SignatureKeys;
  log: Log;
  now: () => number;
  /** Resolves when the event is durably taken. */
  take: (event: OaEvent) => Promise<void>;
  counters: WebhookCounters;
}

export interface WebhookCounters {
  taken: number;
  /** not signed, or no event at all */
  dropped: number;
  /** could not be written down in time: not confirmed */
  late: number;
}

/**
 * Where Zalo's events come in. The signature is checked over the bytes as they came, before anything is parsed. Whatever
 * is not Zalo's is answered like the rest, and dropped; only an event of Zalo's that could not be written down is not
 * confirmed (HTTP 503), so that it comes again in half a minute. Source: chat-apis.md §1.8.
 */
export function makeWebhook({ path, keys, log, now, take, counters }: WebhookOptions): Router {
  const router = express.Router();
  let toldMs = Number.NEGATIVE_INFINITY;
  const drop = () => {
    counters.dropped += 1;
    // whoever knocks must not fill the log
    if (now() - toldMs < 60_000) return;
    toldMs = now();
    log.warn({ dropped: counters.dropped }, "events that are not signed with Zalo's key were dropped");
  };
  router.get(path, (_request, response) => void response.status(200).type('text').send('ok'));
  router.post(
    path,
    express.raw({ type: () => true, limit: MOST_BYTES, inflate: false }),
    async (request, response) => {
      const raw: unknown = request.body;
      const signed = Buffer.isBuffer(raw) && isSigned(raw, request.headers['x-zevent-signature'], keys);
      const event = signed ? readOaEvent(raw, now()) : null;
      if (event === null) {
        drop();
        response.status(200).end();
        return;
      }
      const taken = await within(ANSWER_MS, take(event)).catch((error: unknown) => {
        log.error({ err: error, event: event.kind }, 'an event of Zalo could not be written down');
        return false;
      });
      if (taken) counters.taken += 1;
      else counters.late += 1;
      response.status(taken ? 200 : 503).end();
    },
  );
  // a body that is too large or broken off is none of Zalo's
  router.use(path, ((_error, _request, response, _next) => {
    drop();
    response.status(200).end();
  }) as express.ErrorRequestHandler);
  return router;
}

/** Whether the work was done in time; it goes on all the same. */
async function within(ms: number, work: Promise<void>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<boolean>((resolve) => {
    timer = setTimeout(() => resolve(false), ms);
  });
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    clearTimeout(timer);
  }
}
