import type { IncomingHttpHeaders } from 'node:http';
import express, { type Router } from 'express';
import type { Log } from '../../../base/log.js';

/** Events are small; what is larger is none. */
const MOST_BYTES = 256 * 1024;
/** The answer must come within 2 s; what is not written down by then is not confirmed, and comes again. */
const ANSWER_MS = 1800;
/** Whoever knocks must not fill the log. */
const TELL_EVERY_MS = 60_000;

export interface HookCounters {
  taken: number;
  /** not signed, or no event at all */
  dropped: number;
  /** of these, since the newest that was taken */
  droppedSince: number;
  /** could not be written down in time: not confirmed */
  late: number;
}

export interface HookOptions {
  path: string;
  log: Log;
  /** Does the platform vouch for these bytes? Pure, never throws. */
  isGenuine: (raw: Buffer, headers: IncomingHttpHeaders) => boolean;
  /** Resolves when the event is durably taken; false when it was none. */
  take: (raw: Buffer) => Promise<boolean>;
}

/**
 * A door for a platform's events. Whatever is not the platform's is answered like the rest, and dropped; only an event of
 * the platform's that could not be written down is not confirmed (HTTP 503), so that it comes again. Source: chat-apis.md
 * §1.8.
 */
export function makeHook({ path, log, isGenuine, take }: HookOptions): {
  router: Router;
  counters: Readonly<HookCounters>;
} {
  const router = express.Router();
  const counters: HookCounters = { taken: 0, dropped: 0, droppedSince: 0, late: 0 };
  let toldMs = Number.NEGATIVE_INFINITY;
  const drop = () => {
    counters.dropped += 1;
    counters.droppedSince += 1;
    const now = performance.now();
    if (now - toldMs < TELL_EVERY_MS) return;
    toldMs = now;
    log.warn({ path, dropped: counters.dropped }, 'events that the platform does not vouch for were dropped');
  };
  const count = () => {
    if (counters.taken === 0)
      log.info({ path }, 'the first event since the start: the platform vouches for it');
    counters.taken += 1;
    counters.droppedSince = 0;
  };
  router.get(path, (_request, response) => void response.status(200).type('text').send('ok'));
  router.post(
    path,
    express.raw({ type: () => true, limit: MOST_BYTES, inflate: false }),
    async (request, response) => {
      const raw: unknown = request.body;
      if (!Buffer.isBuffer(raw) || !isGenuine(raw, request.headers)) {
        drop();
        response.status(200).end();
        return;
      }
      const taken = await within(ANSWER_MS, take(raw)).catch((error: unknown) => {
        log.error({ err: error, path }, 'an event could not be written down');
        return null;
      });
      if (taken === null) counters.late += 1;
      else if (taken) count();
      else drop();
      response.status(taken === null ? 503 : 200).end();
    },
  );
  // a body that is too large or broken off is none of the platform's
  router.use(path, ((_error, _request, response, _next) => {
    drop();
    response.status(200).end();
  }) as express.ErrorRequestHandler);
  return { router, counters };
}

/** The outcome of the work, or null when it was not done in time; it goes on all the same. */
async function within(ms: number, work: Promise<boolean>): Promise<boolean | null> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<null>((resolve) => {
    timer = setTimeout(() => resolve(null), ms);
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    clearTimeout(timer);
  }
}
