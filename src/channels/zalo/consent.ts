import express, { type Router } from 'express';
import { rateLimit } from 'express-rate-limit';
import type { Log } from '../../base/log.js';
import { makeToken } from '../../base/seal.js';
import type { Tokens } from '../../store/tokens.js';
import { printNotice } from '../../web/notice.js';
import { consentUrl, exchangeCode, type GivenPair, makeVerifier, type OauthOptions } from './api/oauth.js';

const LINK_MS = 24 * 3_600_000;
/** From the page of consent to its answer. */
const ANSWER_MS = 15 * 60_000;
const OPEN_AT_ONCE = 50;

export interface ConsentOptions {
  oauth: Pick<OauthOptions, 'root' | 'appId' | 'appSecret'>;
  publicUrl: string;
  /** where the console insists on a fixed code challenge */
  fixedVerifier: string | null;
  tokens: Tokens;
  /** Keeps a new pair. @throws WorldError */
  put: (pair: GivenPair) => Promise<void>;
  /** the pair is kept, the OA may be used */
  onGiven: () => void;
  log: Log;
}

export interface Consent {
  router: Router;
  /** A link for the chief that opens Zalo's page of consent, good for a day. */
  linkFor(personId: number): Promise<string>;
}

/**
 * The OA's administrator consents: our link leads to Zalo's page, Zalo leads back with a code, the code becomes the pair of
 * tokens. Only who has a link of ours can begin, and an answer that was not begun here is refused.
 */
export function makeConsent(options: ConsentOptions): Consent {
  const { oauth, tokens, log } = options;
  const root = options.publicUrl.replace(/\/+$/, '');
  const redirectUri = `${root}/zalo/callback`;
  const begun = new Map<string, { verifier: string; untilMs: number }>();
  const router = express.Router();
  const limiter = rateLimit({ windowMs: 60_000, limit: 30, standardHeaders: false, legacyHeaders: false });

  router.get('/zalo/consent/:token', limiter, async (request, response) => {
    // chat apps look at links by themselves: opening one does not use it up
    const known = await tokens.peek('consent', String(request.params.token));
    if (known === null)
      return printNotice(response, 404, {
        title: 'Đường dẫn này đã hết hạn',
        lines: ['Anh/chị nhắn “nối Zalo OA” cho bot để lấy đường dẫn mới.'],
      });
    const state = makeToken();
    const verifier = options.fixedVerifier ?? makeVerifier();
    for (const [old, { untilMs }] of begun)
      if (begun.size >= OPEN_AT_ONCE || performance.now() > untilMs) begun.delete(old);
    begun.set(state, { verifier, untilMs: performance.now() + ANSWER_MS });
    response.setHeader('Cache-Control', 'no-store');
    response.redirect(302, consentUrl(oauth, { redirectUri, verifier, state }));
  });

  router.get('/zalo/callback', limiter, async (request, response) => {
    const { code, state } = request.query;
    const found = typeof state === 'string' ? begun.get(state) : undefined;
    if (typeof state === 'string') begun.delete(state);
    if (found === undefined || performance.now() > found.untilMs || typeof code !== 'string')
      return printNotice(response, 400, {
        title: 'Chưa nối được Zalo',
        lines: ['Trang này mở đã lâu hoặc mở lại lần nữa. Anh/chị bắt đầu lại từ đường dẫn bot gửi nhé.'],
      });
    try {
      await options.put(await exchangeCode(oauth, { code, verifier: found.verifier }));
    } catch (error) {
      log.warn({ err: error }, "the OA's consent could not be turned into tokens");
      return printNotice(response, 502, {
        title: 'Chưa nối được Zalo',
        lines: [
          'Zalo chưa cấp quyền cho máy chủ. Anh/chị nhắn “nối Zalo OA” cho bot để lấy đường dẫn mới và thử lại; nếu vẫn vậy, kiểm tra ZALO_APP_ID, ZALO_APP_SECRET và địa chỉ Callback trong trang quản trị ứng dụng.',
        ],
      });
    }
    options.onGiven();
    printNotice(response, 200, {
      title: 'Đã nối Zalo',
      lines: ['Bot dùng được Zalo ngay bây giờ. Anh/chị đóng trang này được rồi.'],
    });
  });

  return {
    router,
    async linkFor(personId) {
      const token = await tokens.issue({ kind: 'consent', personId, payload: {}, ttlMs: LINK_MS });
      return `${root}/zalo/consent/${token}`;
    },
  };
}
