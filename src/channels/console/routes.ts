import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Log } from '../../base/log.js';
import { sameSecret } from '../../base/same.js';
import type { ConsoleLine, ConsoleStore } from '../../store/console.js';
import { disposition, isShown, mimeOf } from '../../web/shown.js';
import type { Files } from './files.js';
import type { Gate, Pass } from './gate.js';
import { readSaid, type Said, SaidError } from './incoming.js';
import type { Hub } from './stream.js';
import { filesOf, type Payload, viewOf } from './view.js';

export interface RoutesOptions {
  gate: Gate;
  hub: Hub;
  store: ConsoleStore;
  files: Files;
  folder: string;
  log: Log;
  say(pass: Pass, said: Said): Promise<{ inboxId: number; line: ConsoleLine }>;
  sendPage(response: Response, name: string): void;
}

const PAGE_LINES = 40;
const POSTS_PER_MINUTE = 600;

/** The page's API, under `/console`. */
export function makeRoutes(options: RoutesOptions): Router {
  const { gate, hub, store, files, folder, log } = options;
  const router = express.Router();
  const app = express.Router();
  router.use('/console', app);

  const withPass =
    (answer: (request: Request, response: Response, pass: Pass) => Promise<void>) =>
    async (request: Request, response: Response) => {
      const pass = await gate.enter(request);
      if (pass === null) {
        response.status(401).json({ error: 'Phiên đã hết. Hãy nhắn Mắt Thần để nhận đường vào mới.' });
        return;
      }
      response.setHeader('Cache-Control', 'no-store');
      await answer(request, response, pass);
    };

  app.get('/', (request, response, next) => {
    if (!gate.greet(request, response)) return next();
    options.sendPage(response, 'console.html');
  });

  app.get(
    '/api/state',
    withPass(async (_request, response, pass) => {
      const { hears: _, ...shown } = pass;
      const all = new Map(
        [...pass.chats, ...(pass.people ?? []).flatMap((each) => each.chats)].map((chat) => [
          chat.chatId,
          chat,
        ]),
      );
      const position = hub.position();
      const latest: Record<string, ReturnType<typeof viewOf>[]> = {};
      for (const chatId of all.keys())
        latest[chatId] = (await store.recent(chatId, null, PAGE_LINES)).map(viewOf);
      response.json({ ...shown, latest, position });
    }),
  );

  app.get(
    '/api/lines',
    withPass(async (request, response, pass) => {
      const chatId = String(request.query.chat ?? '');
      const before = Number(request.query.before ?? 0);
      if (!pass.chats.some((chat) => chat.chatId === chatId) || !Number.isSafeInteger(before))
        return void response.status(404).json({ error: 'Không có chat này.' });
      const lines = await store.recent(chatId, before > 0 ? before : null, PAGE_LINES);
      response.json({ lines: lines.map(viewOf) });
    }),
  );

  app.get(
    '/api/events',
    withPass(async (request, response, pass) => {
      const last = request.headers['last-event-id'] ?? request.query.last ?? '';
      hub.open(response, pass, String(last), () => gate.enter(request));
    }),
  );

  app.post(
    '/api/say',
    rateLimit({
      windowMs: 60_000,
      limit: POSTS_PER_MINUTE,
      standardHeaders: 'draft-8',
      legacyHeaders: false,
      message: { error: 'Bạn gửi nhanh quá, xin chờ một phút.' },
    }),
    express.json({ limit: '64kb' }),
    withPass(async (request, response, pass) => {
      if (!sameSecret(request.headers['x-csrf'], pass.csrf)) {
        request.resume();
        return void response.status(403).json({ error: 'Trang đã cũ, xin tải lại.' });
      }
      const said = await readSaid(request, files, folder);
      try {
        const { inboxId, line } = await options.say(pass, said);
        response.json({ inboxId, line: viewOf(line) });
      } catch (error) {
        if (error instanceof SaidError)
          await files.remove(said.attachments.map((attachment) => attachment.ref));
        throw error;
      }
    }),
  );

  app.get(
    '/files/:line/:index',
    withPass(async (request, response, pass) => {
      const line = /^\d{1,15}$/.test(String(request.params.line))
        ? await store.get(Number(request.params.line))
        : null;
      const seen = line !== null && pass.chats.some((chat) => chat.chatId === line.chatId);
      const index = /^\d{1,2}$/.test(String(request.params.index)) ? Number(request.params.index) : -1;
      const file = seen ? filesOf(line.payload as Payload)[index] : undefined;
      if (file === undefined) return void response.status(404).type('text').send('Không có tệp này.');
      const mime = mimeOf(file.stored);
      const inPlace = isShown(mime) && request.query.tai === undefined;
      response.setHeader('Content-Type', mime);
      response.setHeader(
        'Content-Disposition',
        disposition(inPlace ? 'inline' : 'attachment', file.fileName),
      );
      // Asked again at each use: who may no longer see the chat gets nothing out of the browser's cache either.
      response.setHeader('Cache-Control', 'private, no-cache');
      response.setHeader('ETag', `"${file.stored}"`);
      files.place(file.stored);
      response.sendFile(file.stored, { root: folder, cacheControl: false, etag: false, lastModified: false });
    }),
  );

  if (gate.router !== undefined) app.use(gate.router);

  app.use((error: unknown, request: Request, response: Response, next: NextFunction) => {
    if (!(error instanceof SaidError)) return next(error);
    log.debug({ status: error.status, reason: error.message }, 'console request refused');
    if (response.headersSent) return void response.destroy();
    if (!request.complete) response.setHeader('Connection', 'close');
    response.status(error.status).json({ error: error.message });
  });
  return router;
}
