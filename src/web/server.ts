import http from 'node:http';
import type { AddressInfo } from 'node:net';
import express, { type NextFunction, type Request, type Response, type Router } from 'express';
import helmet from 'helmet';
import type { Registry } from 'prom-client';
import type { Log } from '../base/log.js';
import { assets } from './assets.js';
import { checkHost, checkOrigin, isLocal, keepInside } from './guards.js';

export interface Health {
  ok: boolean;
  [fact: string]: unknown;
}

export interface WebOptions {
  host: string;
  /** 0 = any free one */
  port: number;
  publicUrl: string | null;
  /** proxies whose X-Forwarded-For is believed, as Express takes them ("loopback, 10.8.0.1"); none by default */
  trustProxy?: string;
  log: Log;
  /** what `/healthz` says, to this machine in full; 503 when not ok */
  health(): Health | Promise<Health>;
  /** what `/metrics` prints, to this machine only */
  metrics: Registry;
  /** open to the world by their own tokens and signatures, whatever page or service a request comes from */
  publicRouters?: Router[];
  /** pages and APIs, in order: not reachable by the public name, unless `openInside` */
  routers: Router[];
  /** `routers` can be reached by the public name too */
  openInside?: boolean;
  /** where `/` leads to */
  home?: string;
}

export interface Web {
  /** Binds; throws an Error with a clear Vietnamese sentence when the port is taken or not allowed. */
  start(): Promise<{ port: number; url: string }>;
  /** Ends live open, lets running answers finish for `deadlineMs` (2000), then closes every connection. */
  stop(deadlineMs?: number): Promise<void>;
}

const LISTEN_FAULTS: Record<string, (where: string) => string> = {
  EADDRINUSE: (where) =>
    `Cổng ${where} đang có chương trình khác dùng. Dừng chương trình đó, hoặc đặt PORT khác trong .env.`,
  EACCES: (where) => `Không được phép mở cổng ${where}. Hãy đặt PORT từ 1024 trở lên trong .env.`,
  EADDRNOTAVAIL: (where) => `Máy này không có địa chỉ ${where}. Hãy sửa HOST trong .env.`,
};

function protect(publicUrl: string | null) {
  const https = publicUrl?.startsWith('https:') === true;
  return helmet({
    contentSecurityPolicy: {
      useDefaults: false,
      directives: {
        defaultSrc: ["'none'"],
        scriptSrc: ["'self'"],
        styleSrc: ["'self'"],
        imgSrc: ["'self'", 'blob:', 'data:'],
        mediaSrc: ["'self'", 'blob:'],
        fontSrc: ["'self'"],
        connectSrc: ["'self'"],
        manifestSrc: ["'self'"],
        formAction: ["'self'"],
        frameAncestors: ["'none'"],
        baseUri: ["'none'"],
      },
    },
    frameguard: { action: 'deny' },
    hsts: https ? { maxAge: 15_552_000, includeSubDomains: false } : false,
    // not "no-referrer": with it browsers send our own login form with "Origin: null"
    referrerPolicy: { policy: 'same-origin' },
  });
}

const isDiskFull = (error: unknown) =>
  error instanceof Error && /database or disk is full|ENOSPC/.test(`${error.message} ${String(error.cause)}`);

/** The one web server of the bot. Making it does nothing; `start` binds. */
export function makeWeb(options: WebOptions): Web {
  const { host, port, publicUrl, log } = options;
  const app = express();
  const open = new Set<Response>();
  let stopping = false;

  app.disable('x-powered-by');
  app.set('trust proxy', options.trustProxy ?? false);
  app.use(protect(publicUrl));
  app.use((_request, response, next) => {
    response.setHeader(
      'Permissions-Policy',
      'geolocation=(self), camera=(), microphone=(), payment=(), usb=()',
    );
    if (stopping) response.setHeader('Connection', 'close');
    open.add(response);
    response.on('close', () => open.delete(response));
    next();
  });
  app.use(checkHost(host, publicUrl));
  app.use(assets());
  for (const router of options.publicRouters ?? []) app.use(router);

  app.get('/healthz', async (request, response) => {
    const health = await options.health();
    response
      .status(health.ok ? 200 : 503)
      .setHeader('Cache-Control', 'no-store')
      // how many cameras and how much disk there is, is nobody's business on the internet
      .json(isLocal(request) ? health : { ok: health.ok });
  });

  const inside = express.Router();
  app.use(inside);
  if (options.openInside !== true) inside.use(keepInside(publicUrl));
  inside.use(checkOrigin(publicUrl));
  inside.get('/metrics', async (request, response, next) => {
    if (!isLocal(request)) return next();
    response.type(options.metrics.contentType).send(await options.metrics.metrics());
  });
  for (const router of options.routers) inside.use(router);
  if (options.home !== undefined) {
    const { home } = options;
    inside.get('/', (_request, response) => response.redirect(302, home));
  }

  app.use((_request: Request, response: Response) => {
    response.status(404).type('text').send('Không có trang này.');
  });
  app.use((error: unknown, request: Request, response: Response, _next: NextFunction) => {
    const status = (error as { status?: unknown }).status;
    const code = typeof status === 'number' && status >= 400 && status < 500 ? status : 500;
    if (code === 500)
      log.error({ err: error, method: request.method, route: request.route?.path }, 'web request failed');
    if (response.headersSent) return void response.destroy();
    response
      .status(code)
      .type('text')
      .send(
        code === 500
          ? isDiskFull(error)
            ? 'Ổ đĩa của máy chủ đã đầy nên chưa nhận được. Xin báo kỹ thuật viên, rồi thử lại sau.'
            : 'Hệ thống vừa gặp lỗi. Xin thử lại sau ít phút.'
          : code === 404
            ? 'Không có trang này.'
            : 'Yêu cầu không hợp lệ.',
      );
  });

  const server = http.createServer(app);
  server.keepAliveTimeout = 30_000;
  // A video upload over a slow line may take minutes; headers may not.
  server.headersTimeout = 15_000;
  server.requestTimeout = 900_000;

  return {
    start: () =>
      new Promise((resolve, reject) => {
        server.once('error', (error: NodeJS.ErrnoException) => {
          const explain = LISTEN_FAULTS[error.code ?? ''];
          const where = error.code === 'EADDRNOTAVAIL' ? host : String(port);
          reject(explain === undefined ? error : new Error(explain(where), { cause: error }));
        });
        server.listen(port, host, () => {
          const bound = (server.address() as AddressInfo).port;
          const shown = host.includes(':') ? `[${host}]` : host;
          resolve({ port: bound, url: `http://${shown}:${bound}` });
        });
      }),
    async stop(deadlineMs = 2_000) {
      if (!server.listening) return;
      stopping = true;
      const closed = new Promise<void>((resolve) => server.close(() => resolve()));
      for (const response of open) {
        if (String(response.getHeader('Content-Type')).startsWith('text/event-stream')) response.end();
      }
      // A kept-alive connection becomes idle when its last answer has gone.
      const idle = setInterval(() => server.closeIdleConnections(), 50);
      const force = setTimeout(() => server.closeAllConnections(), deadlineMs);
      await closed;
      clearInterval(idle);
      clearTimeout(force);
    },
  };
}
