import fs from 'node:fs/promises';
import path from 'node:path';
import express, { type Request, type Response, type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import { hashToken } from '../base/seal.js';
import type { Shown } from '../chat/message.js';
import { stillHolds } from '../chat/still-holds.js';
import { writeAudit } from '../store/audit.js';
import { addViewer, findLink, type LinkFacts, tryPin } from '../store/links.js';
import { personById } from '../store/people.js';
import { cookie, NOT_FORWARDED } from './guards.js';
import { askPage, closedPage, downloadName, openPage } from './link-page.js';
import { type Closed, coarseNetwork, mostViewers, type Verdict, verdictOf } from './link-verdict.js';
import type { LinkPayload, LinksOptions, StoredFile } from './links.js';
import { printNotice } from './notice.js';
import { disposition, isShown } from './shown.js';

const POLICY = [
  "default-src 'none'",
  ...["style-src 'self'", "font-src 'self'", "img-src 'self'", "media-src 'self'"],
  ...["form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'"],
].join('; ');

const RECHECK_MS = 5000;
/** Requests to one link in a minute, whoever makes them: a player that seeks makes some dozens. */
const PER_LINK = 300;

interface Seen {
  link: LinkFacts | null;
  verdict: Verdict;
  token: string;
}

/** `/m/<token>` and the files behind it. */
export function linkRoutes(options: LinksOptions): Router {
  const { database, clock, log, folder, unit } = options;
  const router = express.Router();

  const limited = (limit: number, keyGenerator?: (request: Request) => string) =>
    rateLimit({
      windowMs: 60_000,
      limit,
      legacyHeaders: false,
      standardHeaders: 'draft-8',
      validate: NOT_FORWARDED,
      ...(keyGenerator === undefined ? {} : { keyGenerator }),
      handler: (_request, response) =>
        void printNotice(response, 429, { title: 'Xin chờ một phút', lines: ['Rồi anh/chị mở lại nhé.'] }),
    });

  const secure = () => options.base()?.url.startsWith('https:') === true;
  const cookieName = () => (secure() ? '__Secure-xem' : 'xem');

  /** What a request may see now. */
  async function see(request: Request): Promise<Seen> {
    const given = String(request.params.token);
    // what can be no token of ours is asked for like any other
    const token = /^[\w-]{43}$/.test(given) ? given : '';
    const { link, viewing } = await findLink(database, token, cookie(request, cookieName()));
    const verdict = verdictOf(link, viewing, clock.now());
    if (link === null || verdict.kind === 'closed') return { link, verdict, token };
    const { to, only } = (link.payload as LinkPayload).about;
    const holds = to === undefined || (await stillHolds(database, to, only));
    return { link, verdict: holds ? verdict : { kind: 'closed', why: 'revoked' }, token };
  }

  /** Bytes of a file behind a link; null = it is gone. */
  const sizeOf = (stored: string): Promise<number | null> =>
    fs.stat(path.join(folder, stored)).then(
      (stat) => stat.size,
      () => null,
    );

  const refuse = (response: Response, why: Closed | 'gone') =>
    void response.status(410).type('html').send(closedPage(unit, why));

  /** Writes down an opening: for whom the link was, what it shows, from which net. */
  async function note(link: LinkFacts, request: Request, result: 'ok' | 'locked'): Promise<void> {
    const person = link.personId === null ? null : await personById(database, link.personId);
    const { files } = link.payload as LinkPayload;
    const entry = {
      atMs: clock.now(),
      personId: link.personId,
      personName: person?.name ?? 'không rõ',
      action: 'link.open',
      place: 'web:link',
      result,
      detail: `số ${link.number}, mạng ${coarseNetwork(request.ip ?? '')}`,
    };
    const shown = spansOf(files);
    await writeAudit(
      database,
      shown.length === 0
        ? [entry]
        : shown.map(({ cameraId, startMs, endMs }) => ({ ...entry, cameraId, startMs, endMs })),
    );
    log.info({ link: link.number, personId: link.personId, result }, 'a link was opened');
  }

  router.use(
    '/m/:token',
    (_request, response, next) => {
      response.setHeader('Cache-Control', 'private, no-store');
      response.setHeader('Referrer-Policy', 'no-referrer');
      response.setHeader('X-Robots-Tag', 'noindex, nofollow');
      response.setHeader('Content-Security-Policy', POLICY);
      next();
    },
    limited(options.perMinute ?? 300),
    limited(PER_LINK, (request) => hashToken(String(request.params.token))),
  );

  // links that were sent before there were pages
  router.get('/f/:token', (request, response) =>
    response.redirect(301, `/m/${encodeURIComponent(request.params.token)}`),
  );

  router.get('/m/:token', async (request, response) => {
    const { link, verdict, token } = await see(request);
    if (link === null || verdict.kind === 'closed')
      return refuse(response, verdict.kind === 'closed' ? verdict.why : 'unknown');
    if (verdict.kind === 'ask') return void response.type('html').send(askPage(unit, link, false));
    const { files } = link.payload as LinkPayload;
    const sizes = await Promise.all(files.map(({ stored }) => sizeOf(stored)));
    const person = link.personId === null ? null : await personById(database, link.personId);
    response.type('html').send(openPage(unit, link, sizes, token, person?.name ?? null));
  });

  router.post(
    '/m/:token',
    express.urlencoded({ extended: false, limit: '1kb', parameterLimit: 4 }),
    async (request, response) => {
      const { link, verdict, token } = await see(request);
      if (link === null || verdict.kind === 'closed')
        return refuse(response, verdict.kind === 'closed' ? verdict.why : 'unknown');
      if (verdict.kind === 'open') return response.redirect(303, `/m/${token}`);
      if (link.hasPin) {
        const pin: unknown = (request.body as Record<string, unknown> | undefined)?.pin;
        const tried = await tryPin(database, token, typeof pin === 'string' ? pin.replace(/\s/g, '') : '');
        if (tried === 'locked') await note(link, request, 'locked');
        if (tried === 'locked') return refuse(response, 'locked');
        if (tried === 'wrong')
          return void response
            .status(403)
            .type('html')
            .send(askPage(unit, link, true));
      }
      const most = mostViewers(link.payload as LinkPayload);
      const value = await addViewer(database, link.hash, most, clock.now());
      if (value === null) return refuse(response, 'other-device');
      await note(link, request, 'ok');
      response.cookie(cookieName(), value, {
        ...{ httpOnly: true, secure: secure(), path: `/m/${token}` },
        // not strict: a tap in a chat is a way in from another site
        sameSite: 'lax',
        maxAge: link.expiresMs - clock.now(),
      });
      response.redirect(303, `/m/${token}`);
    },
  );

  /** A file behind a link; `name` decides which of it, and how it goes. */
  const serve = async (
    request: Request,
    response: Response,
    choose: (file: StoredFile) => { stored: string; mime: string; download: boolean } | null,
  ) => {
    const { link, verdict, token } = await see(request);
    if (link === null || verdict.kind === 'closed')
      return refuse(response, verdict.kind === 'closed' ? verdict.why : 'unknown');
    if (verdict.kind === 'ask') return response.redirect(303, `/m/${token}`);
    const at = /^\d{1,3}$/.test(String(request.params.file)) ? Number(request.params.file) - 1 : -1;
    const file = (link.payload as LinkPayload).files[at];
    const chosen = file === undefined ? null : choose(file);
    if (file === undefined || chosen === null) return refuse(response, 'gone');
    const size = await sizeOf(chosen.stored);
    if (size === null) return refuse(response, 'gone');
    // more than there is from the end is all there is (RFC 9110); what reads ranges for us refuses it
    const last = /^bytes=-(\d+)$/.exec(request.headers.range ?? '')?.[1];
    if (Number(last) > size) request.headers.range = 'bytes=0-';
    // it may end while the answer is under way: a player keeps one open for as long as it plays
    const recheck = setInterval(async () => {
      const now = await see(request).catch(() => null);
      if (now?.verdict.kind !== 'open') response.destroy();
    }, options.recheckMs ?? RECHECK_MS);
    response.on('close', () => clearInterval(recheck));
    const shown = isShown(chosen.mime);
    response.setHeader('Content-Type', shown ? chosen.mime : 'application/octet-stream');
    response.setHeader(
      'Content-Disposition',
      disposition(shown && !chosen.download ? 'inline' : 'attachment', downloadName(file)),
    );
    // a download that broke off on a bad line goes on where it ended
    response.setHeader('ETag', `"${hashToken(chosen.stored).slice(0, 16)}"`);
    response.sendFile(
      chosen.stored,
      { root: folder, cacheControl: false, etag: false, lastModified: false },
      (error: (Error & { status?: number }) | undefined) => {
        if (error === undefined || response.headersSent) return;
        if (error.status === 416) response.status(416).type('text').end();
        else refuse(response, 'gone');
      },
    );
  };

  router.get('/m/:token/:file', (request, response) =>
    serve(request, response, ({ stored, mime }) => ({ stored, mime, download: false })),
  );
  router.get('/m/:token/:file/tai-ve', (request, response) =>
    serve(request, response, ({ stored, mime }) => ({ stored, mime, download: true })),
  );
  router.get('/m/:token/:file/hinh', (request, response) =>
    serve(request, response, ({ poster }) =>
      poster === undefined ? null : { stored: poster, mime: 'image/jpeg', download: false },
    ),
  );
  return router;
}

/** What is shown of each camera, from the first moment to the last. */
function spansOf(files: StoredFile[]): Omit<Shown, 'camera'>[] {
  const spans = new Map<number, Omit<Shown, 'camera'>>();
  for (const { shows } of files) {
    if (shows === undefined) continue;
    const { cameraId, startMs, endMs } = shows;
    const known = spans.get(cameraId) ?? { cameraId, startMs, endMs };
    spans.set(cameraId, {
      cameraId,
      startMs: Math.min(known.startMs, startMs),
      endMs: Math.max(known.endMs, endMs),
    });
  }
  return [...spans.values()];
}
