import express, { type Request, type Response, type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Clock } from '../base/clock.js';
import type { Log } from '../base/log.js';
import { sameSecret } from '../base/same.js';
import type { SessionFacts, Sessions } from '../store/sessions.js';
import type { Tokens } from '../store/tokens.js';
import { cookie, NOT_FORWARDED } from './guards.js';
import { printNotice } from './notice.js';

export const LOGIN_LINK_MS = 10 * 60_000;
export const SESSION_MS = 12 * 3_600_000;

export interface LoginOptions {
  tokens: Tokens;
  sessions: Sessions;
  clock: Clock;
  log: Log;
  publicUrl: string | null;
  /** where this server answers when there is no public address ("http://127.0.0.1:8600"), known once it is bound */
  localUrl(): string;
  /** Is the person still somebody who may use our pages? Asked at every request. */
  mayEnter(personId: number): Promise<boolean>;
  /** attempts to log in from one address in 15 minutes (30) */
  attempts?: number;
}

/** The one login of all our pages: a link that the bot gives by chat, good once; then a session in a cookie. */
export interface Login {
  router: Router;
  /** A one-time link, good for 10 minutes. @param next page to land on, a path of ours */
  linkFor(personId: number, next?: string): Promise<string>;
  /** The session of a request whose person may still enter; null = not logged in. */
  who(request: Request): Promise<SessionFacts | null>;
  /** Ends every session and unused link of a person. */
  end(personId: number): Promise<void>;
}

const isToken = (text: unknown): text is string =>
  typeof text === 'string' && /^[A-Za-z0-9_-]{43}$/.test(text);
const isPath = (text: unknown): text is string =>
  typeof text === 'string' && /^\/(?![/\\])[\w/#?=&.-]*$/.test(text);

export function makeLogin(options: LoginOptions): Login {
  const { tokens, sessions, log, publicUrl } = options;
  const secure = publicUrl?.startsWith('https:') === true;
  const cookieName = secure ? '__Host-matthan' : 'matthan';
  const base = () => (publicUrl ?? options.localUrl()).replace(/\/+$/, '');

  const setCookie = (response: Response, value: string, maxAgeMs: number) =>
    response.cookie(cookieName, value, {
      httpOnly: true,
      sameSite: 'strict',
      secure,
      path: '/',
      maxAge: maxAgeMs,
    });

  async function who(request: Request): Promise<SessionFacts | null> {
    const value = cookie(request, cookieName);
    if (!isToken(value)) return null;
    const session = await sessions.find(value);
    if (session === null) return null;
    if (await options.mayEnter(session.personId)) return session;
    await sessions.end(session.hash);
    return null;
  }

  const router = express.Router();
  const limiter = rateLimit({
    windowMs: 15 * 60_000,
    limit: options.attempts ?? 30,
    standardHeaders: 'draft-8',
    legacyHeaders: false,
    validate: NOT_FORWARDED,
    handler: (_request, response) =>
      void printNotice(response, 429, {
        title: 'Thử quá nhiều lần',
        lines: ['Xin chờ 15 phút rồi mở lại đường vào.'],
      }),
  });
  const stale = (response: Response) =>
    printNotice(response, 410, {
      title: 'Đường vào này không còn dùng được',
      lines: [
        'Mỗi đường vào chỉ dùng được một lần, trong 10 phút.',
        'Hãy nhắn “đăng nhập” cho Mắt Thần để nhận đường mới.',
      ],
    });

  // Looking at the link uses nothing up: messengers fetch every link for a preview.
  router.get('/login/:token', limiter, async (request, response) => {
    const { token } = request.params;
    const facts = isToken(token) ? await tokens.peek('login', token) : null;
    if (facts === null) return stale(response);
    printNotice(response, 200, {
      title: 'Vào trang Mắt Thần',
      lines: ['Bấm nút dưới đây để vào trên máy này. Phiên làm việc kéo dài 12 giờ.'],
      form: { action: '/login', fields: { token: token as string }, button: 'Vào trang' },
    });
  });

  router.post('/login', limiter, express.urlencoded({ extended: false }), async (request, response) => {
    const token: unknown = (request.body as Record<string, unknown> | undefined)?.token;
    const facts = isToken(token) ? await tokens.use('login', token) : null;
    if (facts === null || facts.personId === null || !(await options.mayEnter(facts.personId)))
      return stale(response);
    const earlier = cookie(request, cookieName);
    const before = isToken(earlier) ? await sessions.find(earlier) : null;
    if (before !== null) await sessions.end(before.hash);
    const { cookie: value } = await sessions.begin(facts.personId, SESSION_MS);
    setCookie(response, value, SESSION_MS);
    log.info({ personId: facts.personId }, 'logged in');
    const next = (facts.payload as { next?: unknown }).next;
    response.redirect(303, isPath(next) ? next : '/console');
  });

  router.post('/logout', express.urlencoded({ extended: false }), async (request, response) => {
    const session = await who(request);
    const body = (request.body ?? {}) as Record<string, unknown>;
    if (session !== null) {
      if (!sameSecret(request.headers['x-csrf'] ?? body.csrf, session.csrf)) {
        response.status(403).type('text').send('Yêu cầu này không đến từ trang của Mắt Thần.');
        return;
      }
      await sessions.end(session.hash);
    }
    response.clearCookie(cookieName, { httpOnly: true, sameSite: 'strict', secure, path: '/' });
    printNotice(response, 200, { title: 'Đã ra khỏi trang', lines: ['Hẹn gặp lại!'] });
  });

  return {
    router,
    async linkFor(personId, next) {
      const token = await tokens.issue({
        kind: 'login',
        personId,
        payload: isPath(next) ? { next } : {},
        ttlMs: LOGIN_LINK_MS,
      });
      return `${base()}/login/${token}`;
    },
    who,
    async end(personId) {
      await sessions.endOf(personId);
      await tokens.revokeOf(personId, 'login');
    },
  };
}
